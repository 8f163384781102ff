//! Keeps the counts in step with the records. A batch changes the same few rows many times, so they
//! are written once, at its end.

use std::collections::BTreeMap;

use keyfob_store::{BucketCounts, CountBucket, CountColumn, Order, TimeBucket, Verdict};
use keyfob_store::{EpochField, Lane, Term, Timestamp, TokenId};
use redb::ReadableTable;

use super::Batch;
use crate::error::TxError;
use crate::row::{self, Record};
use crate::tables::{self, ByteTableMut};

/// The maximum number of expired rows that a batch drops, in addition to the number that it wrote.
const MAX_DROPPED_PER_BATCH: usize = 16;

/// The table of counts, with the rows that wait to be written.
pub(super) struct Counts<'txn> {
    table: ByteTableMut<'txn>,
    changed: BTreeMap<Vec<u8>, BucketCounts>,
}

/// The properties of a record that say where it is counted.
struct CountedRecord {
    id: TokenId,
    lane: Lane,
    counted_in: CountBucket,
    client: Option<EpochField>,
}

impl<'txn> Counts<'txn> {
    pub(super) fn of(table: ByteTableMut<'txn>) -> Self {
        Self { table, changed: BTreeMap::new() }
    }

    /// Writes the changed rows and drops rows of buckets that have ended.
    pub(super) fn write(mut self, now: Timestamp) -> Result<(), TxError> {
        let max_dropped = MAX_DROPPED_PER_BATCH + self.changed.len();
        for (key, counts) in &self.changed {
            self.table.insert(key.as_slice(), row::write_counts(counts).as_slice())?;
        }
        for _ in 0..max_dropped {
            let first = self.table.first()?.map(|(key, _)| key.value().to_vec());
            let is_over = |key: &Vec<u8>| tables::leading_time(key).is_none_or(|to| to <= now);
            let Some(key) = first.filter(is_over) else { break };
            self.table.remove(key.as_slice())?;
        }
        Ok(())
    }

    fn add(
        &mut self,
        counted: &CountedRecord,
        bucket: TimeBucket,
        column: CountColumn,
        count: i64,
    ) -> Result<(), TxError> {
        let CountedRecord { id, lane, counted_in: CountBucket { kind, .. }, client } = *counted;
        let key = tables::count_key(lane, bucket, kind, client);
        let counts = match self.changed.get_mut(&key) {
            Some(counts) => counts,
            None => {
                let mut counts = BucketCounts::new(bucket, kind, client);
                if let Some(row) = self.table.get(key.as_slice())? {
                    // A damaged count starts again from zero. No command fails because of it.
                    let _damaged = row::read_counts(row.value(), &mut counts);
                }
                self.changed.entry(key).or_insert(counts)
            }
        };
        counts.add(column, count);
        if column == CountColumn::Stored && count > 0 {
            counts.sample = counts.sample.or(Some(id));
        }
        Ok(())
    }

    /// Counts all records of a client in a lane as revoked, or with `None` all records of the lane.
    fn count_all_revoked(&mut self, lane: Lane, client: Option<EpochField>) -> Result<(), TxError> {
        for row in self.table.iter()? {
            let (key, row) = row?;
            let Some((row_lane, mut counts)) = tables::parse_count_key(key.value()) else {
                continue;
            };
            if row_lane == lane && !self.changed.contains_key(key.value()) {
                let _damaged = row::read_counts(row.value(), &mut counts);
                self.changed.insert(key.value().to_vec(), counts);
            }
        }
        for (key, counts) in &mut self.changed {
            let is_of_lane =
                tables::parse_count_key(key).is_some_and(|(row_lane, _)| row_lane == lane);
            if is_of_lane && (client.is_none() || counts.client == client) {
                counts.end();
            }
        }
        Ok(())
    }
}

