//! Where a key ring comes from: whatever a [`KeyProvider`] is written for. Those that read a file,
//! the environment or what a command says are in the crate `keyfob-keys`.

use std::fmt;

use super::{KeyError, KeyRing};
use async_trait::async_trait;

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
