//! Records as a store returns them.

use keyfob_core::KeyVersion;
use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;

use super::{Epochs, MonotonicInstant, Stamp, Verdict};

/// One record, from one consistent read.
#[derive(Clone)]
pub struct Loaded {
    /// The id of the record's token.
    pub id: TokenId,
    /// The encoded body.
    pub body: Vec<u8>,
    /// The key that the body is sealed under.
    pub key: KeyVersion,
    /// The version of the record. Each replacement counts it up.
    pub version: RecordVersion,
    /// The stamp that the record was stored with.
    pub stamp: Stamp,
    /// When the store may forget the record.
    pub keep_until: Timestamp,
    /// How many uses are left, if they are limited.
    pub uses_left: Option<u32>,
    /// When the token was last touched, if it was.
    pub last_used: Option<Timestamp>,
    /// The fields whose epochs can revoke the record.
    pub epochs: Epochs,
    /// When the request was sent. The record was read at this instant or later.
    pub sent: MonotonicInstant,
    /// What the tombstone and the epochs say about the record.
    pub verdict: Verdict,
    /// When the latest of the record's epochs was advanced, by the clock of the node that decided it.
    /// `None` if there is no epoch, or if the store does not know.
    ///
    /// A sealing wrapper refuses a record that was sealed long before one of its epochs was advanced,
    /// and still has a stamp that is not below the epoch.
    pub last_advance: Option<Timestamp>,
}

/// The fields of a record that a store keeps in plaintext, and that stay the same when the body is
/// replaced. A sealing wrapper binds them to the body.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClearFields {
    /// The stamp that the record was stored with.
    pub stamp: Stamp,
    /// When the store may forget the record.
    pub keep_until: Timestamp,
    /// How many uses were left when the record was read, if they are limited.
    pub uses_left: Option<u32>,
    /// The fields whose epochs can revoke the record.
    pub epochs: Epochs,
}

/// The version of a record.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct RecordVersion(pub u32);

/// Everything but when the record was requested, so that two reads of one record look the same.
impl std::fmt::Debug for Loaded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Loaded")
            .field("id", &self.id)
            .field("body", &self.body)
            .field("version", &self.version)
            .field("stamp", &self.stamp)
            .field("keep_until", &self.keep_until)
            .field("uses_left", &self.uses_left)
            .field("last_used", &self.last_used)
            .field("epochs", &self.epochs)
            .field("verdict", &self.verdict)
            .finish_non_exhaustive()
    }
}

impl Loaded {
    /// Returns the fields in plaintext that a replacement of the body leaves as they are.
    pub fn clear_fields(&self) -> ClearFields {
        let Self { stamp, keep_until, uses_left, .. } = *self;
        ClearFields { stamp, keep_until, uses_left, epochs: self.epochs.clone() }
    }

    /// Returns whether a write that rests on this read may go ahead.
    pub fn is_clear(&self) -> bool {
        self.verdict.is_clear()
    }
}
