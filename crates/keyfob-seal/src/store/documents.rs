//! Documents of the service: sealed as what their names say.

use async_trait::async_trait;
use keyfob_core::KeyVersion;
use keyfob_core::envelope::{is_sealed, key_of};
use keyfob_core::operation::Operation;
use keyfob_store::{
    Document, DocumentName, DocumentWritten, Documents, ListDocuments, StoreError, WriteDocument,
};

use super::SealedStore;
use crate::associated_data::AssociatedData;
use crate::sealer::Sealer;

impl SealedStore {
    /// Returns the key that a stored document is sealed under.
    pub fn key_of_document(stored: &Document) -> KeyVersion {
        key_of(&stored.body).unwrap_or_default()
    }

    fn open_document(&self, sealer: &Sealer, document: &mut Document) -> Result<(), StoreError> {
        let opened = sealer.open(&document.body, AssociatedData::document(&document.name));
        let opened = self.counted(&document.body, opened).map_err(|integrity| {
            StoreError::Unverifiable { what: format!("the document {}", document.name), integrity }
        })?;
        document.key = opened.under;
        document.body = opened.plain;
        Ok(())
    }
}

#[async_trait]
impl Documents for SealedStore {
    async fn read_document(&self, name: &DocumentName) -> Result<Option<Document>, StoreError> {
        let Some(mut document) = self.inner.read_document(name).await? else { return Ok(None) };
        self.open_document(&self.sealer(), &mut document)?;
        Ok(Some(document))
    }

    async fn write_document(
        &self,
        operation: Operation,
        mut write: WriteDocument,
    ) -> Result<DocumentWritten, StoreError> {
        let sealer = self.sealer();
        if let Some(body) = &mut write.body {
            Document::check_body(body)?;
            let mut salts = self.salts_of(operation, 1)?;
            *body = sealer.seal(body, AssociatedData::document(&write.name), &mut salts)?;
            write.key = sealer.active();
        }
        self.inner.write_document(operation, write).await
    }

    async fn list_documents(&self, list: &ListDocuments) -> Result<Vec<Document>, StoreError> {
        let mut documents = self.inner.list_documents(list).await?;
        let sealer = self.sealer();
        for document in &mut documents {
            // One that does not open must not hide the others. It stays sealed, and its reader gets the error.
            if let Err(error) = self.open_document(&sealer, document) {
                tracing::error!(document = %document.name, %error, "a document stays sealed");
                if !is_sealed(&document.body) {
                    document.body.clear();
                }
            }
        }
        Ok(documents)
    }
}
