//! Where a key ring comes from: a file, the environment, a command, or whatever a [`KeyProvider`]
//! is written for.

mod command;
mod environment;
mod file;

use std::fmt;

use async_trait::async_trait;
pub use command::CommandKeys;
pub use environment::EnvKeys;
pub use file::FileKeys;
use zeroize::Zeroizing;

use super::{KeyError, KeyRing};

/// Gives a key ring, as often as it is asked: after a change, the new one.
///
/// An adapter for a key management service asks the service and puts the ring together from what it
/// says; [`KeyRing::parse`] reads the text that [`KeyRing::to_text`] writes.
#[async_trait]
pub trait KeyProvider: Send + Sync + fmt::Debug {
    /// The ring as it is now.
    ///
    /// # Errors
    /// [`KeyError`], which shows no key. Whoever had a ring before goes on with that.
    async fn ring(&self) -> Result<KeyRing, KeyError>;
}

/// A ring that is at hand.
#[derive(Clone, Debug)]
pub struct StaticKeys(KeyRing);

/// The most bytes of text that are read for a ring.
const MOST: u64 = 1 << 20;

impl StaticKeys {
    /// Gives `ring`.
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

fn parse(what: &str, bytes: Zeroizing<Vec<u8>>) -> Result<KeyRing, KeyError> {
    let unreadable =
        |detail: &str| KeyError::Unreadable { what: what.to_owned(), detail: detail.to_owned() };
    if bytes.len() as u64 > MOST {
        return Err(unreadable("it is far too large for one"));
    }
    let text = std::str::from_utf8(&bytes).map_err(|_| unreadable("it is not text"))?;
    KeyRing::parse(text)
}

#[cfg(test)]
mod tests;
