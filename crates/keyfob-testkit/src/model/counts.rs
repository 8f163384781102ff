//! The counted records as a list: one element for each record that was ever stored. Counts are
//! summed when they are read.

use keyfob::Timestamp;
use keyfob::store::{
    BucketCounts, CountBucket, CountColumn, CountTotals, EpochField, NewRecord, TimeBucket,
};

#[derive(Clone, Debug, Default)]
pub(super) struct CountList(Vec<CountedRecord>);

#[derive(Clone, Copy, Debug)]
struct CountedRecord {
    place: CountBucket,
    client: Option<EpochField>,
    is_revoked: bool,
    is_exhausted: bool,
}

impl CountList {
    /// Returns the line of a stored record; `None` if it is not counted.
    pub(super) fn add(&mut self, new: &NewRecord, now: Timestamp) -> Option<usize> {
        let place = new.counted?.place(now);
        let is_exhausted = new.uses_left == Some(0);
        self.0.push(CountedRecord {
            place,
            client: new.epochs.client,
            is_revoked: false,
            is_exhausted,
        });
        Some(self.0.len() - 1)
    }

    /// Counts the record as revoked.
    pub(super) fn revoke(&mut self, line: Option<usize>) {
        if let Some(line) = line {
            self.0[line].is_revoked = true;
        }
    }

    /// Counts all records of a client as revoked, or all records if it is `None`.
    pub(super) fn revoke_all(&mut self, client: Option<EpochField>) {
        let lines = self.0.iter_mut();
        lines
            .filter(|line| client.is_none() || line.client == client)
            .for_each(|line| line.is_revoked = true);
    }

    /// Sets the remaining uses of the record.
    pub(super) fn note_uses(&mut self, line: Option<usize>, left: Option<u32>) {
        if let Some(line) = line {
            self.0[line].is_exhausted = left == Some(0);
        }
    }

    /// Moves the record to another time bucket.
    pub(super) fn move_end(&mut self, line: Option<usize>, to: TimeBucket) {
        if let Some(line) = line.filter(|line| !self.0[*line].is_exhausted) {
            self.0[line].place.end = to;
        }
    }

    pub(super) fn tallies(&self, now: Timestamp) -> Vec<BucketCounts> {
        let mut sums = CountTotals::default();
        for line in &self.0 {
            for span in line.place.spans().filter(|span| now < span.to()) {
                let mut counts_row = BucketCounts::new(span, line.place.kind, line.client);
                counts_row.add(CountColumn::Stored, 1);
                counts_row.add(CountColumn::Revoked, line.is_revoked.into());
                counts_row
                    .add(CountColumn::Exhausted, (line.is_exhausted && !line.is_revoked).into());
                sums.add(counts_row);
            }
        }
        sums.into_all()
    }
}
