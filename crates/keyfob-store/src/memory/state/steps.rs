//! The steps that the methods consist of: whether a write may start, whether records may be stored,
//! storing them, and dropping what has expired.

use super::*;

impl State {
    /// Starts a write. Returns the answer of an earlier call of the operation, if there is one.
    pub(super) fn begin(
        &mut self,
        operation: Operation,
        now: Timestamp,
    ) -> Result<Option<Answer>, StoreError> {
        self.drop_past(now);
        if let Some(answer) = self.answers.get(&operation.id) {
            return Ok(Some(answer.clone()));
        }
        if now > operation.deadline {
            return Err(StoreError::DeadlinePassed { operation: operation.id });
        }
        Ok(None)
    }

    pub(super) fn answer(&mut self, operation: Operation, answer: Answer) {
        self.answers.insert(operation.id, answer);
        self.answers_end.insert((operation.deadline, *operation.id.as_bytes()));
    }

    /// Checks whether new records may be stored, and if not, why.
    pub(super) fn admit(
        &self,
        records: &[NewRecord],
        now: Timestamp,
    ) -> Result<Option<Inserted>, StoreError> {
        for record in records {
            NewRecord::check_body(&record.body)?;
            StoreError::check_key(record.key, self.min_key_version)?;
            let taken = self.records.get(&local_key(record.id));
            if taken.is_some_and(|taken| now < taken.keep_until) {
                return Ok(Some(Inserted::IdTaken));
            }
            let stamp = self.stamp_for(record.id.lane(), Some(record.stamp));
            if !self.verdict(record.id.lane(), stamp, None, &record.epochs).is_clear() {
                return Ok(Some(Inserted::Superseded));
            }
        }
        Ok(None)
    }

    pub(super) fn stamp_for(&self, lane: Lane, rule: Option<StampRule>) -> Stamp {
        match rule {
            Some(StampRule::Seen(stamp)) => stamp,
            Some(StampRule::Present) | None => self.stamp(lane),
        }
    }

    pub(super) fn store_all(&mut self, records: Vec<NewRecord>, now: Timestamp) {
        for new in records {
            let stamp = self.stamp_for(new.id.lane(), Some(new.stamp));
            self.forget_record(local_key(new.id));
            // A record that has expired already is not stored.
            if new.keep_until <= now {
                continue;
            }
            for term in &new.terms {
                self.index.add(*term, new.id, new.keep_until);
            }
            self.forget.insert((new.keep_until, new.id));
            let stands = new
                .counted
                .map(|counted| Stands { place: counted.place(now), client: new.epochs.client });
            let lane = self.lane_mut(new.id.lane());
            lane.kept_until = lane.kept_until.max(new.keep_until);
            if let Some(stands) = stands {
                lane.counts.store(stands, new.id, now);
                if new.uses_left == Some(0) {
                    lane.counts.exhaust(stands, now);
                }
            }
            let record = Record {
                id: new.id,
                body: new.body,
                key: new.key,
                version: RecordVersion(1),
                stamp,
                keep_until: new.keep_until,
                uses_left: new.uses_left,
                last_used: None,
                epochs: new.epochs,
                terms: new.terms,
                tombstone: None,
                stands,
            };
            self.records.insert(local_key(new.id), record);
        }
    }

    pub(super) fn advance_lane(
        &mut self,
        lane: Lane,
        field: Option<EpochField>,
        at: Timestamp,
        note: &[u8],
        covers_until: Timestamp,
        now: Timestamp,
    ) {
        // An epoch stays as long as a record is there that it may revoke, whatever the clock says.
        let oldest = self.forget.first().map_or(Timestamp::MAX, |(keep_until, _)| *keep_until);
        let lane = self.lane_mut(lane);
        if lane.epochs.len() >= lane.roomy_until {
            lane.epochs.retain(|_, kept| now < kept.covers_until || oldest <= kept.covers_until);
            lane.roomy_until = (2 * lane.epochs.len()).max(FEWEST_EPOCHS);
        }
        lane.sequence = lane.sequence.next();
        let epoch = Epoch { stamp: lane.sequence, at, note: note.to_vec() };
        lane.epochs.insert(field, KeptEpoch { epoch, covers_until });
    }

    pub(super) fn drop_past(&mut self, now: Timestamp) {
        for _ in 0..DROPPED_PER_WRITE {
            match self.forget.first() {
                Some((keep_until, id)) if *keep_until <= now => {
                    let key = local_key(*id);
                    self.forget_record(key);
                }
                _ => break,
            }
        }
        while let Some((_, id)) = self.answers_end.first().filter(|(end, _)| *end < now) {
            self.answers.remove(&OperationId::from_bytes(*id));
            self.answers_end.pop_first();
        }
    }

    pub(super) fn forget_record(&mut self, key: LocalKey) {
        if let Some(record) = self.records.remove(&key) {
            self.forget.remove(&(record.keep_until, record.id));
            for term in record.terms {
                self.index.remove(term, record.id, record.keep_until);
            }
        }
    }
}
