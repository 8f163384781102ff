//! The fixture of the tests: a temporary folder, a manual clock, and simple commands.

use keyfob::store::prelude::*;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::seal::KeyVersion;
use keyfob::store::{
    Advance, Cursor, EpochField, EpochScope, Epochs, Feed, Insert, Inserted, Lane, NewRecord,
    Operation, Order, Query, Revoke, StampRule, Term,
};
use keyfob::{Subject, Tag, Timestamp, TokenId, Ttl};
use keyfob_redb::{Options, RedbStore};
use tempfile::TempDir;

pub(crate) struct Fixture {
    pub(crate) clock: ManualClock,
    folder: PathBuf,
    /// Deletes the folder at the end.
    _temporary: Option<TempDir>,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        let temporary = tempfile::tempdir().unwrap();
        Self {
            folder: temporary.path().to_owned(),
            _temporary: Some(temporary),
            ..Self::in_folder("")
        }
    }

    /// Creates a fixture with a file in this folder. The folder is kept.
    pub(crate) fn in_folder(folder: impl Into<PathBuf>) -> Self {
        let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().unwrap());
        Self { clock, folder: folder.into(), _temporary: None }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.join("keyfob.redb")
    }

    pub(crate) fn now(&self) -> Timestamp {
        keyfob::clock::Clock::now(&self.clock)
    }

    pub(crate) fn options(&self) -> Options {
        Options::new().clock(Arc::new(self.clock.clone())).wait_for_lock(Duration::ZERO)
    }

    pub(crate) fn store(&self) -> RedbStore {
        self.options().open(self.path()).unwrap()
    }

    pub(crate) fn operation(&self) -> Operation {
        operation(&self.clock)
    }

    /// Returns a record of `subject` that is listed under it and kept for an hour.
    pub(crate) fn record(&self, store: &RedbStore, subject: &str) -> NewRecord {
        record(store, &self.clock, subject)
    }

    pub(crate) async fn insert(&self, store: &RedbStore, records: Vec<NewRecord>) {
        let insert = Insert { records, events: vec![b"issued".to_vec()] };
        let inserted = store.insert(self.operation(), insert).await.unwrap();
        assert!(matches!(inserted, Inserted::Stored(_)), "{inserted:?}");
    }

    pub(crate) fn revocation(&self, id: TokenId) -> Revoke {
        revocation(&self.clock, id)
    }
}

pub(crate) fn operation(clock: &dyn keyfob::clock::Clock) -> Operation {
    Operation::begin(clock.now(), &OsRandom).unwrap()
}

pub(crate) fn record(
    store: &RedbStore,
    clock: &dyn keyfob::clock::Clock,
    subject: &str,
) -> NewRecord {
    let namespace = store.namespace();
    let owner = Subject::new(subject).unwrap();
    let lane = namespace.lane_of(&owner);
    let epochs = Epochs { subject: Some(namespace.subject_epoch(&owner)), ..Epochs::default() };
    NewRecord {
        id: TokenId::draw(clock.now(), lane, &OsRandom).unwrap(),
        body: format!("the body of {subject}").into_bytes(),
        key: KeyVersion::PLAINTEXT,
        keep_until: clock.now() + Ttl::from_hours(1),
        uses_left: None,
        epochs,
        terms: vec![namespace.all(), namespace.subject(&owner), tag(store, "mobile")],
        stamp: StampRule::Present,
        counted: None,
    }
}

pub(crate) fn revocation(clock: &dyn keyfob::clock::Clock, id: TokenId) -> Revoke {
    let note = b"logout".to_vec();
    Revoke { note, events: vec![b"revoked".to_vec()], ..Revoke::new(id, clock.now()) }
}

pub(crate) fn advance(clock: &dyn keyfob::clock::Clock, lane: Lane, field: EpochField) -> Advance {
    let (scope, note) = (EpochScope::Lane(lane, field), b"everywhere".to_vec());
    Advance { note, events: vec![b"advanced".to_vec()], ..Advance::new(scope, clock.now()) }
}

pub(crate) fn tag(store: &RedbStore, tag: &str) -> Term {
    store.namespace().tag(&Tag::new(tag).unwrap())
}

pub(crate) async fn ids(store: &RedbStore, term: Term, order: Order) -> Vec<TokenId> {
    let query = Query { term, lane: None, order, after: None, limit: 100_000 };
    store.query(&query).await.unwrap().records.into_iter().map(|record| record.id).collect()
}

pub(crate) async fn events(store: &RedbStore) -> Vec<Vec<u8>> {
    let page = store.entries(Feed::Events, &Cursor::start(), 100_000).await.unwrap();
    page.entries.into_iter().map(|entry| entry.body).collect()
}

/// Fails if the integrity check finds a problem.
pub(crate) async fn assert_consistent(store: &RedbStore) {
    let found = store.check().await.unwrap();
    assert!(found.is_consistent(), "{found:#?}");
}
