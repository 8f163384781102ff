//! The heads of records: what a store knows of a record without its body.

use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;

use super::{CountBucket, Listed, Loaded, Position, RecordPage, RecordVersion};

/// The head of a record: enough to count it by its state. Its body was neither sent nor opened.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RecordHead {
    /// The id of the record's token.
    pub id: TokenId,
    /// The version of the record. A record of version 1 has the terms that it was inserted with.
    pub version: RecordVersion,
    /// When the store may forget the record.
    pub keep_until: Timestamp,
    /// Whether the record must be refused: it is revoked, or its epochs were lost.
    pub is_refused: bool,
    /// How many uses are left, if they are limited.
    pub uses_left: Option<u32>,
    /// Where the record is counted. `None` if it is refused, if it is not counted, or if the store does
    /// not say.
    pub counted_in: Option<CountBucket>,
}

impl RecordHead {
    /// Returns the head of a record that was loaded. It does not say where the record is counted.
    pub fn of(loaded: &Loaded) -> Self {
        Self {
            id: loaded.id,
            version: loaded.version,
            keep_until: loaded.keep_until,
            is_refused: !loaded.is_clear(),
            uses_left: loaded.uses_left,
            counted_in: None,
        }
    }

    /// Returns the head with the bucket that its record is counted in.
    #[must_use]
    pub fn counted_in(self, bucket: Option<CountBucket>) -> Self {
        Self { counted_in: bucket.filter(|_| !self.is_refused), ..self }
    }
}

impl Listed for RecordHead {
    fn position(&self) -> Position {
        Position::at(self.keep_until, self.id)
    }
}

impl RecordPage<Loaded> {
    /// Returns the same page with the heads of its records.
    pub fn heads(&self) -> RecordPage<RecordHead> {
        let records = self.records.iter().map(RecordHead::of).collect();
        RecordPage { records, next: self.next, missing: self.missing.clone() }
    }
}
