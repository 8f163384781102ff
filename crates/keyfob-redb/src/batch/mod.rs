//! The write commands of a store, inside a transaction that several commands share. Each command
//! makes all its decisions before its first write, so that a refused command leaves nothing behind.

mod counts;
mod reseal;
mod rows;

use std::borrow::Cow;

use keyfob_store::*;
use keyfob_store::{KeyVersion, Lane, LaneCount, Timestamp, TokenId};
use redb::{ReadableTable, WriteTransaction};

use crate::error::TxError;
use crate::event_log::EventLog;
use crate::format;
use crate::pending_keys::PendingKeys;
use crate::reader::Reader;
use crate::row::{Record, Savable, SavedAnswer};
use crate::tables::{self, ByteTableMut, KeyTableMut};
use counts::Counts;
use rows::resolve_stamp;

/// One write transaction with its open tables.
pub(crate) struct Batch<'txn> {
    meta: ByteTableMut<'txn>,
    records: ByteTableMut<'txn>,
    last_used: ByteTableMut<'txn>,
    index: KeyTableMut<'txn, { tables::INDEX_BYTES }>,
    forget: KeyTableMut<'txn, { tables::FORGET_BYTES }>,
    lanes: ByteTableMut<'txn>,
    epoch_ends: ByteTableMut<'txn>,
    events: EventLog<'txn>,
    observations: EventLog<'txn>,
    trimmed: ByteTableMut<'txn>,
    answers: ByteTableMut<'txn>,
    counts: Counts<'txn>,
    index_rows: PendingKeys<{ tables::INDEX_BYTES }>,
    forget_rows: PendingKeys<{ tables::FORGET_BYTES }>,
    lane_count: LaneCount,
    /// No row expires before this time.
    next_expiry: Timestamp,
    /// Writes under a lower key version are refused.
    min_key_version: KeyVersion,
    /// The current time, set before each command.
    pub(crate) now: Timestamp,
}

impl<'txn> Batch<'txn> {
    pub(crate) fn open(
        transaction: &'txn WriteTransaction,
        lane_count: LaneCount,
        now: Timestamp,
    ) -> Result<Self, TxError> {
        let table = |definition| transaction.open_table(definition);
        let meta = table(tables::META)?;
        Ok(Self {
            records: table(tables::RECORDS)?,
            last_used: table(tables::LAST_USED)?,
            index: transaction.open_table(tables::INDEX)?,
            forget: transaction.open_table(tables::FORGET)?,
            lanes: table(tables::LANES)?,
            epoch_ends: table(tables::EPOCH_ENDS)?,
            events: EventLog::open(transaction, Feed::Events)?,
            observations: EventLog::open(transaction, Feed::Observations)?,
            trimmed: table(tables::TRIMMED)?,
            answers: table(tables::ANSWERS)?,
            counts: Counts::of(table(tables::COUNTS)?),
            index_rows: PendingKeys::default(),
            forget_rows: PendingKeys::default(),
            lane_count,
            next_expiry: Timestamp::default(),
            min_key_version: format::min_key_version(&meta)?,
            meta,
            now,
        })
    }

    /// Writes the pending rows. After that the transaction can be committed.
    pub(crate) fn finish(mut self) -> Result<(), TxError> {
        self.index_rows.write(&mut self.index)?;
        self.forget_rows.write(&mut self.forget)?;
        self.counts.write(self.now)
    }

    pub(crate) fn insert(
        &mut self,
        operation: Operation,
        insert: Insert,
    ) -> Result<Inserted, TxError> {
        if let Some(inserted) = self.begin(&operation)? {
            return Ok(inserted);
        }
        let outcome = match self.refusal(&insert.records)? {
            Some(refused) => refused,
            None => {
                let lane = insert.records.first().map_or(Lane::default(), |first| first.id.lane());
                let current = self.reader().lane_to_write(lane)?.sequence;
                let stamp = self.store_all(insert.records)?.unwrap_or(current);
                self.append_events(lane, insert.events)?;
                Inserted::Stored(stamp)
            }
        };
        self.answer(&operation, outcome)
    }

