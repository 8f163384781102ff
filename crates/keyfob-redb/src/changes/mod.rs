//! The verbs that change something, within a transaction that other commands share. Each decides
//! everything before its first write, so that one that is refused leaves nothing behind.

mod counts;
mod reseal;
mod rows;

use std::borrow::Cow;

use keyfob_store::*;
use keyfob_store::{KeyVersion, Lane, LaneCount, Timestamp, TokenId};
use redb::{ReadableTable, WriteTransaction};

use crate::fault::Fault;
use crate::feed::Log;
use crate::foundation;
use crate::pending::Pending;
use crate::row::{Answer, Kept, Record};
use crate::tables::{self, KeyRows, Rows};
use crate::view::View;
use counts::Counts;
use rows::stamp_by;

/// The tables of a write transaction.
pub(crate) struct Changes<'txn> {
    meta: Rows<'txn>,
    records: Rows<'txn>,
    last_used: Rows<'txn>,
    index: KeyRows<'txn, { tables::INDEX_BYTES }>,
    forget: KeyRows<'txn, { tables::FORGET_BYTES }>,
    lanes: Rows<'txn>,
    epoch_ends: Rows<'txn>,
    events: Log<'txn>,
    observations: Log<'txn>,
    trimmed: Rows<'txn>,
    answers: Rows<'txn>,
    counts: Counts<'txn>,
    index_rows: Pending<{ tables::INDEX_BYTES }>,
    forget_rows: Pending<{ tables::FORGET_BYTES }>,
    lane_count: LaneCount,
    nothing_past_until: Timestamp,
    /// Nothing is written under a lower key.
    min_key_version: KeyVersion,
    /// The present moment, set before each command.
    pub(crate) now: Timestamp,
}

impl<'txn> Changes<'txn> {
    pub(crate) fn open(
        transaction: &'txn WriteTransaction,
        lane_count: LaneCount,
        now: Timestamp,
    ) -> Result<Self, Fault> {
        let table = |definition| transaction.open_table(definition);
        let meta = table(tables::META)?;
        Ok(Self {
            records: table(tables::RECORDS)?,
            last_used: table(tables::LAST_USED)?,
            index: transaction.open_table(tables::INDEX)?,
            forget: transaction.open_table(tables::FORGET)?,
            lanes: table(tables::LANES)?,
            epoch_ends: table(tables::EPOCH_ENDS)?,
            events: Log::open(transaction, Feed::Events)?,
            observations: Log::open(transaction, Feed::Observations)?,
            trimmed: table(tables::TRIMMED)?,
            answers: table(tables::ANSWERS)?,
            counts: Counts::of(table(tables::COUNTS)?),
            index_rows: Pending::default(),
            forget_rows: Pending::default(),
            lane_count,
            nothing_past_until: Timestamp::default(),
            min_key_version: foundation::min_key_version(&meta)?,
            meta,
            now,
        })
    }

    /// Writes what still waits; the transaction can be committed after it.
    pub(crate) fn finish(mut self) -> Result<(), Fault> {
        self.index_rows.write(&mut self.index)?;
        self.forget_rows.write(&mut self.forget)?;
        self.counts.write(self.now)
    }

