//! The changes of rows. Each change keeps the tables consistent with each other.

use keyfob_store::{
    Epoch, EpochField, Lane, NewRecord, Order, Stamp, StampRule, Term, Timestamp, TokenId,
};
use keyfob_store::{Inserted, StoreError};
use redb::ReadableTable;

use super::transaction::Batch;
use crate::error::TxError;
use crate::row::{EpochRow, LaneRow, Record};
use crate::tables;

/// The maximum number of expired rows that a write drops from a table. It is more than a write adds,
/// so that expired rows never accumulate.
const MAX_DROPPED_PER_WRITE: usize = 16;

impl Batch<'_> {
    /// Returns `None` if the new records may be stored, and otherwise the refusal.
    pub(super) fn refusal(&self, records: &[NewRecord]) -> Result<Option<Inserted>, TxError> {
        let reader = self.reader();
        for new in records {
            NewRecord::check_body(&new.body)?;
            StoreError::check_key(new.key, self.min_key_version)?;
            if let Some(row) = self.records.get(tables::record_key(new.id).as_slice())? {
                let taken = Record::read(row.value()).map_err(|damaged| damaged.of(new.id))?;
                if self.now < taken.keep_until {
                    return Ok(Some(Inserted::IdTaken));
                }
            }
            let lane = reader.own(new.id.lane());
            let row = reader.lane_to_write(lane)?;
            let stamp = resolve_stamp(new.stamp, &row);
            if !reader.verdict(lane, Some(row), stamp, None, &new.epochs)?.is_clear() {
                return Ok(Some(Inserted::Superseded));
            }
        }
        Ok(None)
    }

    /// Stores records that were checked before. Returns the stamp of the first one.
    pub(super) fn store_all(&mut self, records: Vec<NewRecord>) -> Result<Option<Stamp>, TxError> {
        let mut first = None;
        for new in records {
            let lane = self.reader().own(new.id.lane());
            let mut row = self.reader().lane_to_write(lane)?;
            let stamp = resolve_stamp(new.stamp, &row);
            first = first.or(Some(stamp));
            // A record that has already expired is not stored.
            if new.keep_until <= self.now {
                if let Some(old) = self.drop_record(new.id)? {
                    self.remove_expiry(&old);
                }
                continue;
            }
            if row.raise_kept_until(new.keep_until) {
                self.lanes.insert(tables::lane_key(lane).as_slice(), row.write().as_slice())?;
            }
            let record = Record::new(new, stamp, self.now);
            self.count_stored(&record)?;
            let key = tables::record_key(record.id);
            let old = self.records.insert(key.as_slice(), record.write().as_slice())?;
            // An expired record with the same id may still be there.
            if let Some(old) = old.map(|row| Record::read(row.value()).map(Record::into_owned)) {
                self.last_used.remove(key.as_slice())?;
                if let Ok(old) = old {
                    self.unlist(&old);
                    self.remove_expiry(&old);
                }
            }
            for term in record.terms.iter() {
                self.list(term, record.id, record.keep_until);
            }
            self.forget_rows.insert(tables::forget_key(record.keep_until, record.id));
        }
        Ok(first)
    }

    pub(super) fn list(&mut self, term: &tables::TermKey, id: TokenId, keep_until: Timestamp) {
        let position = tables::index_position(keep_until, id);
        for order in [Order::NewestFirst, Order::NextToExpire] {
            self.index_rows.insert(tables::index_key(term, order, &position));
        }
    }

    /// Lists a record under additional terms.
    pub(super) fn list_under(&mut self, record: &mut Record<'_>, added: Vec<Term>) {
        for term in added {
            let term = tables::term_key(term);
            if record.terms.add(&term) {
                self.list(&term, record.id, record.keep_until);
            }
        }
    }

    pub(super) fn unlist_term(
        &mut self,
        term: &tables::TermKey,
        id: TokenId,
        keep_until: Timestamp,
    ) {
        let position = tables::index_position(keep_until, id);
        for order in [Order::NewestFirst, Order::NextToExpire] {
            self.index_rows.remove(tables::index_key(term, order, &position));
        }
    }

    fn unlist(&mut self, record: &Record<'_>) {
        for term in record.terms.iter() {
            self.unlist_term(term, record.id, record.keep_until);
        }
    }

    fn remove_expiry(&mut self, record: &Record<'_>) {
        self.forget_rows.remove(tables::forget_key(record.keep_until, record.id));
    }

    pub(super) fn write_record(&mut self, record: &Record<'_>) -> Result<(), TxError> {
        let key = tables::record_key(record.id);
        self.records.insert(key.as_slice(), record.write().as_slice())?;
        Ok(())
    }

    pub(super) fn append_events(
        &mut self,
        lane: Lane,
        events: Vec<Vec<u8>>,
    ) -> Result<(), TxError> {
        self.events.append(&mut self.trimmed, lane, events, self.now)
    }

    pub(super) fn advance_lane(
        &mut self,
        lane: Lane,
        field: Option<EpochField>,
        at: Timestamp,
        note: &[u8],
        covers_until: Timestamp,
    ) -> Result<(), TxError> {
        let lane = self.reader().own(lane);
        let mut row = self.reader().lane_to_write(lane)?;
        row.sequence = row.sequence.next();
        self.lanes.insert(tables::lane_key(lane).as_slice(), row.write().as_slice())?;
        let key = tables::epoch_key(lane, field);
        let epoch = Epoch { stamp: row.sequence, at, note: note.to_vec() };
        let epoch = EpochRow { epoch, covers_until };
        let before = self.lanes.insert(key.as_slice(), epoch.write().as_slice())?;
        if let Some(before) = before.and_then(|row| EpochRow::read(row.value()).ok()) {
            let end = tables::epoch_end_key(before.covers_until, &key);
            self.epoch_ends.remove(end.as_slice())?;
        }
        let end = tables::epoch_end_key(covers_until, &key);
        self.epoch_ends.insert(end.as_slice(), [].as_slice())?;
        Ok(())
    }

    /// Drops expired rows, at most [`MAX_DROPPED_PER_WRITE`] of each table.
    pub(super) fn drop_expired(&mut self) -> Result<(), TxError> {
        let now = self.now;
        if now < self.next_expiry {
            return Ok(());
        }
        let mut next = Timestamp::MAX;
        for _ in 0..MAX_DROPPED_PER_WRITE {
            let Some(key) = self.forget.first()?.map(|(key, _)| *key.value()) else { break };
            let end = tables::leading_time(&key).unwrap_or_default();
            next = next.min(end);
            if now < end {
                break;
            }
            self.forget.remove(&key)?;
            // A new record of this batch may already have the id.
            if let Some(id) = tables::trailing_id(&key)
                && self.is_expired(id)?
            {
                self.drop_record(id)?;
            }
        }
        for _ in 0..MAX_DROPPED_PER_WRITE {
            let Some((key, end)) = first(&self.epoch_ends)? else { break };
            next = next.min(end);
            // An epoch stays while a record that it may cover is stored. The clock may have been ahead
            // and may be corrected later.
            let oldest =
                self.forget.first()?.and_then(|(key, _)| tables::leading_time(key.value()));
            if now < end || oldest.is_some_and(|oldest| oldest <= end) {
                break;
            }
            self.epoch_ends.remove(key.as_slice())?;
            if let Some(epoch) = tables::trailing_epoch(&key) {
                self.lanes.remove(epoch)?;
            }
        }
        for _ in 0..MAX_DROPPED_PER_WRITE {
            let Some((key, deadline)) = first(&self.answers)? else { break };
            next = next.min(deadline);
            if now <= deadline {
                break;
            }
            self.answers.remove(key.as_slice())?;
        }
        self.next_expiry = next;
        Ok(())
    }

    /// Returns whether the record under the key of `id` has expired or is damaged.
    fn is_expired(&self, id: TokenId) -> Result<bool, TxError> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(false);
        };
        Ok(Record::read(row.value()).map_or(true, |record| record.keep_until <= self.now))
    }

    /// Removes the record under the key of `id`, its last use and its index rows. The index rows of a
    /// damaged record stay. They point to nothing, and the integrity check reports them.
    fn drop_record(&mut self, id: TokenId) -> Result<Option<Record<'static>>, TxError> {
        let key = tables::record_key(id);
        let Some(row) = self.records.remove(key.as_slice())? else { return Ok(None) };
        let record = Record::read(row.value()).map(Record::into_owned).ok();
        drop(row);
        self.last_used.remove(key.as_slice())?;
        if let Some(record) = &record {
            self.unlist(record);
        }
        Ok(record)
    }
}

/// Returns the stamp of a new record in a lane.
fn resolve_stamp(rule: StampRule, lane: &LaneRow) -> Stamp {
    match rule {
        StampRule::Seen(stamp) => stamp,
        StampRule::Present => lane.sequence,
    }
}

/// Returns the first key of a table and the time at its start. A key without a time counts as
/// expired.
fn first(table: &impl tables::ReadByteTable) -> Result<Option<(Vec<u8>, Timestamp)>, TxError> {
    let first = table.first()?.map(|(key, _)| key.value().to_vec());
    Ok(first.map(|key| {
        let moment = tables::leading_time(&key).unwrap_or_default();
        (key, moment)
    }))
}
