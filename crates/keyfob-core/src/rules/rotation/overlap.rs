//! How long an older secret of an API key stays good beside its newest.

use crate::time::Ttl;

/// How long the secret that a rotation takes the place of stays good.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecretOverlap(Option<Ttl>);

impl SecretOverlap {
    /// Not at all: it ends now.
    pub const NONE: Self = Self(None);

    /// So long.
    pub const fn new(length: Ttl) -> Self {
        Self(Some(length))
    }

    /// How long it is; `None` for [`SecretOverlap::NONE`].
    pub const fn length(self) -> Option<Ttl> {
        self.0
    }
}

impl Default for SecretOverlap {
    /// A day.
    fn default() -> Self {
        Self(Some(Ttl::from_days(1)))
    }
}
