//! The counts as a store returns them.

use std::collections::HashMap;

use super::{CountColumn, TimeBucket};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::namespace::EpochField;
use keyfob_core::token::Kind;

/// The numbers of one time bucket, for one kind and one client, over all lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketCounts {
    /// The time bucket.
    pub span: TimeBucket,
    /// The kind of the tokens.
    pub kind: Kind,
    /// Their client, by the field of its epoch.
    pub client: Option<EpochField>,
    /// How many were stored.
    pub stored: u64,
    /// How many of them are revoked.
    pub revoked: u64,
    /// How many of them are exhausted and not revoked.
    pub exhausted: u64,
    /// One of the client's tokens, from which the name of the client can be read. It may be gone.
    pub sample: Option<TokenId>,
}

/// The counts of all lanes that could be reached.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Tallies {
    /// The counts, in no order.
    pub counts: Vec<BucketCounts>,
    /// The lanes that could not be reached. What they count is missing.
    pub missing: Vec<Lane>,
}

/// Sums up counts, lane by lane.
#[derive(Clone, Debug, Default)]
pub struct CountTotals(HashMap<(TimeBucket, Kind, Option<EpochField>), BucketCounts>);

impl BucketCounts {
    /// When the epoch of a subject or an ancestor ends tokens, at least this many of the listed ones are
    /// counted as revoked.
    pub const MIN_COUNTED_REVOKED: usize = 500;

    /// Creates it with all numbers zero.
    pub const fn new(span: TimeBucket, kind: Kind, client: Option<EpochField>) -> Self {
        Self { span, kind, client, stored: 0, revoked: 0, exhausted: 0, sample: None }
    }

    /// Returns how many are neither revoked nor exhausted.
    pub const fn live(&self) -> u64 {
        self.stored.saturating_sub(self.revoked).saturating_sub(self.exhausted)
    }

    /// Adds to one of the numbers. The number never falls below zero, even if a store has lost counts.
    pub const fn add(&mut self, column: CountColumn, count: i64) {
        let number = match column {
            CountColumn::Stored => &mut self.stored,
            CountColumn::Revoked => &mut self.revoked,
            CountColumn::Exhausted => &mut self.exhausted,
        };
        *number = number.saturating_add_signed(count);
    }

    /// Counts all stored tokens as revoked, as an epoch does.
    pub const fn end(&mut self) {
        self.revoked = self.stored;
        self.exhausted = 0;
    }
}

impl From<Vec<BucketCounts>> for Tallies {
    fn from(counts: Vec<BucketCounts>) -> Self {
        Self { counts, missing: Vec::new() }
    }
}

impl CountTotals {
    /// Adds the counts of one lane.
    pub fn add(&mut self, of_lane: BucketCounts) {
        let BucketCounts { span, kind, client, .. } = of_lane;
        let sum =
            self.0.entry((span, kind, client)).or_insert(BucketCounts::new(span, kind, client));
        sum.stored += of_lane.stored;
        sum.revoked += of_lane.revoked;
        sum.exhausted += of_lane.exhausted;
        sum.sample = of_lane.sample.max(sum.sample);
    }

    /// Returns all sums, in no order.
    pub fn into_all(self) -> Vec<BucketCounts> {
        self.0.into_values().collect()
    }
}
