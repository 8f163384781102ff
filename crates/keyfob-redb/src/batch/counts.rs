//! Keeps the counts in step with the records.

use keyfob_store::{
    BucketCounts, CountColumn, EpochField, Lane, Order, Term, TimeBucket, Timestamp, TokenId,
    Verdict,
};

use redb::ReadableTable;

use super::count_table::CountedRecord;
use super::transaction::Batch;
use crate::error::TxError;
use crate::row::Record;
use crate::tables;

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
                .take(BucketCounts::MIN_COUNTED_REVOKED);
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
