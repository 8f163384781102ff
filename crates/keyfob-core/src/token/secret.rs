//! Which of a token's secrets its bearer had.

use crate::time::Timestamp;

/// Which of a token's secrets its bearer had. Only an API key that was given a new one has two, for
/// as long as they overlap: so its owner can see when the older one falls silent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SecretUsed {
    /// The newest. A token that was not found by a bearer says this too.
    #[default]
    Newest,
    /// The one before.
    Older {
        /// When it ends.
        until: Timestamp,
    },
}
