//! Giving a record another form, and raising the floor of keys.

use std::borrow::Cow;

use keyfob_store::{KeyVersion, NewRecord, Operation, RecordVersion, Reseal, Resealed, StoreError};

use super::Changes;
use crate::fault::Fault;
use crate::{foundation, tables};

impl Changes<'_> {
    pub(crate) fn reseal(
        &mut self,
        operation: Operation,
        reseal: Reseal,
    ) -> Result<Resealed, Fault> {
        if self.now > operation.deadline {
            return Err(StoreError::DeadlinePassed { operation: operation.id }.into());
        }
        NewRecord::check_body(&reseal.body)?;
        StoreError::check_key(reseal.key, self.min_key_version)?;
        let Some((mut record, _)) = self.record(reseal.id)? else { return Ok(Resealed::Missing) };
        if record.version != reseal.read {
            return Ok(Resealed::Stale);
        }
        record.version = RecordVersion(record.version.0 + 1);
        record.body = Cow::Owned(reseal.body);
        record.key = reseal.key;
        for term in reseal.former_terms {
            let term = tables::term_key(term);
            if record.terms.remove(&term) {
                self.unlist_one(&term, record.id, record.keep_until);
            }
        }
        self.list_also(&mut record, reseal.added_terms);
        self.write_record(&record)?;
        Ok(Resealed::Done)
    }

    pub(crate) fn raise_min_key_version(&mut self, floor: KeyVersion) -> Result<(), Fault> {
        if floor > self.min_key_version {
            foundation::write_key_floor(&mut self.meta, floor)?;
            self.min_key_version = floor;
        }
        Ok(())
    }
}
