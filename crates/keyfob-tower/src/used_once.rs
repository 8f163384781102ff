//! Signed messages that count once, such as proofs of possession and assertions of clients (RFC 9449 section 11.1, RFC
//! 7523 section 3).
//!
//! That is a limit of one in the time for which a message is accepted, counted by its id. So a store of limits
//! remembers them, of a process or of all.

use std::sync::Arc;

use keyfob::limit::{Charge, LimitKey, LimitStore, Meter, Rate};
use keyfob::{InvalidValue, Timestamp, Ttl};

/// Remembers which messages were used.
#[derive(Clone, Debug)]
pub struct UsedOnce {
    store: Arc<dyn LimitStore>,
    /// One in the time for which a message is accepted.
    once: Meter,
}

/// Why a message does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NotOnce {
    /// It was used before, or may have been.
    #[error("it was used before")]
    Used,
    /// The store cannot tell.
    #[error("it cannot be decided now whether it was used before")]
    Undecided,
}

impl UsedOnce {
    /// Creates a memory of messages that are accepted for this long, from the first use of each.
    ///
    /// Where several nodes serve, they have to share the store, such as Redis. A store that loses writes, as Redis may
    /// at a failover, accepts a message twice within its time.
    ///
    /// # Errors
    /// If the time is too long to count with.
    pub fn new(store: Arc<dyn LimitStore>, window: Ttl) -> Result<Self, InvalidValue> {
        Ok(Self { store, once: Meter::new(Rate::new(1, window)?, 1)? })
    }

    /// Returns the same for messages that are accepted for another time.
    ///
    /// # Errors
    /// As [`UsedOnce::new`].
    pub fn with_window(&self, window: Ttl) -> Result<Self, InvalidValue> {
        Self::new(Arc::clone(&self.store), window)
    }

    /// Adds a message that was made at this time or later. Returns the time of the store: what the clock of this node
    /// accepted may have ended by that one, and its use may be forgotten.
    ///
    /// # Errors
    /// If it was added before, or may have been.
    pub async fn add(&self, id: [u8; 16], made_at: Timestamp) -> Result<Timestamp, NotOnce> {
        let key = LimitKey::from_bytes(id);
        let charge = Charge { key, meter: self.once, min_permits: 1, max_permits: 1 };
        let charged = self.store.charge(&[charge]).await.map_err(|error| {
            tracing::warn!(%error, "the store of used messages is not available");
            NotOnce::Undecided
        })?;
        // What the store began with may be known by its answer alone. A message tells its time in whole seconds.
        let is_before = |began_at: Timestamp| made_at.as_secs() < began_at.as_secs();
        if !charged.admitted || charged.began_at.is_some_and(is_before) {
            return Err(NotOnce::Used);
        }
        charged.tallies.first().map(|outcome| outcome.now).ok_or(NotOnce::Undecided)
    }
}
