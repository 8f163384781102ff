//! The errors of a store.

use super::envelope;
use super::key_version::KeyVersion;
use super::operation::OperationId;
use super::seal_fault::SealFault;
use crate::error_class::ErrorClass;
use crate::id::Lane;
use crate::random::RandomUnavailable;
use crate::time::Ttl;

/// An error of a store. Its text says what to do next, and never contains a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// The store cannot be reached or does not answer. Nothing was changed.
    #[error("the store is unavailable: {detail}")]
    Unavailable {
        /// The cause, in words.
        detail: String,
    },
    /// A write was sent and no answer came. It may have had its effect or not. The same operation may
    /// be sent again until its deadline.
    #[error(
        "no answer to {operation}: it may have been done or not; read to find out, or send it again"
    )]
    OutcomeUnknown {
        /// The write.
        operation: OperationId,
    },
    /// A revocation over all lanes was applied in some of them. What it revokes there is revoked. The other
    /// lanes could not be reached: any node revokes there as soon as they can be, without being asked
    /// again.
    #[error(
        "{operation} is done in {applied} lanes and still to come in {} that cannot be reached (lanes {}): \
         every node tries again until it is done there",
        pending.len(),
        Lane::ranges(pending)
    )]
    PartlyApplied {
        /// The write.
        operation: OperationId,
        /// In how many lanes it was applied.
        applied: u16,
        /// The lanes in which it is still to come.
        pending: Vec<Lane>,
    },
    /// Some lanes could not be read. What lies in them is missing from the answer.
    #[error(
        "lanes {} cannot be reached, so what they hold is missing: check the servers, then repeat it",
        Lane::ranges(lanes)
    )]
    LanesUnreachable {
        /// The lanes.
        lanes: Vec<Lane>,
    },
    /// A write arrived after its deadline. This attempt had no effect; an earlier one may have had.
    #[error("{operation} came after its deadline: read whether it was done before, or begin again")]
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
    /// The disk of the embedded store has no room. Nothing was changed. Revocations are still taken, from
    /// room that was set aside, and the store continues by itself once there is room.
    #[error("the disk of {what} is full: free some space. The store then continues by itself")]
    Full {
        /// The store.
        what: String,
    },
    /// The embedded store was opened for reading alone. Nothing was changed.
    #[error(
        "{what} may only be read: run this as a user who may write to it, where it can be written"
    )]
    ReadOnly {
        /// The store.
        what: String,
    },
    /// The file or server has no keyfob data, or data that cannot be read.
    #[error("{what} is not a keyfob store: {detail}")]
    NotAStore {
        /// The store.
        what: String,
        /// What was found.
        detail: String,
    },
    /// The store no longer holds the namespace that this node opened: it came back empty, or another
    /// namespace has taken its place. The node decides nothing until its namespace is there again.
    #[error("{what} no longer holds the namespace that this node opened: {detail}")]
    NamespaceLost {
        /// The store.
        what: String,
        /// What was found, and what to do.
        detail: String,
    },
    /// The server answered, but no new connection by its address showed that the address still leads to
    /// it. Its answer is not used.
    #[error(
        "the store's answer is not used, because its address may lead elsewhere by now: {detail}: \
         check that the address accepts new connections"
    )]
    AddressUnconfirmed {
        /// The cause, in words.
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
    /// The data is sealed, and none of the given keys opens it.
    #[error("{what} is sealed under key {key}, and no given key opens it: give the keys")]
    Sealed {
        /// The sealed data.
        what: String,
        /// The version of the key.
        key: KeyVersion,
    },
    /// The data is not trusted: it was damaged, moved or swapped. Or its key is missing: then another node
    /// may be able to read it.
    #[error("{what} {}: {integrity}", if integrity.is_missing_key() { "cannot be read" } else { "is refused" })]
    Unverifiable {
        /// The data that is not trusted.
        what: String,
        /// The reason.
        integrity: SealFault,
    },
    /// The write is sealed under a key that the store no longer accepts: the node's key ring is out
    /// of date. Nothing was changed.
    #[error(
        "key {key} is retired (writes are refused below key {floor}): give this node the current key ring"
    )]
    KeyRetired {
        /// The key that the write was sealed under.
        key: KeyVersion,
        /// The lowest version that is accepted.
        floor: KeyVersion,
    },
    /// The store's address or settings are not valid.
    #[error("{0}")]
    Misconfigured(String),
    /// The node's clock and the store's are too far apart to order what they write.
    #[error("this node's clock is {ahead} ahead of the store's: set the clocks right (NTP)")]
    ClockSkew {
        /// By how much.
        ahead: Ttl,
    },
    /// The value is larger than a store accepts.
    #[error("{what} is larger than {max} bytes: store less")]
    TooLarge {
        /// The value.
        what: &'static str,
        /// The maximum size in bytes.
        max: usize,
    },
    /// The store does not have this capability.
    #[error("this store does not support {what}: use another store for it")]
    Unsupported {
        /// The capability.
        what: &'static str,
    },
    /// This node is an edge: it validates, and the central server does everything else.
    #[error("{what} is not done at an edge: ask the central server")]
    NotAtEdge {
        /// What was asked for.
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
            // The node lacks the current ring. Nothing is known about the token.
            Self::Unverifiable { integrity, .. } if integrity.is_missing_key() => {
                ErrorClass::Unavailable
            }
            Self::Unavailable { .. }
            | Self::Full { .. }
            | Self::OutcomeUnknown { .. }
            | Self::PartlyApplied { .. }
            | Self::LanesUnreachable { .. }
            | Self::DeadlinePassed { .. }
            | Self::NamespaceLost { .. }
            | Self::AddressUnconfirmed { .. } => ErrorClass::Unavailable,
            Self::TooLarge { .. } | Self::NotAtEdge { .. } => ErrorClass::InvalidRequest,
            Self::InUse { .. }
            | Self::ReadOnly { .. }
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

    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "store_unavailable",
            Self::OutcomeUnknown { .. } => "outcome_unknown",
            Self::PartlyApplied { .. } => "partly_applied",
            Self::LanesUnreachable { .. } => "lanes_unreachable",
            Self::DeadlinePassed { .. } => "deadline_passed",
            Self::InUse { .. } => "store_in_use",
            Self::Full { .. } => "store_full",
            Self::ReadOnly { .. } => "store_read_only",
            Self::NotAStore { .. } => "not_a_store",
            Self::NamespaceLost { .. } => "namespace_lost",
            Self::AddressUnconfirmed { .. } => "address_unconfirmed",
            Self::NewerFormat { .. } => "newer_format",
            Self::Corrupt { .. } => "record_damaged",
            Self::Sealed { .. } => "store_sealed",
            Self::Unverifiable { integrity, .. } => integrity.code(),
            Self::KeyRetired { .. } => "key_retired",
            Self::Misconfigured(_) => "store_misconfigured",
            Self::ClockSkew { .. } => "clock_skew",
            Self::TooLarge { .. } => "too_large",
            Self::Unsupported { .. } => "unsupported",
            Self::NotAtEdge { .. } => "not_at_edge",
            Self::Random(_) => "random_unavailable",
        }
    }

    /// Checks that a value has at most `max` bytes. The bytes that sealing adds do not count.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn check_size(what: &'static str, bytes: &[u8], max: usize) -> Result<(), Self> {
        // The caller checked the length before sealing, with the same maximum.
        if bytes.len() > max + envelope::max_overhead(bytes) {
            Err(Self::TooLarge { what, max })
        } else {
            Ok(())
        }
    }

    /// Checks that a write under `key` is accepted by a store that accepts keys from `floor` on.
    ///
    /// # Errors
    /// [`StoreError::KeyRetired`].
    pub fn check_key(key: KeyVersion, floor: KeyVersion) -> Result<(), Self> {
        if key < floor { Err(Self::KeyRetired { key, floor }) } else { Ok(()) }
    }

    /// Returns a [`StoreError::Unsupported`] for this capability.
    pub const fn unsupported(what: &'static str) -> Self {
        Self::Unsupported { what }
    }

    /// Creates a [`StoreError::Unavailable`] with this detail.
    pub fn unavailable(detail: impl std::fmt::Display) -> Self {
        Self::Unavailable { detail: detail.to_string() }
    }
}
