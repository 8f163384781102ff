//! The fixture of a scenario: the store, builders for records and commands, and shared assertions.
//!
//! Each helper panics with the expected result if the store gives another one.

use std::sync::Arc;

use keyfob::random::OsRandom;
use keyfob::seal::KeyVersion;
use keyfob::store::{
    Advance, Advanced, Cursor, Entry, EpochField, EpochScope, Epochs, Feed, Insert, Inserted, Lane,
    Loaded, MarkScope, NewRecord, Operation, Order, Position, Query, RecordVersion, Replace,
    RevocationMark, Revoke, Revoked, Stamp, StampRule, StoreError, Term, Verdict,
};
use keyfob::{ClientId, Store, Subject, Tag, Timestamp, TokenId, Ttl};

use super::Setup;

/// The maximum number of pages of a listing.
const MAX_PAGES: usize = 10_000;

/// The fixture of one scenario. Clones share the store.
#[derive(Clone, Debug)]
pub struct Fixture(Arc<Setup>);

impl Fixture {
    pub(crate) fn new(setup: Setup) -> Self {
        Self(Arc::new(setup))
    }

    /// The store.
    pub fn store(&self) -> &dyn Store {
        &*self.0.store
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.0.now()
    }

    /// See [`Setup::has_invalidations`].
    pub fn has_invalidations(&self) -> bool {
        self.0.has_invalidations
    }

    /// See [`Setup::brief`].
    pub fn brief(&self) -> Ttl {
        self.0.brief()
    }

    /// See [`Setup::wait_until`].
    pub async fn wait_until(&self, at: Timestamp) {
        self.0.wait_until(at).await;
    }

    /// Returns every lane.
    pub fn lanes(&self) -> Vec<Lane> {
        self.store().namespace().lanes().lanes().collect()
    }

    /// Returns a lane. Consecutive numbers give different lanes, if the store has several.
    pub fn lane(&self, number: u16) -> Lane {
        Lane::new(number % self.store().namespace().lanes().get())
    }

    /// Returns a new operation.
    pub fn operation(&self) -> Operation {
        Operation::begin(self.now(), &OsRandom).expect("randomness")
    }

    /// Returns a new id.
    pub fn id(&self, lane: Lane) -> TokenId {
        self.id_at(self.now(), lane)
    }

    /// Returns a new id, drawn at another time.
    pub fn id_at(&self, at: Timestamp, lane: Lane) -> TokenId {
        TokenId::draw(at, lane, &OsRandom).expect("randomness")
    }

    /// Returns a new record without uses, epochs or terms, kept for an hour.
    pub fn record(&self, lane: Lane) -> NewRecord {
        let id = self.id(lane);
        NewRecord {
            id,
            body: id.as_bytes().to_vec(),
            key: KeyVersion::PLAINTEXT,
            keep_until: self.now() + Ttl::from_hours(1),
            uses_left: None,
            epochs: Epochs::default(),
            terms: Vec::new(),
            stamp: StampRule::Present,
            counted: None,
        }
    }

    /// Returns the epoch field of a subject.
    pub fn subject_epoch(&self, name: &str) -> EpochField {
        let subject = Subject::new(name).expect("a valid subject");
        self.store().namespace().subject_epoch(&subject)
    }

    /// Returns the epoch field of a client.
    pub fn client_epoch(&self, name: &str) -> EpochField {
        let client = ClientId::new(name).expect("a valid client id");
        self.store().namespace().client_epoch(&client)
    }

    /// Returns the epoch field of a token as an ancestor.
    pub fn ancestor_epoch(&self, ancestor: TokenId) -> EpochField {
        self.store().namespace().ancestor_epoch(ancestor)
    }

    /// Returns a term that can list records of all lanes.
    pub fn tag(&self, name: &str) -> Term {
        self.store().namespace().tag(&Tag::new(name).expect("a valid tag"))
    }

    /// Returns a term whose records are all in one lane, and that lane.
    pub fn subject(&self, name: &str) -> (Term, Lane) {
        let subject = Subject::new(name).expect("a valid subject");
        let namespace = self.store().namespace();
        (namespace.subject(&subject), namespace.lane_of(&subject))
    }

    /// Stores a record.
    pub async fn insert(&self, record: NewRecord) -> Stamp {
        self.insert_all(vec![record]).await
    }

    /// Stores records of one lane together.
    pub async fn insert_all(&self, records: Vec<NewRecord>) -> Stamp {
        match self.try_insert(records).await {
            Ok(Inserted::Stored(stamp)) => stamp,
            other => panic!("new records must be stored, not {other:?}"),
        }
    }

    /// Sends an insert without events and returns the result.
    pub async fn try_insert(&self, records: Vec<NewRecord>) -> Result<Inserted, StoreError> {
        let insert = Insert { records, events: Vec::new() };
        self.store().insert(self.operation(), insert).await
    }

