//! Replaces a record's body by the same content under another key.

use super::*;

impl State {
    pub(crate) fn reseal(
        &mut self,
        operation: Operation,
        reseal: Reseal,
        now: Timestamp,
    ) -> Result<Resealed, StoreError> {
        if now > operation.deadline {
            return Err(StoreError::DeadlinePassed { operation: operation.id });
        }
        NewRecord::check_body(&reseal.body)?;
        StoreError::check_key(reseal.key, self.min_key_version)?;
        let found = self.records.get_mut(&local_key(reseal.id));
        let kept = |record: &&mut Record| record.id == reseal.id && now < record.keep_until;
        let Some(record) = found.filter(kept) else { return Ok(Resealed::Missing) };
        if record.version != reseal.read {
            return Ok(Resealed::Stale);
        }
        record.version = RecordVersion(record.version.0 + 1);
        record.body = reseal.body;
        record.key = reseal.key;
        for term in reseal.former_terms {
            record.terms.retain(|known| *known != term);
            self.index.remove(term, record.id, record.keep_until);
        }
        record.list_also(reseal.added_terms, &mut self.index);
        Ok(Resealed::Done)
    }
}
