//! Why stored bytes are not believed.

use super::key_version::KeyVersion;

/// Why stored bytes are not believed. Nothing of them is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealFault {
    /// They are sealed under a key that the ring has not got.
    #[error("it is sealed under key {key}, which the ring has not got: restore the key's line")]
    NoKey {
        /// The number of the key.
        key: KeyVersion,
    },
    /// The key does not open them: they were damaged, moved, swapped, or are of another namespace;
    /// or the ring has another key under this number.
    #[error("key {key} does not open it: it was damaged, moved or swapped, or the key is another")]
    NotOpened {
        /// The number of the key.
        key: KeyVersion,
    },
    /// They are too short to be anything.
    #[error("too little of it is left to tell its key")]
    Damaged,
    /// They are not sealed, and the ring does not read what is not.
    #[error("it is not sealed, and the ring refuses that: to read it, add the line 'bare reading'")]
    Bare,
}

impl SealFault {
    /// The stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::NoKey { .. } => "key_missing",
            Self::NotOpened { .. } | Self::Damaged => "not_opened",
            Self::Bare => "not_sealed",
        }
    }
}
