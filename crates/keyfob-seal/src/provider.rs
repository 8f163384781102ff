//! Where a key ring comes from: a [`KeyProvider`]. The crate `keyfob-keys` has providers that read a
//! file, the environment, or the output of a command.

use std::fmt;

use super::{KeyError, KeyRing};
use async_trait::async_trait;

/// Returns a key ring each time it is asked: after a change, the new one.
///
/// To connect a key management service, ask the service and build the ring from its answer.
/// [`KeyRing::parse`] reads the text that [`KeyRing::to_text`] writes.
#[async_trait]
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// Returns the current ring.
    ///
    /// # Errors
    /// [`KeyError`], which shows no key. A caller that has a ring keeps using it.
    async fn ring(&self) -> Result<KeyRing, KeyError>;
}

/// A provider of one fixed ring.
#[derive(Clone, Debug)]
pub struct StaticKeys(KeyRing);

impl StaticKeys {
    /// Creates a provider that returns `ring`.
    pub const fn new(ring: KeyRing) -> Self {
        Self(ring)
    }
}

#[async_trait]
impl KeyProvider for StaticKeys {
    async fn ring(&self) -> Result<KeyRing, KeyError> {
        Ok(self.0.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::random::SeededRandom;
    use keyfob_core::time::Timestamp;

    #[tokio::test]
    async fn a_ring_at_hand_is_given_each_time() {
        let ring = KeyRing::generate(Timestamp::default(), &SeededRandom::new(1)).unwrap();
        let keys = StaticKeys::new(ring.clone());
        assert_eq!(keys.ring().await.unwrap(), ring);
        assert_eq!(keys.ring().await.unwrap(), ring);
    }
}
