//! Writes a document of the service.

use keyfob_store::{
    Document, DocumentVersion, DocumentWritten, Operation, StoreError, WriteDocument,
};
use redb::ReadableTable;

use super::transaction::Batch;
use crate::documents;
use crate::error::TxError;
use crate::tables;

impl Batch<'_> {
    pub(crate) fn write_document(
        &mut self,
        operation: Operation,
        write: WriteDocument,
    ) -> Result<DocumentWritten, TxError> {
        if let Some(answer) = self.begin(&operation)? {
            return Ok(answer);
        }
        let WriteDocument { name, read, body, key } = write;
        if let Some(body) = &body {
            Document::check_body(body)?;
            StoreError::check_key(key, self.min_key_version)?;
        }
        let mut table = self.transaction.open_table(tables::DOCUMENTS)?;
        let stored = match table.get(name.as_str().as_bytes())? {
            Some(row) => Some(documents::parse(name.clone(), row.value())?.version),
            None => None,
        };
        if stored != read {
            return self.answer(&operation, DocumentWritten::Conflict);
        }
        let version = DocumentVersion::of(&operation);
        match body {
            Some(body) => {
                let row = documents::row(&Document { name: name.clone(), version, key, body });
                table.insert(name.as_str().as_bytes(), row.as_slice())?;
            }
            None => {
                table.remove(name.as_str().as_bytes())?;
            }
        }
        drop(table);
        self.answer(&operation, DocumentWritten::Written(version))
    }
}
