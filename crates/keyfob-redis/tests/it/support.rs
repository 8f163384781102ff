//! Shared helpers of the tests: a store in a separate namespace, and records to store.

use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::KeyVersion;
use keyfob::store::prelude::*;
use keyfob::store::{
    Epochs, Insert, Inserted, Lane, Loaded, NewRecord, Operation, Order, Query, StampRule, Term,
};
use keyfob::{Issued, Subject, Tag, Timestamp, TokenId, TokenManager, Ttl};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisServer, fresh_namespace};

pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}

pub(crate) fn operation() -> Operation {
    Operation::begin(now(), &OsRandom).unwrap()
}

/// Waits until a condition is true.
pub(crate) async fn until(what: &str, mut is: impl FnMut() -> bool) {
    let begun = std::time::Instant::now();
    while !is() {
        assert!(
            begun.elapsed() < std::time::Duration::from_secs(15),
            "timeout: did not happen: {what}"
        );
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

/// Returns the settings for a namespace that no other test uses.
pub(crate) fn config(url: &str, lanes: u16) -> RedisConfig {
    format!("{url}?namespace={}&lanes={lanes}", fresh_namespace()).parse().unwrap()
}

pub(crate) async fn open(config: &RedisConfig) -> RedisStore {
    RedisStore::open(config.clone()).await.unwrap()
}

/// Returns the keys of a namespace that match a pattern.
pub(crate) fn keys(server: &RedisServer, config: &RedisConfig, pattern: &str) -> Vec<String> {
    let text = config.to_string();
    let (_, namespace) = text.split_once("namespace=").unwrap();
    let keys = server.call(&["KEYS", &format!("{namespace}:{pattern}")]).unwrap();
    keys.list().iter().map(|key| key.to_string()).collect()
}

pub(crate) fn id_at(at: Timestamp, lane: Lane) -> TokenId {
    TokenId::draw(at, lane, &OsRandom).unwrap()
}

pub(crate) fn record(id: TokenId, life: Ttl, terms: Vec<Term>) -> NewRecord {
    NewRecord {
        id,
        body: vec![7; 150],
        key: KeyVersion::PLAINTEXT,
        keep_until: now() + life,
        uses_left: None,
        epochs: Epochs::default(),
        terms,
        stamp: StampRule::Present,
        counted: None,
    }
}

pub(crate) async fn insert(store: &RedisStore, record: NewRecord) -> TokenId {
    insert_by(store, operation(), record).await
}

pub(crate) async fn insert_by(
    store: &RedisStore,
    operation: Operation,
    record: NewRecord,
) -> TokenId {
    let id = record.id;
    let insert = Insert { records: vec![record], events: vec![b"issued".to_vec()] };
    let inserted = store.insert(operation, insert).await.unwrap();
    assert!(matches!(inserted, Inserted::Stored(_)), "{inserted:?}");
    id
}

pub(crate) fn tag(store: &RedisStore, name: &str) -> Term {
    store.namespace().tag(&Tag::new(name).unwrap())
}

pub(crate) fn subject(store: &RedisStore, name: &str) -> (Term, Lane) {
    let subject = Subject::new(name).unwrap();
    (store.namespace().subject(&subject), store.namespace().lane_of(&subject))
}

/// Returns every record under a term, page by page.
pub(crate) async fn list(
    store: &RedisStore,
    term: Term,
    order: Order,
    limit: usize,
) -> Vec<Loaded> {
    let mut query = Query { term, lane: None, order, after: None, limit };
    let mut all = Vec::new();
    loop {
        let page = store.query(&query).await.unwrap();
        assert!(page.records.len() <= limit);
        all.extend(page.records);
        match page.next {
            Some(next) => query.after = Some(next),
            None => return all,
        }
    }
}

/// How a manager answers for a token: "active", or the code of its error.
pub(crate) async fn code(manager: &TokenManager, issued: &Issued) -> String {
    match manager.validate_active(&issued.bearer).await {
        Ok(_) => "active".to_owned(),
        Err(error) => error.code().to_owned(),
    }
}

/// Waits until a manager answers so.
pub(crate) async fn until_code(manager: &TokenManager, issued: &Issued, expected: &str) {
    let begun = std::time::Instant::now();
    loop {
        let found = code(manager, issued).await;
        if found == expected {
            return;
        }
        assert!(begun.elapsed() < std::time::Duration::from_secs(15), "{found}, not {expected}");
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}
