//! The keys of documents. There are few documents, so a run does all of them in one step.

use crate::error::Error;
use crate::manager::TokenManager;
use crate::manager::modify::RETRY_LIMIT;
use keyfob_seal::SealedStore;
use keyfob_store::{Document, DocumentWritten, Documents, ListDocuments, StoreError, StoreWrapper};

/// Returns every document of the store as it is stored; none if the store has no documents.
pub(super) async fn all(sealed: &SealedStore) -> Result<Vec<Document>, StoreError> {
    let mut all: Vec<Document> = Vec::new();
    loop {
        let after = all.last().map(|last| last.name.clone());
        let list = ListDocuments { folder: None, after, limit: Document::MAX_LISTED };
        let page = match sealed.inner().list_documents(&list).await {
            Err(StoreError::Unsupported { .. }) => return Ok(all),
            page => page?,
        };
        let is_last = page.is_empty();
        all.extend(page);
        if is_last {
            return Ok(all);
        }
    }
}

/// What became of a document.
pub(super) enum Outcome {
    Resealed,
    Unchanged,
    Unreadable,
    Gone,
}

/// Seals a document again, unless it is under the active key.
pub(super) async fn reseal(
    manager: &TokenManager,
    sealed: &SealedStore,
    mut stored: Document,
) -> Result<Outcome, Error> {
    for _ in 0..RETRY_LIMIT {
        if SealedStore::key_of_document(&stored) == sealed.sealer().active() {
            return Ok(Outcome::Unchanged);
        }
        let name = stored.name.clone();
        let document = match sealed.read_document(&name).await {
            Ok(Some(document)) => document,
            Ok(None) => return Ok(Outcome::Gone),
            Err(error @ StoreError::Unverifiable { .. }) => {
                tracing::error!(document = %name, %error, "a document cannot be opened: it is not sealed again");
                return Ok(Outcome::Unreadable);
            }
            Err(error) => return Err(error.into()),
        };
        let written =
            manager.write_document(&name, Some(document.version), Some(document.body)).await?;
        if let DocumentWritten::Written(_) = written {
            return Ok(Outcome::Resealed);
        }
        match sealed.inner().read_document(&name).await? {
            Some(now) => stored = now,
            None => return Ok(Outcome::Gone),
        }
    }
    let detail = format!("the document {} is written again and again", stored.name);
    Err(StoreError::unavailable(detail).into())
}
