//! What is counted, as a list of all that ever was: one line for each record, and nothing is
//! summed up before it is asked for.

use keyfob::store::{BucketCounts, CountBucket, CountColumn, CountTotals, NewRecord, TimeBucket};
use keyfob::{EpochField, Timestamp};

#[derive(Clone, Debug, Default)]
pub(super) struct Ledger(Vec<Line>);

#[derive(Clone, Copy, Debug)]
struct Line {
    place: CountBucket,
    client: Option<EpochField>,
    is_out: bool,
    is_exhausted: bool,
}

impl Ledger {
    /// A line for a record that is stored; `None` if it is not counted.
    pub(super) fn open(&mut self, new: &NewRecord, now: Timestamp) -> Option<usize> {
        let place = new.counted?.place(now);
        let is_exhausted = new.uses_left == Some(0);
        self.0.push(Line { place, client: new.epochs.client, is_out: false, is_exhausted });
        Some(self.0.len() - 1)
    }

    /// The record ends.
    pub(super) fn end(&mut self, line: Option<usize>) {
        if let Some(line) = line {
            self.0[line].is_out = true;
        }
    }

    /// All of a client end, or with `None` all there are.
    pub(super) fn end_all(&mut self, client: Option<EpochField>) {
        let lines = self.0.iter_mut();
        lines
            .filter(|line| client.is_none() || line.client == client)
            .for_each(|line| line.is_out = true);
    }

    /// How many uses the record has left.
    pub(super) fn note_uses(&mut self, line: Option<usize>, left: Option<u32>) {
        if let Some(line) = line {
            self.0[line].is_exhausted = left == Some(0);
        }
    }

    /// The record ends in another span.
    pub(super) fn shift(&mut self, line: Option<usize>, to: TimeBucket) {
        if let Some(line) = line.filter(|line| !self.0[*line].is_exhausted) {
            self.0[line].place.end = to;
        }
    }

    pub(super) fn tallies(&self, now: Timestamp) -> Vec<BucketCounts> {
        let mut sums = CountTotals::default();
        for line in &self.0 {
            for span in line.place.spans().filter(|span| now < span.to()) {
                let mut tally = BucketCounts::new(span, line.place.kind, line.client);
                tally.add(CountColumn::Stored, 1);
                tally.add(CountColumn::Revoked, line.is_out.into());
                tally.add(CountColumn::Exhausted, (line.is_exhausted && !line.is_out).into());
                sums.add(tally);
            }
        }
        sums.into_all()
    }
}
