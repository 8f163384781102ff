//! What can be said of the rotation of a family: by its grant, or for all of a manager.

use minicbor::{Decode, Encode};

use crate::time::Ttl;

/// How long after it was exchanged a refresh token still gets the answer that it got.
///
/// It is there for the client that lost the answer and for two tabs that ask at the same time. For
/// so long, a thief with a copy gets the answer too.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub struct GracePeriod(#[n(0)] Option<Ttl>);

/// What becomes of the access tokens that a family got before.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(index_only)]
pub enum PreviousAccessToken {
    /// They are good until they expire.
    #[default]
    #[n(0)]
    LeaveToExpire,
    /// A rotation revokes the one that the generation before came with, and only then goes on: so
    /// that the two never live beside each other. It takes one more round trip.
    #[n(1)]
    RevokePrevious,
}

/// How a family rotates.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub struct RefreshPolicy {
    /// How long a retry gets the same pair.
    #[n(0)]
    pub window: GracePeriod,
    /// What becomes of earlier access tokens.
    #[n(1)]
    pub earlier_access: PreviousAccessToken,
}

impl GracePeriod {
    /// None: a refresh token is good strictly once. Two tabs that refresh at the same time then log
    /// each other out, and so does a client that retries.
    pub const NONE: Self = Self(None);

    /// So long.
    pub const fn new(length: Ttl) -> Self {
        Self(Some(length))
    }

    /// How long it is; `None` for [`GracePeriod::NONE`].
    pub const fn length(self) -> Option<Ttl> {
        self.0
    }
}

impl Default for GracePeriod {
    /// Ten seconds.
    fn default() -> Self {
        Self(Some(Ttl::from_secs(10)))
    }
}
