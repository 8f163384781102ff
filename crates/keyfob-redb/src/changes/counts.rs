//! Keeping the counts in step with the records. A batch changes the same few rows again and again,
//! so they wait for its end, to be written once.

use std::collections::BTreeMap;

use keyfob_store::{
    BucketCounts, CountBucket, CountColumn, EpochField, Lane, Order, Term, TimeBucket, Timestamp,
    TokenId, Verdict,
};
use redb::ReadableTable;

use super::Changes;
use crate::fault::Fault;
use crate::row::{self, Record};
use crate::tables::{self, Rows};

/// How many rows past their time a batch drops at most, besides as many as it has written.
const DROPPED_PER_BATCH: usize = 16;

/// The table of counts.
pub(super) struct Counts<'txn> {
    table: Rows<'txn>,
    changed: BTreeMap<Vec<u8>, BucketCounts>,
}

/// One record that is counted.
struct Stands {
    id: TokenId,
    lane: Lane,
    place: CountBucket,
    client: Option<EpochField>,
}

impl<'txn> Counts<'txn> {
    pub(super) fn of(table: Rows<'txn>) -> Self {
        Self { table, changed: BTreeMap::new() }
    }

    /// Writes what waits, and drops rows of spans that are over.
    pub(super) fn write(mut self, now: Timestamp) -> Result<(), Fault> {
        let most = DROPPED_PER_BATCH + self.changed.len();
        for (key, tally) in &self.changed {
            self.table.insert(key.as_slice(), row::write_tally(tally).as_slice())?;
        }
        for _ in 0..most {
            let first = self.table.first()?.map(|(key, _)| key.value().to_vec());
            let is_over = |key: &Vec<u8>| tables::moment_at(key).is_none_or(|to| to <= now);
            let Some(key) = first.filter(is_over) else { break };
            self.table.remove(key.as_slice())?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        stands: &Stands,
        span: TimeBucket,
        column: CountColumn,
        count: i64,
    ) -> Result<(), Fault> {
        let Stands { id, lane, place: CountBucket { kind, .. }, client } = *stands;
        let key = tables::count_key(lane, span, kind, client);
        let tally = match self.changed.get_mut(&key) {
            Some(tally) => tally,
            None => {
                let mut tally = BucketCounts::new(span, kind, client);
                if let Some(row) = self.table.get(key.as_slice())? {
                    // A count that cannot be read begins anew: nobody is refused for it.
                    let _damaged = row::read_tally(row.value(), &mut tally);
                }
                self.changed.entry(key).or_insert(tally)
            }
        };
        tally.add(column, count);
        if column == CountColumn::Stored && count > 0 {
            tally.sample = tally.sample.or(Some(id));
        }
        Ok(())
    }

    /// Counts out all of a client in a lane, or with `None` all there are.
    fn end_all(&mut self, lane: Lane, client: Option<EpochField>) -> Result<(), Fault> {
        for row in self.table.iter()? {
            let (key, row) = row?;
            let Some((of, mut tally)) = tables::counted_at(key.value()) else { continue };
            if of == lane && !self.changed.contains_key(key.value()) {
                let _damaged = row::read_tally(row.value(), &mut tally);
                self.changed.insert(key.value().to_vec(), tally);
            }
        }
        for (key, tally) in &mut self.changed {
            let is_of_lane = tables::counted_at(key).is_some_and(|(of, _)| of == lane);
            if is_of_lane && (client.is_none() || tally.client == client) {
                tally.end();
            }
        }
        Ok(())
    }
}

impl Changes<'_> {
    /// The record of a token, if it is kept now and can be read.
    pub(super) fn readable(
        &self,
        id: TokenId,
    ) -> Result<Option<(Record<'static>, Verdict)>, Fault> {
        match self.record(id) {
            // Nobody else is refused for it.
            Err(Fault::Refused(_)) => Ok(None),
            read => read,
        }
    }

    fn stands(&self, record: &Record<'_>) -> Option<Stands> {
        let lane = self.view().own(record.id.lane());
        Some(Stands { id: record.id, lane, place: record.place?, client: record.epochs.client })
    }

    fn count(&mut self, stands: &Stands, column: CountColumn, count: i64) -> Result<(), Fault> {
        for span in stands.place.spans().filter(|span| self.now < span.to()) {
            self.counts.add(stands, span, column, count)?;
        }
        Ok(())
    }

    /// Counts a record that is stored.
    pub(super) fn count_in(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Some(stands) = self.stands(record) else { return Ok(()) };
        self.count(&stands, CountColumn::Stored, 1)?;
        if record.uses_left == Some(0) {
            self.count(&stands, CountColumn::Exhausted, 1)
        } else {
            Ok(())
        }
    }

    /// Counts a record among the exhausted.
    pub(super) fn exhaust(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Some(stands) = self.stands(record) else { return Ok(()) };
        self.count(&stands, CountColumn::Exhausted, 1)
    }

    /// Counts a record out that is ending, and has not ended before.
    pub(super) fn end(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let Some(stands) = self.stands(record) else { return Ok(()) };
        self.count(&stands, CountColumn::Revoked, 1)?;
        if record.uses_left == Some(0) {
            self.count(&stands, CountColumn::Exhausted, -1)
        } else {
            Ok(())
        }
    }

    /// Counts a record that is clear where its end lies now; whether that is another place. One whose
    /// uses are spent stays where it is.
    pub(super) fn shift(
        &mut self,
        record: &mut Record<'_>,
        ends_at: Timestamp,
    ) -> Result<bool, Fault> {
        let Some(mut stands) = self.stands(record) else { return Ok(false) };
        let to = TimeBucket::of_end(ends_at, self.now);
        let before = std::mem::replace(&mut stands.place.end, to);
        if before == to || record.uses_left == Some(0) {
            return Ok(false);
        }
        for (span, count) in [(before, -1), (to, 1)] {
            if self.now < span.to() {
                self.counts.add(&stands, span, CountColumn::Stored, count)?;
            }
        }
        record.place = Some(stands.place);
        Ok(true)
    }

    /// Counts out all of a client in a lane, or with `None` all there are.
    pub(super) fn end_all(&mut self, lane: Lane, client: Option<EpochField>) -> Result<(), Fault> {
        let lane = self.view().own(lane);
        self.counts.end_all(lane, client)
    }

    /// Counts out what is listed and will end by the epoch of `field`, the newest first, but for
    /// `other`. What ended before was counted out before.
    pub(super) fn count_out(
        &mut self,
        listed: &[Term],
        field: EpochField,
        other: Option<TokenId>,
    ) -> Result<(), Fault> {
        // What this batch has listed is not in the table yet.
        std::mem::take(&mut self.index_rows).write(&mut self.index)?;
        let mut ids = Vec::new();
        for term in listed {
            let [from, to] = tables::index_bounds(&tables::term_key(*term), Order::NewestFirst);
            let rows = self
                .index
                .range::<&tables::IndexKey>(&from..&to)?
                .rev()
                .take(BucketCounts::COUNTED_OUT);
            for row in rows {
                ids.extend(tables::id_of(row?.0.value()).filter(|id| Some(*id) != other));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let Some((record, verdict)) = self.readable(id)? else { continue };
            let mut fields = record.epochs.fields();
            if verdict.is_clear() && fields.any(|(_, known)| known == Some(field)) {
                self.end(&record)?;
            }
        }
        Ok(())
    }
}
