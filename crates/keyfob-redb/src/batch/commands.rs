//! The write commands, except resealing. Each makes all its decisions before its first write.

use std::borrow::Cow;

use keyfob_store::*;

use redb::ReadableTable;

use super::transaction::Batch;
use crate::error::TxError;
use crate::row::Record;
use crate::tables;

impl Batch<'_> {
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
        StoreError::check_key(replace.key, self.min_key_version)?;
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
}