    pub(crate) fn replace(
        &mut self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, TxError> {
        if let Some(replaced) = self.begin(&operation)? {
            return Ok(replaced);
        }
        NewRecord::check_body(&replace.body)?;
        StoreError::if_retired(replace.key, self.min_key_version)?;
        let outcome = self.replaced(replace)?;
        self.answer(&operation, outcome)
    }

    fn replaced(&mut self, replace: Replace) -> Result<Replaced, TxError> {
        let Some((mut record, verdict)) = self.record(replace.id)? else {
            return Ok(Replaced::Missing);
        };
        if !verdict.is_clear() {
            return Ok(Replaced::Ended);
        }
        if record.version != replace.read {
            return Ok(Replaced::Stale);
        }
        match self.refusal(&replace.minted)? {
            Some(Inserted::Superseded) => return Ok(Replaced::Ended),
            Some(_) => return Ok(Replaced::IdTaken),
            None => {}
        }
        record.version = RecordVersion(record.version.0 + 1);
        record.body = Cow::Owned(replace.body);
        record.key = replace.key;
        self.list_under(&mut record, replace.added_terms);
        if let Some(ends_at) = replace.ends_at {
            self.count_moved_end(&mut record, ends_at)?;
        }
        self.write_record(&record)?;
        self.store_all(replace.minted)?;
        self.append_events(replace.id.lane(), replace.events)?;
        Ok(Replaced::Stored(record.version))
    }

    pub(crate) fn consume(
        &mut self,
        operation: Operation,
        id: TokenId,
    ) -> Result<Consumed, TxError> {
        if let Some(consumed) = self.begin(&operation)? {
            return Ok(consumed);
        }
        let record = self.record(id)?.filter(|(_, verdict)| verdict.is_clear());
        let consumed = match record.and_then(|(record, _)| Some((record.uses_left?, record))) {
            None => Consumed::Refused,
            Some((0, _)) => Consumed::Exhausted,
            Some((left, mut record)) => {
                record.uses_left = Some(left - 1);
                self.write_record(&record)?;
                if left == 1 {
                    self.count_exhausted(&record)?;
                }
                Consumed::Left(left - 1)
            }
        };
        self.answer(&operation, consumed)
    }

    pub(crate) fn touch(&mut self, uses: &[LastUse]) -> Result<(), TxError> {
        for LastUse { id, at, ends_at } in uses {
            let key = tables::record_key(*id);
            let row = self.records.get(key.as_slice())?;
            // A damaged record must not prevent the use of the others from being recorded.
            let record = row.as_ref().and_then(|row| Record::read(row.value()).ok());
            let kept =
                record.is_some_and(|record| record.id == *id && self.now < record.keep_until);
            drop(row);
            if kept && self.reader().last_used(*id)? < Some(*at) {
                let at = at.as_millis().to_be_bytes();
                self.last_used.insert(key.as_slice(), at.as_slice())?;
                if let Some(ends_at) = ends_at
                    && let Some((mut record, Verdict::Clear)) = self.record_if_readable(*id)?
                    && self.count_moved_end(&mut record, *ends_at)?
                {
                    self.write_record(&record)?;
                }
            }
        }
        Ok(())
    }

    pub(crate) fn revoke(
        &mut self,
        operation: Operation,
        revoke: Revoke,
    ) -> Result<Revoked, TxError> {
        if let Some(revoked) = self.begin(&operation)? {
            return Ok(revoked);
        }
        Revoke::check_note(&revoke.note)?;
        let Some((mut record, verdict)) = self.record(revoke.id)? else {
            return Ok(Revoked::Missing);
        };
        let lane = revoke.id.lane();
        // Also for a token that is already revoked: its descendants may still be active.
        if let Some(field) = revoke.cascade {
            let covers_until = record.keep_until;
            self.count_revoked_by_epoch(&revoke.listed, field, Some(record.id))?;
            self.advance_lane(lane, Some(field), revoke.at, &revoke.note, covers_until)?;
        }
        if let Verdict::Revoked(mark) = verdict {
            return self.answer(&operation, Revoked::Before(mark));
        }
        if verdict.is_clear() {
            self.count_revoked(&record)?;
        }
        let through = MarkScope::Token;
        record.tombstone = Some(RevocationMark { through, at: revoke.at, note: revoke.note });
        self.write_record(&record)?;
        self.append_events(lane, revoke.events)?;
        self.answer(&operation, Revoked::Now)
    }

    pub(crate) fn advance(
        &mut self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, TxError> {
        if let Some(advanced) = self.begin(&operation)? {
            return Ok(advanced);
        }
        Revoke::check_note(&advance.note)?;
        let every = 0..self.lane_count.get();
        let (lanes, field) = match advance.scope {
            EpochScope::Lane(lane, field) => {
                let lane = self.reader().own(lane).number();
                (lane..lane + 1, Some(field))
            }
            EpochScope::EveryLane(field) => (every, Some(field)),
            EpochScope::All => (every, None),
        };
        let mut rows = Vec::new();
        for lane in lanes.clone().map(Lane::new) {
            rows.push((lane, self.reader().lane_to_write(lane)?));
        }
        let first = Lane::new(lanes.start);
        let advanced = Advanced { lanes: lanes.end - lanes.start };
        if let EpochScope::Lane(_, field) = advance.scope {
            self.count_revoked_by_epoch(&advance.listed, field, None)?;
        }
        for (lane, row) in rows {
            if !matches!(advance.scope, EpochScope::Lane(..)) {
                self.count_all_revoked(lane, field)?;
            }
            let covers_until = row.kept_until.max(self.now + Epoch::KEPT_AT_LEAST);
            self.advance_lane(lane, field, advance.at, &advance.note, covers_until)?;
        }
        self.append_events(first, advance.events)?;
        self.answer(&operation, advanced)
    }

    pub(crate) fn observe(&mut self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), TxError> {
        self.observations.append(&mut self.trimmed, lane, entries, self.now)
    }

    fn reader(&self) -> Reader<'_, ByteTableMut<'txn>> {
        Reader {
            records: &self.records,
            last_used: &self.last_used,
            lanes: &self.lanes,
            lane_count: self.lane_count,
        }
    }

    /// Starts a write command. Returns the saved answer if the operation was executed before.
    fn begin<T: Savable>(&mut self, operation: &Operation) -> Result<Option<T>, TxError> {
        self.drop_expired()?;
        // Saved answers are dropped at the deadline, so an operation is refused after it.
        if self.now > operation.deadline {
            return Err(StoreError::DeadlinePassed { operation: operation.id }.into());
        }
        let Some(row) = self.answers.get(tables::answer_key(operation).as_slice())? else {
            return Ok(None);
        };
        let answer = SavedAnswer::read(row.value()).map_err(|damaged| damaged.of(operation.id))?;
        Ok(T::from_saved(answer))
    }

    fn answer<T: Savable>(&mut self, operation: &Operation, answer: T) -> Result<T, TxError> {
        if let Some(kept) = answer.to_saved() {
            let key = tables::answer_key(operation);
            self.answers.insert(key.as_slice(), kept.write().as_slice())?;
        }
        Ok(answer)
    }

    /// Returns `None` if the new records may be stored, and otherwise the refusal.
    fn refusal(&self, records: &[NewRecord]) -> Result<Option<Inserted>, TxError> {
        let reader = self.reader();
        for new in records {
            NewRecord::check_body(&new.body)?;
            StoreError::if_retired(new.key, self.min_key_version)?;
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

    /// Returns the record of a token and its verdict, if the record is kept now.
    fn record(&self, id: TokenId) -> Result<Option<(Record<'static>, Verdict)>, TxError> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(None);
        };
        let record = Record::read(row.value()).map_err(|damaged| damaged.of(id))?;
        if record.id != id || record.keep_until <= self.now {
            return Ok(None);
        }
        let verdict = self.reader().verdict_on(&record)?;
        Ok(Some((record.into_owned(), verdict)))
    }
}
