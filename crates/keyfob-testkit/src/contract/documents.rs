//! Documents of the service: compare-and-set, and lists in the order of names.

use keyfob::store::{
    Document, DocumentName, DocumentVersion, DocumentWritten, ListDocuments, Operation, Order,
    StoreError, WriteDocument,
};

use super::fixture::Fixture;

fn name(text: &str) -> DocumentName {
    text.parse().expect("a valid name")
}

async fn write_as(
    fixture: &Fixture,
    operation: Operation,
    name: &DocumentName,
    read: Option<DocumentVersion>,
    body: Option<&[u8]>,
) -> Result<DocumentWritten, StoreError> {
    let write = WriteDocument::new(name.clone(), read, body.map(<[u8]>::to_vec));
    fixture.store().write_document(operation, write).await
}

async fn write(
    fixture: &Fixture,
    name: &DocumentName,
    read: Option<DocumentVersion>,
    body: Option<&[u8]>,
) -> DocumentWritten {
    let written = write_as(fixture, fixture.operation(), name, read, body).await;
    written.expect("the store answers")
}

/// Writes a document that must be as it was read.
async fn must_write(
    fixture: &Fixture,
    name: &DocumentName,
    read: Option<DocumentVersion>,
    body: &[u8],
) -> DocumentVersion {
    match write(fixture, name, read, Some(body)).await {
        DocumentWritten::Written(version) => version,
        DocumentWritten::Conflict => panic!("{name} was as it was read"),
    }
}

async fn read(fixture: &Fixture, name: &DocumentName) -> Option<Document> {
    fixture.store().read_document(name).await.expect("read_document succeeds")
}

async fn body(fixture: &Fixture, name: &DocumentName) -> Option<Vec<u8>> {
    read(fixture, name).await.map(|document| document.body)
}

/// A document comes back byte for byte, with the version that its write returned.
pub(super) async fn a_document_comes_back(fixture: Fixture) {
    let all_bytes: Vec<u8> = (0..=255).collect();
    let largest = vec![b'x'; Document::MAX_BODY];
    for (text, content) in [("a", &all_bytes), ("a/b-2", &Vec::new()), ("c/d/e", &largest)] {
        let name = name(text);
        assert_eq!(read(&fixture, &name).await, None);
        let version = must_write(&fixture, &name, None, content).await;
        let found = read(&fixture, &name).await.expect("it was written");
        assert_eq!((&found.name, found.version, &found.body), (&name, version, content));
    }
}

/// A write of somebody who has not read the present version changes nothing.
pub(super) async fn only_what_was_read_is_changed(fixture: Fixture) {
    let name = name("one");
    let first = must_write(&fixture, &name, None, b"first").await;
    assert_eq!(write(&fixture, &name, None, Some(b"x")).await, DocumentWritten::Conflict);
    let second = must_write(&fixture, &name, Some(first), b"second").await;
    assert_ne!(first, second);
    for body in [Some(&b"x"[..]), None] {
        assert_eq!(write(&fixture, &name, Some(first), body).await, DocumentWritten::Conflict);
    }
    assert_eq!(body(&fixture, &name).await.as_deref(), Some(&b"second"[..]));
    let other = self::name("two");
    assert_eq!(write(&fixture, &other, Some(first), Some(b"x")).await, DocumentWritten::Conflict);
    assert_eq!(write(&fixture, &other, Some(first), None).await, DocumentWritten::Conflict);
    assert_eq!(read(&fixture, &other).await, None);
}

/// A deleted document is in no read and in no list.
pub(super) async fn a_deleted_document_is_gone(fixture: Fixture) {
    let name = name("one");
    let version = must_write(&fixture, &name, None, b"first").await;
    assert!(matches!(
        write(&fixture, &name, Some(version), None).await,
        DocumentWritten::Written(_)
    ));
    assert_eq!(read(&fixture, &name).await, None);
    assert_eq!(names(&list(&fixture, None, 10).await), [""; 0]);
}

/// A document that was deleted and written again is another one.
pub(super) async fn a_version_never_comes_back(fixture: Fixture) {
    let name = name("one");
    let first = must_write(&fixture, &name, None, b"same").await;
    write(&fixture, &name, Some(first), None).await;
    let again = must_write(&fixture, &name, None, b"same").await;
    assert_ne!(first, again);
    assert_eq!(write(&fixture, &name, Some(first), Some(b"x")).await, DocumentWritten::Conflict);
}

/// A write that is sent again gets the same answer and changes nothing.
pub(super) async fn the_same_operation_takes_effect_once(fixture: Fixture) {
    let name = name("one");
    let operation = fixture.operation();
    let send = async |read, body| {
        write_as(&fixture, operation, &name, read, body).await.expect("the store answers")
    };
    let first = send(None, Some(&b"first"[..])).await;
    assert_eq!(send(None, Some(&b"first"[..])).await, first);
    let DocumentWritten::Written(version) = first else { panic!("there was none before") };
    must_write(&fixture, &name, Some(version), b"second").await;
    assert_eq!(send(None, Some(&b"first"[..])).await, first);
    assert_eq!(body(&fixture, &name).await.as_deref(), Some(&b"second"[..]));
    // A conflict stays one, whatever became of the document.
    let late = fixture.operation();
    let send = async || write_as(&fixture, late, &name, Some(version), None).await;
    assert_eq!(send().await.expect("the store answers"), DocumentWritten::Conflict);
    assert_eq!(send().await.expect("the store answers"), DocumentWritten::Conflict);
}

