//! What can be wrong with a store.

use super::envelope;
use super::key_version::KeyVersion;
use super::operation::OperationId;
use super::seal_fault::SealFault;
use crate::error_class::ErrorClass;
use crate::random::RandomUnavailable;
use crate::time::Ttl;

/// What can be wrong with a store. It says what to do next, and never holds a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// It cannot be reached or does not answer. Nothing was changed.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// What happened, in words.
        detail: String,
    },
    /// A write was sent and no answer came. It may or may not have had its effect; the same
    /// operation may be sent again until its deadline.
    #[error(
        "no answer to {operation}: it may have been done or not; read to find out, or do it again"
    )]
    OutcomeUnknown {
        /// The write.
        operation: OperationId,
    },
    /// A write arrived after its deadline. This sending was not done; an earlier one may have been.
    #[error("{operation} came after its deadline: read whether it was done before, or begin anew")]
    DeadlinePassed {
        /// The write.
        operation: OperationId,
    },
    /// Another process has the embedded store open.
    #[error("{what} is in use by another process: stop it, or use a store that several can share")]
    InUse {
        /// The store.
        what: String,
    },
    /// What was opened holds no keyfob data, or data that cannot be read.
    #[error("{what} is not a keyfob store: {detail}")]
    NotAStore {
        /// The store.
        what: String,
        /// What was found.
        detail: String,
    },
    /// The data was written by a newer version of keyfob.
    #[error("{what} has format version {found}; this keyfob reads up to {known}: upgrade it")]
    NewerFormat {
        /// The store or the record.
        what: String,
        /// The version found.
        found: u32,
        /// The newest version that this code reads.
        known: u32,
    },
    /// A record cannot be read.
    #[error("the record of {what} is damaged ({detail}): it is refused")]
    Corrupt {
        /// The record.
        what: String,
        /// What was found.
        detail: String,
    },
    /// What is stored is sealed, and no key was given that opens it.
    #[error("{what} is sealed under key {key}, and no key that was given opens it: give the keys")]
    Sealed {
        /// What is sealed.
        what: String,
        /// The number of the key.
        key: KeyVersion,
    },
    /// What is stored is not believed: it was damaged, moved, swapped, or its key is missing.
    #[error("{what} is refused: {integrity}")]
    Unverifiable {
        /// What is not believed.
        what: String,
        /// Why.
        integrity: SealFault,
    },
    /// A write under a key that the store refuses by now: the node's key ring is out of date.
    /// Nothing was changed.
    #[error(
        "key {key} is retired (writes are refused below key {floor}): give this node the present key ring"
    )]
    KeyRetired {
        /// The key that the write was sealed under.
        key: KeyVersion,
        /// The lowest that is accepted.
        floor: KeyVersion,
    },
    /// The store's address or settings make no sense.
    #[error("{0}")]
    Misconfigured(String),
    /// The node's clock and the store's are too far apart to order what they write.
    #[error("this node's clock is {ahead} ahead of the store's: set the clocks right (NTP)")]
    ClockSkew {
        /// By how much.
        ahead: Ttl,
    },
    /// A value is larger than a store takes.
    #[error("{what} is larger than {most} bytes: store less")]
    TooLarge {
        /// The value.
        what: &'static str,
        /// The most bytes that fit.
        most: usize,
    },
    /// The store does not have this capability.
    #[error("this store does not support {what}: use another store for it")]
    Unsupported {
        /// The capability.
        what: &'static str,
    },
    /// There is no randomness to draw an id or a secret from.
    #[error(transparent)]
    Random(#[from] RandomUnavailable),
}

impl StoreError {
    /// Returns the kind of answer that the error calls for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Unavailable { .. }
            | Self::OutcomeUnknown { .. }
            | Self::DeadlinePassed { .. } => ErrorClass::Unavailable,
            Self::TooLarge { .. } => ErrorClass::InvalidRequest,
            Self::InUse { .. }
            | Self::NotAStore { .. }
            | Self::NewerFormat { .. }
            | Self::Corrupt { .. }
            | Self::Sealed { .. }
            | Self::Unverifiable { .. }
            | Self::KeyRetired { .. }
            | Self::Misconfigured(_)
            | Self::ClockSkew { .. }
            | Self::Unsupported { .. }
            | Self::Random(_) => ErrorClass::Internal,
        }
    }

    /// The stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "store_unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::InUse { .. } => "store_in_use",
            Self::NotAStore { .. } => "not_a_store",
            Self::NewerFormat { .. } => "newer_format",
            Self::Corrupt { .. } => "record_damaged",
            Self::Sealed { .. } => "store_sealed",
            Self::Unverifiable { integrity, .. } => integrity.code(),
            Self::KeyRetired { .. } => "key_retired",
            Self::Misconfigured(_) => "store_misconfigured",
            Self::ClockSkew { .. } => "clock_skew",
            Self::TooLarge { .. } => "too_large",
            Self::Unsupported { .. } => "unsupported",
            Self::Random(_) => "random_unavailable",
        }
    }

    /// Refuses a value of more than `most` bytes; what sealing adds does not count.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn if_larger(what: &'static str, bytes: &[u8], most: usize) -> Result<(), Self> {
        // The length was checked before sealing: what sealing adds does not count.
        let added = if envelope::is_sealed(bytes) { envelope::OVERHEAD } else { 0 };
        if bytes.len() > most + added { Err(Self::TooLarge { what, most }) } else { Ok(()) }
    }

    /// Whether a write under `key` may go ahead where nothing below `floor` is accepted.
    ///
    /// # Errors
    /// [`StoreError::KeyRetired`].
    pub fn if_retired(key: KeyVersion, floor: KeyVersion) -> Result<(), Self> {
        if key < floor { Err(Self::KeyRetired { key, floor }) } else { Ok(()) }
    }

    /// Returns a [`StoreError::Unsupported`] for this capability.
    pub const fn unsupported(what: &'static str) -> Self {
        Self::Unsupported { what }
    }

    /// An [`StoreError::Unavailable`] with this detail.
    pub fn unavailable(detail: impl std::fmt::Display) -> Self {
        Self::Unavailable { detail: detail.to_string() }
    }
}
