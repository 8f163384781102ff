//! Stores a record under another key, and raises the minimum key version.

use std::borrow::Cow;

use keyfob_store::{KeyVersion, NewRecord, Operation, RecordVersion, Reseal, Resealed, StoreError};

use super::transaction::Batch;
use crate::error::TxError;
use crate::{format, tables};

impl Batch<'_> {
    pub(crate) fn reseal(
        &mut self,
        operation: Operation,
        reseal: Reseal,
    ) -> Result<Resealed, TxError> {
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
                self.unlist_term(&term, record.id, record.keep_until);
            }
        }
        self.list_under(&mut record, reseal.added_terms);
        self.write_record(&record)?;
        Ok(Resealed::Done)
    }

    pub(crate) fn raise_min_key_version(&mut self, minimum: KeyVersion) -> Result<(), TxError> {
        if minimum > self.min_key_version {
            format::write_min_key_version(&mut self.meta, minimum)?;
            self.min_key_version = minimum;
        }
        Ok(())
    }
}
