//! Reads the files that the settings name, so that what is wrong with them is known before the first message.

use super::{NatsSettings, NatsUnusable};

impl NatsSettings {
    /// Reads the files that these settings name, and forgets what is in them: so that what is wrong with them is known before
    /// the first message.
    ///
    /// # Errors
    /// What cannot be used, or that this build has no client of NATS.
    pub fn check_files(&self) -> Result<(), NatsUnusable> {
        #[cfg(feature = "nats")]
        {
            super::login::check(&self.login).map_err(NatsUnusable::File)?;
            crate::webhooks::tls::config(self.ca.as_deref())
                .map(drop)
                .map_err(|error| NatsUnusable::File(format!("nats.ca: {error}")))
        }
        #[cfg(not(feature = "nats"))]
        Err(NatsUnusable::NotBuilt)
    }
}
