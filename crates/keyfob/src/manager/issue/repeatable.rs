//! What a new token is drawn from, if each attempt has to draw the same.

use keyfob_core::random::DerivedRandom;
use keyfob_core::time::Timestamp;
use zeroize::Zeroizing;

/// The time and the seeds that a token is drawn from, the same for each attempt of a request.
#[derive(Clone)]
pub(in crate::manager) struct Repeatable {
    /// When the first attempt was made.
    pub(super) at: Timestamp,
    pub(super) lane: Zeroizing<[u8; 32]>,
    pub(super) token: Zeroizing<[u8; 32]>,
}

impl Repeatable {
    /// Returns the source for the lane of a token without a subject.
    pub(super) fn lane_random(&self) -> DerivedRandom {
        DerivedRandom::new(&self.lane)
    }

    /// Returns the source for the id and the secret, from its beginning.
    pub(super) fn token_random(&self) -> DerivedRandom {
        DerivedRandom::new(&self.token)
    }
}
