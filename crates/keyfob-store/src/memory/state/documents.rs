//! Documents of the service.

use std::ops::Bound;

use super::*;

/// A document without its name.
#[derive(Clone, Debug)]
pub(super) struct Kept {
    version: DocumentVersion,
    key: KeyVersion,
    body: Vec<u8>,
}

impl Kept {
    fn document(&self, name: &DocumentName) -> Document {
        let Self { version, key, body } = self.clone();
        Document { name: name.clone(), version, key, body }
    }
}

impl State {
    pub(crate) fn read_document(&self, name: &DocumentName) -> Option<Document> {
        self.documents.get(name).map(|kept| kept.document(name))
    }

    pub(crate) fn write_document(
        &mut self,
        operation: Operation,
        write: WriteDocument,
        now: Timestamp,
    ) -> Result<DocumentWritten, StoreError> {
        if let Some(Answer::Document(written)) = self.begin(operation, now)? {
            return Ok(written);
        }
        let WriteDocument { name, read, body, key } = write;
        if let Some(body) = &body {
            Document::check_body(body)?;
            StoreError::check_key(key, self.min_key_version)?;
        }
        let version = DocumentVersion::of(&operation);
        let is_as_read = self.documents.get(&name).map(|kept| kept.version) == read;
        let outcome = match body {
            _ if !is_as_read => DocumentWritten::Conflict,
            Some(body) => {
                self.documents.insert(name, Kept { version, key, body });
                DocumentWritten::Written(version)
            }
            None => {
                self.documents.remove(&name);
                DocumentWritten::Written(version)
            }
        };
        self.answer(operation, Answer::Document(outcome));
        Ok(outcome)
    }

    pub(crate) fn list_documents(&self, list: &ListDocuments) -> Vec<Document> {
        let (start, end) = list.bounds();
        if start >= end {
            return Vec::new();
        }
        let bounds = (Bound::Included(start.as_slice()), Bound::Excluded(end.as_slice()));
        let found = self.documents.range::<[u8], _>(bounds).take(list.page_size());
        found.map(|(name, kept)| kept.document(name)).collect()
    }
}
