//! Which of a token's secrets a bearer token has.

use crate::time::Timestamp;

/// Which of a token's secrets the presented bearer token has.
///
/// Only a rotated API key has two secrets, during their overlap. Its owner can see from this when
/// the older secret is no longer used.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SecretUsed {
    /// The newest secret. A token that was not found by a bearer token has this value too.
    #[default]
    Newest,
    /// The secret before the newest.
    Older {
        /// When that secret ends.
        until: Timestamp,
    },
}