    pub(crate) fn insert(
        &mut self,
        operation: Operation,
        insert: Insert,
    ) -> Result<Inserted, Fault> {
        if let Some(inserted) = self.begin(&operation)? {
            return Ok(inserted);
        }
        let outcome = match self.admit(&insert.records)? {
            Some(refused) => refused,
            None => {
                let lane = insert.records.first().map_or(Lane::default(), |first| first.id.lane());
                let present = self.view().lane_to_write(lane)?.sequence;
                let stamp = self.store_all(insert.records)?.unwrap_or(present);
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
    ) -> Result<Replaced, Fault> {
        if let Some(replaced) = self.begin(&operation)? {
            return Ok(replaced);
        }
        NewRecord::check_body(&replace.body)?;
        StoreError::check_key(replace.key, self.min_key_version)?;
        let outcome = self.replaced(replace)?;
        self.answer(&operation, outcome)
    }

    fn replaced(&mut self, replace: Replace) -> Result<Replaced, Fault> {
        let Some((mut record, verdict)) = self.record(replace.id)? else {
            return Ok(Replaced::Missing);
        };
        if !verdict.is_clear() {
            return Ok(Replaced::Ended);
        }
        if record.version != replace.read {
            return Ok(Replaced::Stale);
        }
        match self.admit(&replace.minted)? {
            Some(Inserted::Superseded) => return Ok(Replaced::Ended),
            Some(_) => return Ok(Replaced::IdTaken),
            None => {}
        }
        record.version = RecordVersion(record.version.0 + 1);
        record.body = Cow::Owned(replace.body);
        record.key = replace.key;
        self.list_also(&mut record, replace.added_terms);
        if let Some(ends_at) = replace.ends_at {
            self.shift(&mut record, ends_at)?;
        }
        self.write_record(&record)?;
        self.store_all(replace.minted)?;
        self.append_events(replace.id.lane(), replace.events)?;
        Ok(Replaced::Stored(record.version))
    }

    pub(crate) fn consume(&mut self, operation: Operation, id: TokenId) -> Result<Consumed, Fault> {
        if let Some(spent) = self.begin(&operation)? {
            return Ok(spent);
        }
        let record = self.record(id)?.filter(|(_, verdict)| verdict.is_clear());
        let spent = match record.and_then(|(record, _)| Some((record.uses_left?, record))) {
            None => Consumed::Refused,
            Some((0, _)) => Consumed::Exhausted,
            Some((left, mut record)) => {
                record.uses_left = Some(left - 1);
                self.write_record(&record)?;
                if left == 1 {
                    self.exhaust(&record)?;
                }
                Consumed::Left(left - 1)
            }
        };
        self.answer(&operation, spent)
    }

    pub(crate) fn touch(&mut self, uses: &[LastUse]) -> Result<(), Fault> {
        for LastUse { id, at, ends_at } in uses {
            let key = tables::record_key(*id);
            let row = self.records.get(key.as_slice())?;
            // One that cannot be read must not keep the others from being noted.
            let record = row.as_ref().and_then(|row| Record::read(row.value()).ok());
            let kept =
                record.is_some_and(|record| record.id == *id && self.now < record.keep_until);
            drop(row);
            if kept && self.view().last_used(*id)? < Some(*at) {
                let at = at.as_millis().to_be_bytes();
                self.last_used.insert(key.as_slice(), at.as_slice())?;
                if let Some(ends_at) = ends_at
                    && let Some((mut record, Verdict::Clear)) = self.readable(*id)?
                    && self.shift(&mut record, *ends_at)?
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
    ) -> Result<Revoked, Fault> {
        if let Some(revoked) = self.begin(&operation)? {
            return Ok(revoked);
        }
        Revoke::check_note(&revoke.note)?;
        let Some((mut record, verdict)) = self.record(revoke.id)? else {
            return Ok(Revoked::Missing);
        };
        let lane = revoke.id.lane();
        // Even of a token that is revoked already: what descends from it may still live.
        if let Some(field) = revoke.cascade {
            let covers_until = record.keep_until;
            self.count_out(&revoke.listed, field, Some(record.id))?;
            self.advance_lane(lane, Some(field), revoke.at, &revoke.note, covers_until)?;
        }
        if let Verdict::Revoked(mark) = verdict {
            return self.answer(&operation, Revoked::Before(mark));
        }
        if verdict.is_clear() {
            self.end(&record)?;
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
    ) -> Result<Advanced, Fault> {
        if let Some(advanced) = self.begin(&operation)? {
            return Ok(advanced);
        }
        Revoke::check_note(&advance.note)?;
        let every = 0..self.lane_count.get();
        let (lanes, field) = match advance.scope {
            EpochScope::Lane(lane, field) => {
                let lane = self.view().own(lane).number();
                (lane..lane + 1, Some(field))
            }
            EpochScope::EveryLane(field) => (every, Some(field)),
            EpochScope::All => (every, None),
        };
        let mut rows = Vec::new();
        for lane in lanes.clone().map(Lane::new) {
            rows.push((lane, self.view().lane_to_write(lane)?));
        }
        let first = Lane::new(lanes.start);
        let advanced = Advanced { lanes: lanes.end - lanes.start };
        if let EpochScope::Lane(_, field) = advance.scope {
            self.count_out(&advance.listed, field, None)?;
        }
        for (lane, row) in rows {
            if !matches!(advance.scope, EpochScope::Lane(..)) {
                self.end_all(lane, field)?;
            }
            let covers_until = row.kept_until.max(self.now + Epoch::KEPT_AT_LEAST);
            self.advance_lane(lane, field, advance.at, &advance.note, covers_until)?;
        }
        self.append_events(first, advance.events)?;
        self.answer(&operation, advanced)
    }

    pub(crate) fn observe(&mut self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), Fault> {
        self.observations.append(&mut self.trimmed, lane, entries, self.now)
    }

    fn view(&self) -> View<'_, Rows<'txn>> {
        View {
            records: &self.records,
            last_used: &self.last_used,
            lanes: &self.lanes,
            lane_count: self.lane_count,
        }
    }

    /// Starts a write: the answer of an earlier sending, or leave to go on.
    fn begin<T: Kept>(&mut self, operation: &Operation) -> Result<Option<T>, Fault> {
        self.drop_past()?;
        // Answers are forgotten at the deadline, so that none can be asked for after it.
        if self.now > operation.deadline {
            return Err(StoreError::DeadlinePassed { operation: operation.id }.into());
        }
        let Some(row) = self.answers.get(tables::answer_key(operation).as_slice())? else {
            return Ok(None);
        };
        let answer = Answer::read(row.value()).map_err(|damaged| damaged.of(operation.id))?;
        Ok(T::recall(answer))
    }

    fn answer<T: Kept>(&mut self, operation: &Operation, answer: T) -> Result<T, Fault> {
        if let Some(kept) = answer.keep() {
            let key = tables::answer_key(operation);
            self.answers.insert(key.as_slice(), kept.write().as_slice())?;
        }
        Ok(answer)
    }

    /// Whether new records may be stored, and if not, why.
    fn admit(&self, records: &[NewRecord]) -> Result<Option<Inserted>, Fault> {
        let view = self.view();
        for new in records {
            NewRecord::check_body(&new.body)?;
            StoreError::check_key(new.key, self.min_key_version)?;
            if let Some(row) = self.records.get(tables::record_key(new.id).as_slice())? {
                let taken = Record::read(row.value()).map_err(|damaged| damaged.of(new.id))?;
                if self.now < taken.keep_until {
                    return Ok(Some(Inserted::IdTaken));
                }
            }
            let lane = view.own(new.id.lane());
            let row = view.lane_to_write(lane)?;
            let stamp = stamp_by(new.stamp, &row);
            if !view.verdict(lane, Some(row), stamp, None, &new.epochs)?.is_clear() {
                return Ok(Some(Inserted::Superseded));
            }
        }
        Ok(None)
    }

    /// The record of a token, if it is kept now, and the verdict on it.
    fn record(&self, id: TokenId) -> Result<Option<(Record<'static>, Verdict)>, Fault> {
        let Some(row) = self.records.get(tables::record_key(id).as_slice())? else {
            return Ok(None);
        };
        let record = Record::read(row.value()).map_err(|damaged| damaged.of(id))?;
        if record.id != id || record.keep_until <= self.now {
            return Ok(None);
        }
        let verdict = self.view().verdict_on(&record)?;
        Ok(Some((record.into_owned(), verdict)))
    }
}
