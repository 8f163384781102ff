//! Documents of the service: what it keeps for itself beside the tokens.

use crate::error::Error;
use crate::manager::TokenManager;
use keyfob_store::{
    Document, DocumentName, DocumentVersion, DocumentWritten, ListDocuments, StoreError,
    WriteDocument,
};

/// How often a write is sent whose outcome is not known.
const ATTEMPTS: usize = 3;

/// # Documents
///
/// A service over this manager may keep its own settings and positions in the store. They are sealed as
/// records are. An application keeps its data elsewhere: there is room for thousands of documents, not
/// millions. A store without them answers [`StoreError::Unsupported`].
impl TokenManager {
    /// Reads a document.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn read_document(&self, name: &DocumentName) -> Result<Option<Document>, Error> {
        Ok(self.inner.store.read_document(name).await?)
    }

    /// Writes a document, or deletes it if there is no `body`, if it still has the version that was read. A
    /// write whose outcome is not known is sent again, and takes effect once.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{MemoryStore, TokenManager};
    /// use keyfob::store::DocumentWritten;
    ///
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let name = "settings/theme".parse()?;
    /// let written = manager.write_document(&name, None, Some(b"dark".to_vec())).await?;
    /// assert!(matches!(written, DocumentWritten::Written(_)));
    /// // Somebody who believes that there is none overwrites nothing.
    /// let second = manager.write_document(&name, None, Some(b"light".to_vec())).await?;
    /// assert_eq!(second, DocumentWritten::Conflict);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn write_document(
        &self,
        name: &DocumentName,
        read: Option<DocumentVersion>,
        body: Option<Vec<u8>>,
    ) -> Result<DocumentWritten, Error> {
        let operation = self.begin()?;
        let mut attempt = 1;
        loop {
            let write = WriteDocument::new(name.clone(), read, body.clone());
            match self.inner.store.write_document(operation, write).await {
                Err(StoreError::OutcomeUnknown { .. }) if attempt < ATTEMPTS => attempt += 1,
                written => return Ok(written?),
            }
        }
    }

    /// Lists documents in the order of their names.
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn list_documents(&self, list: &ListDocuments) -> Result<Vec<Document>, Error> {
        Ok(self.inner.store.list_documents(list).await?)
    }
}
