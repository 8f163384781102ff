//! Documents of the service. All of them lie in the first lane: they are few, and one server orders their names.
//!
//! Their keys have the tag of the namespace in their name. After all data was lost, a new namespace
//! has no documents, whatever a node of the former one still writes.

use keyfob_store::{
    Document, DocumentName, DocumentVersion, DocumentWritten, KeyVersion, Lane, ListDocuments,
    Operation, OperationId, StoreError, WriteDocument,
};

use super::outcome::failure;
use super::shared::Shared;
use crate::connections::{Call, next};
use crate::protocol::arg::Arg;
use crate::protocol::constants::reply;
use crate::protocol::signatures::{list_documents, read_document, write_document};

/// The lane of all documents.
const LANE: Lane = Lane::new(0);

impl Shared {
    pub(super) async fn read_document(
        &self,
        name: &DocumentName,
    ) -> Result<Option<Document>, StoreError> {
        let keys = read_document::Keys { documents: self.keys.documents(LANE, self.guard.tag()) };
        let args = read_document::Args { name: name.as_str().as_bytes().into() };
        let call = Call::new(&self.scripts.read_document, keys, args);
        let found = self.connections.read(self.keys.slot(LANE), &call).await?.optional()?;
        found.map(|stored| parse(name.clone(), &stored)).transpose()
    }

    pub(super) async fn write_document(
        &self,
        operation: Operation,
        write: WriteDocument,
    ) -> Result<DocumentWritten, StoreError> {
        let WriteDocument { name, read, body, key } = write;
        let version = DocumentVersion::of(&operation);
        let document = match body {
            Some(body) => {
                Document::check_body(&body)?;
                [version.0.as_bytes(), &key.value().to_be_bytes()[..], &body].concat()
            }
            None => Vec::new(),
        };
        let keys = write_document::Keys {
            lane: self.keys.lane(LANE),
            answer: self.keys.answer(LANE, operation.id),
            documents: self.keys.documents(LANE, self.guard.tag()),
            document_names: self.keys.document_names(LANE, self.guard.tag()),
        };
        let args = write_document::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(operation.deadline),
            name: name.as_str().as_bytes().into(),
            version: read.map_or_else(Arg::none, |read| read.0.as_bytes()[..].into()),
            key_version: u64::from(key.value()).into(),
            document: document.into(),
        };
        let mut call = Call::new(&self.scripts.write_document, keys, args);
        let sent = self.write(LANE, &mut call).await;
        let outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::STORED => Ok(DocumentWritten::Written(version)),
            reply::STALE => Ok(DocumentWritten::Conflict),
            _ => Err(failure(outcome, operation, None)),
        }
    }

    pub(super) async fn list_documents(
        &self,
        list: &ListDocuments,
    ) -> Result<Vec<Document>, StoreError> {
        let (first, before) = list.bounds();
        if first >= before {
            return Ok(Vec::new());
        }
        let keys = list_documents::Keys {
            documents: self.keys.documents(LANE, self.guard.tag()),
            document_names: self.keys.document_names(LANE, self.guard.tag()),
        };
        let args = list_documents::Args {
            first: first.into(),
            before: before.into(),
            limit: list.page_size().into(),
        };
        let call = Call::new(&self.scripts.list_documents, keys, args);
        let mut found =
            self.connections.read(self.keys.slot(LANE), &call).await?.array()?.into_iter();
        let mut documents = Vec::new();
        while let Some(name) = found.next() {
            let (name, stored) = (name.text()?, next(&mut found)?.optional()?);
            let damaged = |_| damaged(&name, "it is not the name of a document");
            let name = name.parse().map_err(damaged)?;
            // A name without a document is left where a write failed half-way.
            documents.extend(stored.map(|stored| parse(name, &stored)).transpose()?);
        }
        Ok(documents)
    }
}

/// Reads what a key holds: the version, the key version, and the body.
fn parse(name: DocumentName, stored: &[u8]) -> Result<Document, StoreError> {
    let fields = || {
        let (version, rest) = stored.split_first_chunk()?;
        let (key, body) = rest.split_first_chunk()?;
        let version = DocumentVersion(OperationId::from_bytes(*version));
        Some((version, KeyVersion::new(u16::from_be_bytes(*key)), body.to_vec()))
    };
    let (version, key, body) =
        fields().ok_or_else(|| damaged(name.as_str(), "it is shorter than its header"))?;
    Ok(Document { name, version, key, body })
}

fn damaged(name: &str, detail: &str) -> StoreError {
    StoreError::Corrupt { what: format!("the document {name}"), detail: detail.to_owned() }
}
