//! The writes themselves: each keeps the tables in step with each other.

use keyfob_store::{
    Epoch, EpochField, Lane, NewRecord, Order, Stamp, StampRule, Term, Timestamp, TokenId,
};
use redb::ReadableTable;

use super::Changes;
use crate::fault::Fault;
use crate::row::{EpochRow, LaneRow, Record};
use crate::tables;

/// How many rows past their time a write drops: more than it adds, so that they never pile up.
const DROPPED_PER_WRITE: usize = 16;

impl Changes<'_> {
    /// Stores records that were admitted; the stamp of the first.
    pub(super) fn store_all(&mut self, records: Vec<NewRecord>) -> Result<Option<Stamp>, Fault> {
        let mut first = None;
        for new in records {
            let lane = self.view().own(new.id.lane());
            let mut row = self.view().lane_to_write(lane)?;
            let stamp = stamp_by(new.stamp, &row);
            first = first.or(Some(stamp));
            // A record whose time is over already is stored nowhere.
            if new.keep_until <= self.now {
                if let Some(old) = self.drop_record(new.id)? {
                    self.unschedule(&old);
                }
                continue;
            }
            if row.keep(new.keep_until) {
                self.lanes.insert(tables::lane_key(lane).as_slice(), row.write().as_slice())?;
            }
            let record = Record::new(new, stamp, self.now);
            self.count_in(&record)?;
            let key = tables::record_key(record.id);
            let old = self.records.insert(key.as_slice(), record.write().as_slice())?;
            // One that was kept until now may still lie there.
            if let Some(old) = old.map(|row| Record::read(row.value()).map(Record::into_owned)) {
                self.last_used.remove(key.as_slice())?;
                if let Ok(old) = old {
                    self.unlist(&old);
                    self.unschedule(&old);
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
        let place = tables::place(keep_until, id);
        for order in [Order::NewestFirst, Order::NextToExpire] {
            self.index_rows.insert(tables::index_key(term, order, &place));
        }
    }

    /// Lists a record under more terms.
    pub(super) fn list_also(&mut self, record: &mut Record<'_>, added: Vec<Term>) {
        for term in added {
            let term = tables::term_key(term);
            if record.terms.add(&term) {
                self.list(&term, record.id, record.keep_until);
            }
        }
    }

    pub(super) fn unlist_one(&mut self, term: &tables::TermKey, id: TokenId, keep: Timestamp) {
        let place = tables::place(keep, id);
        for order in [Order::NewestFirst, Order::NextToExpire] {
            self.index_rows.remove(tables::index_key(term, order, &place));
        }
    }

    fn unlist(&mut self, record: &Record<'_>) {
        for term in record.terms.iter() {
            self.unlist_one(term, record.id, record.keep_until);
        }
    }

    fn unschedule(&mut self, record: &Record<'_>) {
        self.forget_rows.remove(tables::forget_key(record.keep_until, record.id));
    }

    pub(super) fn write_record(&mut self, record: &Record<'_>) -> Result<(), Fault> {
        let key = tables::record_key(record.id);
        self.records.insert(key.as_slice(), record.write().as_slice())?;
        Ok(())
    }

    pub(super) fn append_events(&mut self, lane: Lane, events: Vec<Vec<u8>>) -> Result<(), Fault> {
        self.events.append(&mut self.trimmed, lane, events, self.now)
    }

    pub(super) fn advance_lane(
        &mut self,
        lane: Lane,
        field: Option<EpochField>,
        at: Timestamp,
        note: &[u8],
        covers_until: Timestamp,
    ) -> Result<(), Fault> {
        let lane = self.view().own(lane);
        let mut row = self.view().lane_to_write(lane)?;
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

    /// Drops rows whose time is over.
    pub(super) fn drop_past(&mut self) -> Result<(), Fault> {
        let now = self.now;
        if now < self.nothing_past_until {
            return Ok(());
        }
        let mut next = Timestamp::MAX;
        for _ in 0..DROPPED_PER_WRITE {
            let Some(key) = self.forget.first()?.map(|(key, _)| *key.value()) else { break };
            let end = tables::moment_at(&key).unwrap_or_default();
            next = next.min(end);
            if now < end {
                break;
            }
            self.forget.remove(&key)?;
            // In this batch the id may have been given to another record already.
            if let Some(id) = tables::id_at_end(&key)
                && self.is_past(id)?
            {
                self.drop_record(id)?;
            }
        }
        for _ in 0..DROPPED_PER_WRITE {
            let Some((key, end)) = first(&self.epoch_ends)? else { break };
            next = next.min(end);
            // As long as a record that it may cover is there, an epoch stays: a clock that was ahead
            // for a while may be set right again.
            let oldest = self.forget.first()?.and_then(|(key, _)| tables::moment_at(key.value()));
            if now < end || oldest.is_some_and(|oldest| oldest <= end) {
                break;
            }
            self.epoch_ends.remove(key.as_slice())?;
            if let Some(epoch) = tables::epoch_at_end(&key) {
                self.lanes.remove(epoch)?;
            }
        }
        for _ in 0..DROPPED_PER_WRITE {
            let Some((key, deadline)) = first(&self.answers)? else { break };
            next = next.min(deadline);
            if now <= deadline {
                break;
            }
            self.answers.remove(key.as_slice())?;
        }
        self.nothing_past_until = next;
        Ok(())
    }

    /// Whether the record that has the place of `id` is past its time, or beyond reading.
    fn is_past(&self, id: TokenId) -> Result<bool, Fault> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(false);
        };
        Ok(Record::read(row.value()).map_or(true, |record| record.keep_until <= self.now))
    }

    /// Removes whatever record has the place of `id`, with its last use and its index rows. Of one
    /// that cannot be read, the index rows stay: they lead nowhere, and a check says so.
    fn drop_record(&mut self, id: TokenId) -> Result<Option<Record<'static>>, Fault> {
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

/// The stamp of a new record in a lane.
pub(super) fn stamp_by(rule: StampRule, lane: &LaneRow) -> Stamp {
    match rule {
        StampRule::Seen(stamp) => stamp,
        StampRule::Present => lane.sequence,
    }
}

/// The first key of a table, and the moment that it begins with; one that begins with none has been
/// past for ever.
fn first(table: &impl tables::Readable) -> Result<Option<(Vec<u8>, Timestamp)>, Fault> {
    let first = table.first()?.map(|(key, _)| key.value().to_vec());
    Ok(first.map(|key| {
        let moment = tables::moment_at(&key).unwrap_or_default();
        (key, moment)
    }))
}