/// A write that arrives after its deadline does nothing.
pub(super) async fn a_late_write_does_nothing(fixture: Fixture) {
    let name = name("one");
    let version = must_write(&fixture, &name, None, b"first").await;
    let operation = Operation { deadline: fixture.now() + fixture.brief(), ..fixture.operation() };
    fixture.wait_until(operation.deadline + keyfob::Ttl::from_millis(1).expect("a time")).await;
    for body in [Some(&b"second"[..]), None] {
        let late = write_as(&fixture, operation, &name, Some(version), body).await;
        assert!(matches!(late, Err(StoreError::DeadlinePassed { .. })), "{late:?}");
    }
    assert_eq!(body(&fixture, &name).await.as_deref(), Some(&b"first"[..]));
}

/// A body of more than 64 KiB is refused.
pub(super) async fn a_body_that_is_too_large_is_refused(fixture: Fixture) {
    let name = name("one");
    let large = vec![b'x'; Document::MAX_BODY + 1];
    let refused = write_as(&fixture, fixture.operation(), &name, None, Some(&large)).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "{refused:?}");
    assert_eq!(read(&fixture, &name).await, None);
}

async fn list(fixture: &Fixture, folder: Option<&str>, limit: usize) -> Vec<Document> {
    let folder = folder.map(name);
    let mut all: Vec<Document> = Vec::new();
    loop {
        let after = all.last().map(|last| last.name.clone());
        let list = ListDocuments { folder: folder.clone(), after, limit };
        let page = fixture.store().list_documents(&list).await.expect("list_documents succeeds");
        assert!(page.len() <= limit);
        if page.is_empty() {
            return all;
        }
        all.extend(page);
    }
}

fn names(documents: &[Document]) -> Vec<&str> {
    documents.iter().map(|document| document.name.as_str()).collect()
}

/// A list is in the order of the bytes of the names, however long its pages are.
pub(super) async fn every_limit_lists_the_same_documents(fixture: Fixture) {
    let mut all = vec!["a", "a/b", "a/b/c", "a/b-c", "a-b", "a0", "b/a", "b/b", "bb/a"];
    for text in &all {
        must_write(&fixture, &name(text), None, text.as_bytes()).await;
    }
    all.sort_unstable();
    for limit in [1, 2, 3, 100] {
        let found = list(&fixture, None, limit).await;
        assert_eq!(names(&found), all);
        assert!(found.iter().all(|found| found.body == found.name.as_str().as_bytes()));
        assert_eq!(names(&list(&fixture, Some("a"), limit).await), ["a/b", "a/b-c", "a/b/c"]);
        assert_eq!(names(&list(&fixture, Some("a/b"), limit).await), ["a/b/c"]);
        assert_eq!(names(&list(&fixture, Some("b"), limit).await), ["b/a", "b/b"]);
        assert_eq!(names(&list(&fixture, Some("c"), limit).await), [""; 0]);
    }
    // A position in another folder.
    let list = async |folder, after| {
        let list = ListDocuments { folder: Some(name(folder)), after: Some(name(after)), limit: 9 };
        let found = fixture.store().list_documents(&list).await.expect("list_documents succeeds");
        found.len()
    };
    assert_eq!((list("b", "a/b").await, list("a", "b/a").await), (2, 0));
}

/// Of many who write the same version at the same time, one succeeds.
pub(super) async fn one_of_many_concurrent_writers_wins(fixture: Fixture) {
    let name = name("one");
    let mut present = None;
    for _ in 0..10 {
        let writers = (0..16).map(|writer: u8| {
            let (fixture, name) = (fixture.clone(), name.clone());
            tokio::spawn(async move { write(&fixture, &name, present, Some(&[writer])).await })
        });
        let mut won = Vec::new();
        for (writer, written) in writers.collect::<Vec<_>>().into_iter().enumerate() {
            if let DocumentWritten::Written(version) = written.await.expect("no panic") {
                won.push((writer as u8, version));
            }
        }
        let [(writer, version)] = won[..] else { panic!("one writer must win, not {won:?}") };
        let found = read(&fixture, &name).await.expect("it was written");
        assert_eq!((found.version, found.body), (version, vec![writer]));
        present = Some(version);
    }
}

/// Writers that read, add one and try again lose nothing.
pub(super) async fn no_increment_is_lost(fixture: Fixture) {
    let name = name("counter");
    let writers = (0..4).map(|_| {
        let (fixture, name) = (fixture.clone(), name.clone());
        tokio::spawn(async move {
            for _ in 0..8 {
                loop {
                    let found = read(&fixture, &name).await;
                    let count = found.as_ref().map_or(0, |found| found.body[0]) + 1;
                    let version = found.map(|found| found.version);
                    let written = write(&fixture, &name, version, Some(&[count])).await;
                    if written != DocumentWritten::Conflict {
                        break;
                    }
                }
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.expect("no panic");
    }
    assert_eq!(body(&fixture, &name).await, Some(vec![32]));
}

/// A document is in no list of tokens and writes no event, and revoking everything leaves it.
pub(super) async fn documents_are_no_tokens(fixture: Fixture) {
    let name = name("one");
    must_write(&fixture, &name, None, b"first").await;
    let all = fixture.store().namespace().all();
    assert!(fixture.list(fixture.query(all, Order::NewestFirst, 10)).await.is_empty());
    assert_eq!(fixture.events().await, [[0u8; 0]; 0]);
    fixture.advance(keyfob::store::EpochScope::All).await;
    assert_eq!(body(&fixture, &name).await.as_deref(), Some(&b"first"[..]));
}
