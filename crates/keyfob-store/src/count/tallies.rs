//! What is counted, as a store gives it.

use std::collections::HashMap;

use super::{CountColumn, TimeBucket};
use keyfob_core::id::TokenId;
use keyfob_core::namespace::EpochField;
use keyfob_core::token::Kind;

/// The numbers of a span, for one kind and one client, over all lanes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct BucketCounts {
    /// The span.
    pub span: TimeBucket,
    /// The kind of the tokens.
    pub kind: Kind,
    /// Their client, by its epoch.
    pub client: Option<EpochField>,
    /// How many were stored.
    pub stored: u64,
    /// How many of them are revoked.
    pub revoked: u64,
    /// How many of them have spent their uses, and are not revoked.
    pub exhausted: u64,
    /// One of the client's tokens, by which it can be named; it may be gone.
    pub sample: Option<TokenId>,
}

/// Tallies that are gathered, lane by lane.
#[derive(Clone, Debug, Default)]
pub struct CountTotals(HashMap<(TimeBucket, Kind, Option<EpochField>), BucketCounts>);

impl BucketCounts {
    /// How many of the tokens that the epoch of a subject or an ancestor ends are counted out at
    /// least, where they are listed.
    pub const COUNTED_OUT: usize = 500;

    /// One that has counted nothing.
    pub const fn new(span: TimeBucket, kind: Kind, client: Option<EpochField>) -> Self {
        Self { span, kind, client, stored: 0, revoked: 0, exhausted: 0, sample: None }
    }

    /// How many are neither revoked nor exhausted.
    pub const fn live(&self) -> u64 {
        self.stored.saturating_sub(self.revoked).saturating_sub(self.exhausted)
    }

    /// Adds to one of the numbers. What a store has lost cannot bring it below nothing.
    pub const fn add(&mut self, column: CountColumn, count: i64) {
        let number = match column {
            CountColumn::Stored => &mut self.stored,
            CountColumn::Revoked => &mut self.revoked,
            CountColumn::Exhausted => &mut self.exhausted,
        };
        *number = number.saturating_add_signed(count);
    }

    /// An epoch ends all that are stored.
    pub const fn end(&mut self) {
        self.revoked = self.stored;
        self.exhausted = 0;
    }
}

impl CountTotals {
    /// Adds what was counted in one lane.
    pub fn add(&mut self, of_lane: BucketCounts) {
        let BucketCounts { span, kind, client, .. } = of_lane;
        let known = self.0.entry((span, kind, client));
        let sum = known.or_insert(BucketCounts::new(span, kind, client));
        sum.stored += of_lane.stored;
        sum.revoked += of_lane.revoked;
        sum.exhausted += of_lane.exhausted;
        sum.sample = of_lane.sample.max(sum.sample);
    }

    /// All of them, in no order.
    pub fn into_all(self) -> Vec<BucketCounts> {
        self.0.into_values().collect()
    }
}
