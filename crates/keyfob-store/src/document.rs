//! Documents: small named bodies that the service keeps for itself, such as the subscriptions of its
//! webhooks. They are not tokens: nothing revokes them, and they stay until they are deleted.

use keyfob_core::KeyVersion;
use keyfob_core::operation::{Operation, OperationId};

use crate::StoreError;

/// The name of a document: parts of `a-z`, `0-9` and `-`, joined by `/`.
///
/// ```
/// use keyfob_store::DocumentName;
///
/// let folder: DocumentName = "webhook/subscription".parse()?;
/// let name = folder.child("whk-1")?;
/// assert_eq!(name.as_str(), "webhook/subscription/whk-1");
/// assert!(name.is_in(&folder) && !folder.is_in(&folder));
/// assert!("Webhook".parse::<DocumentName>().is_err());
/// assert!("webhook//x".parse::<DocumentName>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DocumentName(String);

impl std::borrow::Borrow<[u8]> for DocumentName {
    /// Names are ordered by their bytes.
    fn borrow(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A text that is not the name of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "it is not the name of a document: use parts of a-z, 0-9 and '-', joined by '/', {} bytes at most",
    DocumentName::MAX_LEN
)]
pub struct InvalidDocumentName;

impl DocumentName {
    /// The maximum length in bytes.
    pub const MAX_LEN: usize = 96;

    /// Returns the name of a document in the folder that this name stands for.
    ///
    /// # Errors
    /// [`InvalidDocumentName`] if the part has another character, or the name would be too long.
    pub fn child(&self, part: &str) -> Result<Self, InvalidDocumentName> {
        if part.contains('/') {
            return Err(InvalidDocumentName);
        }
        format!("{}/{part}", self.0).parse()
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether this document lies in a folder, at any depth.
    pub fn is_in(&self, folder: &Self) -> bool {
        self.0.strip_prefix(folder.as_str()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Returns the last part.
    pub fn last_part(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }
}

impl std::str::FromStr for DocumentName {
    type Err = InvalidDocumentName;

    fn from_str(text: &str) -> Result<Self, InvalidDocumentName> {
        let is_allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        let is_part = |part: &str| !part.is_empty() && part.bytes().all(is_allowed);
        if text.len() > Self::MAX_LEN || !text.split('/').all(is_part) {
            return Err(InvalidDocumentName);
        }
        Ok(Self(text.to_owned()))
    }
}

impl std::fmt::Display for DocumentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::fmt::Debug for DocumentName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        std::fmt::Display::fmt(self, f)
    }
}

/// The version of a document: the id of the write that it comes from. No two writes have the same, so a
/// document that was deleted and written again never has a version that it had before.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct DocumentVersion(pub OperationId);

impl DocumentVersion {
    /// Returns the version that a write gives its document.
    pub const fn of(operation: &Operation) -> Self {
        Self(operation.id)
    }
}

/// A stored document.
#[derive(Clone, PartialEq, Eq)]
pub struct Document {
    /// Its name.
    pub name: DocumentName,
    /// Its version.
    pub version: DocumentVersion,
    /// The key that the body is sealed under.
    pub key: KeyVersion,
    /// Its content.
    pub body: Vec<u8>,
}

impl Document {
    /// The maximum size of a body in bytes, without what sealing adds.
    pub const MAX_BODY: usize = 64 * 1024;
    /// The maximum number of documents that one call lists.
    pub const MAX_LISTED: usize = 100;

    /// Checks the size of a body.
    ///
    /// # Errors
    /// [`StoreError::TooLarge`].
    pub fn check_body(body: &[u8]) -> Result<(), StoreError> {
        StoreError::check_size("the document", body, Self::MAX_BODY)
    }
}

impl std::fmt::Debug for Document {
    /// Shows the size of the body, which is confidential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Document")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("key", &self.key)
            .field("bytes", &self.body.len())
            .finish()
    }
}

/// A change of one document.
#[derive(Clone, PartialEq, Eq)]
pub struct WriteDocument {
    /// Its name.
    pub name: DocumentName,
    /// The version that was read; `None` if there was no document. The document is only changed if that
    /// is still so.
    pub read: Option<DocumentVersion>,
    /// The new body; `None` deletes the document.
    pub body: Option<Vec<u8>>,
    /// The key that the body is sealed under. A sealing wrapper sets it.
    pub key: KeyVersion,
}

impl WriteDocument {
    /// Creates a write of a body that is not sealed.
    pub const fn new(
        name: DocumentName,
        read: Option<DocumentVersion>,
        body: Option<Vec<u8>>,
    ) -> Self {
        Self { name, read, body, key: KeyVersion::PLAINTEXT }
    }
}

impl std::fmt::Debug for WriteDocument {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("WriteDocument")
            .field("name", &self.name)
            .field("read", &self.read)
            .field("bytes", &self.body.as_ref().map(Vec::len))
            .finish_non_exhaustive()
    }
}

/// The result of a write of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum DocumentWritten {
    /// It is written, or deleted, and then nothing has the version.
    Written(DocumentVersion),
    /// The document was not what was read: somebody else has written or deleted it. Nothing was changed.
    Conflict,
}

/// Which documents to list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ListDocuments {
    /// The folder that they lie in, at any depth; `None` for all.
    pub folder: Option<DocumentName>,
    /// The last document of the page before.
    pub after: Option<DocumentName>,
    /// The maximum number, from 1 to [`Document::MAX_LISTED`].
    pub limit: usize,
}

impl ListDocuments {
    /// Returns the bounds of the names as bytes. The lower one belongs to the list, the upper one does
    /// not. A lower bound above the upper one lists nothing.
    pub fn bounds(&self) -> (Vec<u8>, Vec<u8>) {
        // The byte after '/' is '0'. Every character of a name is below '~'.
        let (start, end) = match &self.folder {
            Some(folder) => (format!("{folder}/"), format!("{folder}0")),
            None => (String::new(), "~".to_owned()),
        };
        let after = self.after.as_ref().map(|after| format!("{after}\0")).unwrap_or_default();
        (start.max(after).into_bytes(), end.into_bytes())
    }

    /// Returns the number of documents to list.
    pub fn page_size(&self) -> usize {
        self.limit.clamp(1, Document::MAX_LISTED)
    }
}
