//! Why stored bytes are not trusted.

use super::key_version::KeyVersion;

/// Why stored bytes are not trusted. No part of them is used.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SealFault {
    /// The bytes are sealed under a key that the ring does not have.
    #[error(
        "it is sealed under key {key}, which the ring of this node does not have: give the node the current ring"
    )]
    MissingKey {
        /// The version of the key.
        key: KeyVersion,
    },
    /// The key does not open the bytes: they were damaged, moved or swapped, or belong to another
    /// namespace, or the ring has another key under this version.
    #[error("key {key} does not open it: it was damaged, moved or swapped, or the key is another")]
    NotOpened {
        /// The version of the key.
        key: KeyVersion,
    },
    /// The bytes are too short for an envelope.
    #[error("it is too short to name its key")]
    Damaged,
    /// The bytes are not sealed, and the ring does not read plaintext.
    #[error("it is not sealed, and the ring refuses that: to read it, add the line 'bare reading'")]
    Plaintext,
}

impl SealFault {
    /// Returns whether only this node cannot read the bytes, because its ring lacks their key.
    pub const fn is_missing_key(self) -> bool {
        matches!(self, Self::MissingKey { .. })
    }

    /// Returns the stable code.
    pub const fn code(self) -> &'static str {
        match self {
            Self::MissingKey { .. } => "key_missing",
            Self::NotOpened { .. } | Self::Damaged => "not_opened",
            Self::Plaintext => "not_sealed",
        }
    }
}
