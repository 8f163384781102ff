//! The counts of one lane of the store in memory.

use std::collections::{BTreeMap, HashMap};

use crate::{BucketCounts, CountBucket, CountColumn, CountTotals, TimeBucket};
use keyfob_core::id::TokenId;
use keyfob_core::namespace::EpochField;
use keyfob_core::time::Timestamp;
use keyfob_core::token::Kind;

/// Counts by the time at which their bucket is over, so that finished buckets can be dropped.
#[derive(Debug, Default)]
pub(super) struct Counts(BTreeMap<(Timestamp, TimeBucket), OfSpan>);

type OfSpan = HashMap<(Kind, Option<EpochField>), BucketCounts>;

/// How a record is counted: its buckets and its client.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stands {
    pub(super) place: CountBucket,
    pub(super) client: Option<EpochField>,
}

impl Counts {
    /// Counts a new record, and drops buckets that are over.
    pub(super) fn store(&mut self, stands: Stands, id: TokenId, now: Timestamp) {
        while self.0.first_key_value().is_some_and(|((to, _), _)| *to <= now) {
            self.0.pop_first();
        }
        for span in stands.place.spans() {
            if let Some(tally) = self.tally(stands, span, now) {
                tally.add(CountColumn::Stored, 1);
                tally.sample = tally.sample.or(Some(id));
            }
        }
    }

    /// Counts a record as revoked.
    pub(super) fn end(&mut self, stands: Stands, was_exhausted: bool, now: Timestamp) {
        self.add(stands, CountColumn::Revoked, 1, now);
        if was_exhausted {
            self.add(stands, CountColumn::Exhausted, -1, now);
        }
    }

    /// Counts a record as exhausted.
    pub(super) fn exhaust(&mut self, stands: Stands, now: Timestamp) {
        self.add(stands, CountColumn::Exhausted, 1, now);
    }

    /// Moves a record to another bucket.
    pub(super) fn shift(
        &mut self,
        stands: &mut Stands,
        to: TimeBucket,
        id: TokenId,
        now: Timestamp,
    ) {
        let before = stands.place.end;
        if before == to {
            return;
        }
        if let Some(tally) = self.tally(*stands, before, now) {
            tally.add(CountColumn::Stored, -1);
        }
        stands.place.end = to;
        if let Some(tally) = self.tally(*stands, to, now) {
            tally.add(CountColumn::Stored, 1);
            tally.sample = tally.sample.or(Some(id));
        }
    }

    /// Counts all records of a client as revoked; with `None`, all records.
    pub(super) fn end_all(&mut self, client: Option<EpochField>) {
        let tallies = self.0.values_mut().flat_map(HashMap::values_mut);
        let ended = tallies.filter(|tally| client.is_none() || tally.client == client);
        ended.for_each(BucketCounts::end);
    }

    /// Adds the counts to those of other lanes.
    pub(super) fn gather(&self, tallies: &mut CountTotals) {
        self.0.values().flat_map(HashMap::values).for_each(|tally| tallies.add(*tally));
    }

    fn add(&mut self, stands: Stands, column: CountColumn, count: i64, now: Timestamp) {
        for span in stands.place.spans() {
            if let Some(tally) = self.tally(stands, span, now) {
                tally.add(column, count);
            }
        }
    }

    /// Returns the counts of a bucket, unless the bucket is over.
    fn tally(
        &mut self,
        stands: Stands,
        span: TimeBucket,
        now: Timestamp,
    ) -> Option<&mut BucketCounts> {
        let Stands { place: CountBucket { kind, .. }, client } = stands;
        if span.to() <= now {
            return None;
        }
        let of_span = self.0.entry((span.to(), span)).or_default();
        Some(of_span.entry((kind, client)).or_insert(BucketCounts::new(span, kind, client)))
    }
}