impl Batch<'_> {
    /// Returns the record of a token if it is kept now and is not damaged.
    pub(super) fn record_if_readable(
        &self,
        id: TokenId,
    ) -> Result<Option<(Record<'static>, Verdict)>, TxError> {
        match self.record(id) {
            // A damaged record must not fail a command on other records.
            Err(TxError::Refused(_)) => Ok(None),
            read => read,
        }
    }

    fn counted(&self, record: &Record<'_>) -> Option<CountedRecord> {
        let lane = self.reader().own(record.id.lane());
        Some(CountedRecord {
            id: record.id,
            lane,
            counted_in: record.counted_in?,
            client: record.epochs.client,
        })
    }

    fn count(
        &mut self,
        counted: &CountedRecord,
        column: CountColumn,
        count: i64,
    ) -> Result<(), TxError> {
        for bucket in counted.counted_in.spans().filter(|bucket| self.now < bucket.to()) {
            self.counts.add(counted, bucket, column, count)?;
        }
        Ok(())
    }

    /// Counts a record as stored.
    pub(super) fn count_stored(&mut self, record: &Record<'_>) -> Result<(), TxError> {
        let Some(counted) = self.counted(record) else { return Ok(()) };
        self.count(&counted, CountColumn::Stored, 1)?;
        if record.uses_left == Some(0) {
            self.count(&counted, CountColumn::Exhausted, 1)
        } else {
            Ok(())
        }
    }

    /// Counts a record as exhausted.
    pub(super) fn count_exhausted(&mut self, record: &Record<'_>) -> Result<(), TxError> {
        let Some(counted) = self.counted(record) else { return Ok(()) };
        self.count(&counted, CountColumn::Exhausted, 1)
    }

    /// Counts a record as revoked. It must not have been revoked before.
    pub(super) fn count_revoked(&mut self, record: &Record<'_>) -> Result<(), TxError> {
        let Some(counted) = self.counted(record) else { return Ok(()) };
        self.count(&counted, CountColumn::Revoked, 1)?;
        if record.uses_left == Some(0) {
            self.count(&counted, CountColumn::Exhausted, -1)
        } else {
            Ok(())
        }
    }

    /// Moves the count of an active record to the bucket of its new end. Returns whether the bucket
    /// changed. An exhausted record keeps its bucket.
    pub(super) fn count_moved_end(
        &mut self,
        record: &mut Record<'_>,
        ends_at: Timestamp,
    ) -> Result<bool, TxError> {
        let Some(mut counted) = self.counted(record) else { return Ok(false) };
        let to = TimeBucket::of_end(ends_at, self.now);
        let before = std::mem::replace(&mut counted.counted_in.end, to);
        if before == to || record.uses_left == Some(0) {
            return Ok(false);
        }
        for (bucket, count) in [(before, -1), (to, 1)] {
            if self.now < bucket.to() {
                self.counts.add(&counted, bucket, CountColumn::Stored, count)?;
            }
        }
        record.counted_in = Some(counted.counted_in);
        Ok(true)
    }

    /// Counts all records of a client in a lane as revoked, or with `None` all records of the lane.
    pub(super) fn count_all_revoked(
        &mut self,
        lane: Lane,
        client: Option<EpochField>,
    ) -> Result<(), TxError> {
        let lane = self.reader().own(lane);
        self.counts.count_all_revoked(lane, client)
    }

    /// Counts the records under `listed` as revoked that the next epoch of `field` revokes, newest
    /// first, except the record `except`. Records that were revoked before are already counted.
    pub(super) fn count_revoked_by_epoch(
        &mut self,
        listed: &[Term],
        field: EpochField,
        except: Option<TokenId>,
    ) -> Result<(), TxError> {
        // Rows that this batch added are not in the table yet.
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
                ids.extend(tables::id_of(row?.0.value()).filter(|id| Some(*id) != except));
            }
        }
        ids.sort_unstable();
        ids.dedup();
        for id in ids {
            let Some((record, verdict)) = self.record_if_readable(id)? else { continue };
            let mut fields = record.epochs.fields();
            if verdict.is_clear() && fields.any(|(_, own)| own == Some(field)) {
                self.count_revoked(&record)?;
            }
        }
        Ok(())
    }
}