    /// Loads a record that may be missing.
    pub async fn load(&self, id: TokenId) -> Option<Loaded> {
        self.store().load(id).await.expect("load succeeds")
    }

    /// Loads a record that must exist.
    pub async fn loaded(&self, id: TokenId) -> Loaded {
        self.load(id).await.unwrap_or_else(|| panic!("{id} was stored and must be found"))
    }

    /// Fails if the record's verdict is not `Clear`.
    pub async fn assert_clear(&self, id: TokenId, message: &str) {
        assert_eq!(self.loaded(id).await.verdict, Verdict::Clear, "{message}");
    }

    /// Fails if the record is not revoked through `through`. Returns the revocation mark.
    pub async fn assert_revoked(
        &self,
        id: TokenId,
        through: MarkScope,
        message: &str,
    ) -> RevocationMark {
        match self.loaded(id).await.verdict {
            Verdict::Revoked(mark) if mark.through == through => mark,
            other => panic!("{message}: expected a revocation through {through:?}, not {other:?}"),
        }
    }

    /// Advances an epoch, without events.
    pub async fn advance(&self, scope: EpochScope) -> Advanced {
        let advance = Advance::new(scope, self.now());
        self.store().advance(self.operation(), advance).await.expect("advance succeeds")
    }

    /// Revokes a record, without cascade or events.
    pub async fn revoke(&self, id: TokenId) -> Revoked {
        let revoke = self.revocation(id);
        self.store().revoke(self.operation(), revoke).await.expect("revoke succeeds")
    }

    /// Returns a revocation without note, cascade or events.
    pub fn revocation(&self, id: TokenId) -> Revoke {
        Revoke::new(id, self.now())
    }

    /// Returns a replacement that only sets a new body.
    pub fn replacement(&self, id: TokenId, read: RecordVersion, body: &[u8]) -> Replace {
        Replace::new(id, read, body.to_vec())
    }

    /// Returns the current stamp of a lane.
    pub async fn stamp(&self, lane: Lane) -> Stamp {
        self.store().stamp(lane).await.expect("stamp succeeds")
    }

    /// Returns a query for all records under a term, in pages of `limit`.
    pub fn query(&self, term: Term, order: Order, limit: usize) -> Query {
        Query { term, lane: None, order, after: None, limit }
    }

    /// Returns all records of a query. Checks that the pages keep the limit, are in order and end.
    pub async fn list(&self, mut query: Query) -> Vec<Loaded> {
        let mut all: Vec<Loaded> = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.store().query(&query).await.expect("query succeeds");
            let count = page.records.len();
            assert!(count <= query.limit, "a page of {count} where {} was the limit", query.limit);
            let mut before = query.after;
            for record in page.records {
                let place = Position::of(&record);
                if let Some(before) = before {
                    let order = before.compare(&place, query.order);
                    assert!(order.is_lt(), "{place:?} must not follow {before:?}");
                }
                before = Some(place);
                all.push(record);
            }
            let Some(next) = page.next else { return all };
            assert!(
                Some(next) != query.after,
                "the next page starts at the same position: {next:?}"
            );
            query.after = Some(next);
        }
        panic!("a listing does not end");
    }

    /// Returns the ids of all records that a query finds.
    pub async fn list_ids(&self, query: Query) -> Vec<TokenId> {
        self.list(query).await.into_iter().map(|record| record.id).collect()
    }

    /// Returns every entry of a feed after a cursor, and the cursor after them.
    pub async fn entries_after(
        &self,
        feed: Feed,
        mut cursor: Cursor,
        limit: usize,
    ) -> (Vec<Entry>, Cursor) {
        let mut all = Vec::new();
        for _ in 0..MAX_PAGES {
            let page = self.store().entries(feed, &cursor, limit).await;
            let page = page.expect("entries succeeds");
            let count = page.entries.len();
            assert!(count <= limit, "a page of {count} entries where {limit} was the limit");
            assert!(!page.trimmed, "nothing was trimmed from a feed this short");
            all.extend(page.entries);
            cursor = page.cursor;
            if !page.more {
                return (all, cursor);
            }
        }
        panic!("a feed does not end");
    }

    /// Returns the bodies of all events, in order.
    pub async fn events(&self) -> Vec<Vec<u8>> {
        let (entries, _) = self.entries_after(Feed::Events, Cursor::start(), 100).await;
        entries.into_iter().map(|entry| entry.body).collect()
    }
}

/// Returns an id with the same local bytes and lane and a different last byte.
pub(crate) fn same_local_bytes(id: TokenId) -> TokenId {
    let mut bytes = *id.as_bytes();
    bytes[15] ^= 1;
    TokenId::from_bytes(bytes)
}

/// Returns the texts as events.
pub(crate) fn texts(texts: &[&str]) -> Vec<Vec<u8>> {
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
