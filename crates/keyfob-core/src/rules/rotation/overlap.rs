//! How long the older secret of an API key stays valid beside the newest.

use crate::time::Ttl;

/// How long a rotated secret of an API key stays valid beside its successor.
///
/// ```
/// use keyfob::Ttl;
/// use keyfob::rotation::SecretOverlap;
///
/// assert_eq!(SecretOverlap::default().length(), Some(Ttl::from_days(1)));
/// assert_eq!(SecretOverlap::NONE.length(), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SecretOverlap(Option<Ttl>);

impl SecretOverlap {
    /// No overlap: the older secret ends with the rotation.
    pub const NONE: Self = Self(None);

    /// Creates an overlap of this length.
    pub const fn new(length: Ttl) -> Self {
        Self(Some(length))
    }

    /// Returns the length, or `None` for [`SecretOverlap::NONE`].
    pub const fn length(self) -> Option<Ttl> {
        self.0
    }
}

impl Default for SecretOverlap {
    /// Returns one day.
    fn default() -> Self {
        Self(Some(Ttl::from_days(1)))
    }
}
