//! Scripts in which a command fails after earlier commands have written.

use keyfob::Ttl;
use keyfob::random::OsRandom;
use keyfob::store::prelude::*;
use keyfob::store::{
    Advance, Consume, Consumed, Cursor, EpochScope, Feed, Insert, Lane, Operation, Order, Replace,
    Revoke, Revoked, StoreError, Verdict,
};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::RedisServer;

use crate::support::*;

/// Makes every append to the event log of the lane fail, and returns the key that does it.
fn block_events(server: &RedisServer, config: &RedisConfig) -> String {
    let lane = keys(server, config, "l*").pop().unwrap();
    let key = lane.replace(":l{", ":e{");
    server.call(&["DEL", &key]).unwrap();
    server.call(&["SET", &key, "of another program"]).unwrap();
    key
}

async fn events(store: &RedisStore) -> Vec<Vec<u8>> {
    let page = store.entries(Feed::Events, &Cursor::start(), 100).await.unwrap();
    page.entries.into_iter().map(|entry| entry.body).collect()
}

#[tokio::test]
async fn a_partial_revocation_stays_and_a_repetition_writes_its_event_once() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let id =
        insert(&store, record(id_at(now(), Lane::default()), Ttl::from_hours(1), vec![])).await;
    let blocked = block_events(&server, &config);
    let operation = operation();
    let (note, events_of) = (b"why".to_vec(), vec![b"cause".to_vec(), b"revoked".to_vec()]);
    let revoke = Revoke { note, events: events_of, ..Revoke::new(id, now()) };
    for _ in 0..2 {
        let outcome = store.revoke(operation, revoke.clone()).await;
        let unknown = matches!(outcome, Err(StoreError::OutcomeUnknown { operation: id }) if id == operation.id);
        assert!(unknown, "{outcome:?}");
        let Verdict::Revoked(mark) = store.load(id).await.unwrap().unwrap().verdict else {
            panic!("it is revoked, whatever else failed")
        };
        assert_eq!(mark.note, b"why");
    }
    // Another operation finds the record revoked.
    let other = store.revoke(self::operation(), revoke.clone()).await.unwrap();
    assert!(matches!(other, Revoked::Before(_)), "{other:?}");
    server.call(&["DEL", &blocked]).unwrap();
    for _ in 0..2 {
        assert_eq!(store.revoke(operation, revoke.clone()).await.unwrap(), Revoked::Now);
        assert_eq!(events(&store).await, [b"cause".to_vec(), b"revoked".to_vec()]);
    }
}

#[tokio::test]
async fn a_partial_advance_stays_and_is_not_repeated() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let lane = Lane::default();
    let before = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    for scope in
        [EpochScope::All, EpochScope::Lane(lane, keyfob::store::EpochField::from_bytes([7; 8]))]
    {
        let blocked = block_events(&server, &config);
        let operation = operation();
        let advance = Advance { events: vec![b"advanced".to_vec()], ..Advance::new(scope, now()) };
        let outcome = store.advance(operation, advance.clone()).await;
        assert!(matches!(outcome, Err(StoreError::OutcomeUnknown { .. })), "{outcome:?}");
        assert!(matches!(store.load(before).await.unwrap().unwrap().verdict, Verdict::Revoked(_)));
        server.call(&["DEL", &blocked]).unwrap();
        // A token issued now is not covered by a repetition.
        let later = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
        for _ in 0..2 {
            assert_eq!(store.advance(operation, advance.clone()).await.unwrap().lanes, 1);
            assert_eq!(store.load(later).await.unwrap().unwrap().verdict, Verdict::Clear);
            let written = events(&store).await.iter().filter(|body| **body == b"advanced").count();
            assert_eq!(written, 1, "{scope:?}");
        }
    }
}

#[tokio::test]
async fn a_write_that_cannot_be_completed_changes_nothing() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    let store = open(&config).await;
    let (lane, life) = (Lane::default(), Ttl::from_hours(1));
    let term = tag(&store, "beta");
    let counted = keyfob::store::NewRecord {
        uses_left: Some(2),
        ..record(id_at(now(), lane), life, vec![term])
    };
    let id = insert(&store, counted).await;
    let loaded = store.load(id).await.unwrap().unwrap();
    let blocked = block_events(&server, &config);

    // New records are not stored or listed, and their ids are free.
    let new = record(id_at(now(), lane), life, vec![term]);
    let begun = operation();
    let insert_of = |record| Insert { records: vec![record], events: vec![b"issued".to_vec()] };
    let error = store.insert(begun, insert_of(new.clone())).await.unwrap_err();
    assert_eq!(error.code(), "not_a_store", "{error}");
    assert!(store.load(new.id).await.unwrap().is_none());
    assert_eq!(list(&store, term, Order::NewestFirst, 10).await.len(), 1);

    // The record is unchanged, and nothing was minted from it.
    let minted = record(id_at(now(), lane), life, vec![]);
    let replace = Replace {
        minted: vec![minted.clone()],
        events: vec![b"replaced".to_vec()],
        ..Replace::new(id, loaded.version, b"changed".to_vec())
    };
    let replacing = operation();
    let error = store.replace(replacing, replace.clone()).await.unwrap_err();
    assert_eq!(error.code(), "not_a_store", "{error}");
    let found = store.load(id).await.unwrap().unwrap();
    assert_eq!((found.version, found.body), (loaded.version, loaded.body));
    assert!(store.load(minted.id).await.unwrap().is_none());

    // The same operations succeed when the log can be written again, with one event each.
    server.call(&["DEL", &blocked]).unwrap();
    store.insert(begun, insert_of(new.clone())).await.unwrap();
    store.replace(replacing, replace).await.unwrap();
    assert!(store.load(new.id).await.unwrap().is_some());
    assert!(store.load(minted.id).await.unwrap().is_some());
    assert_eq!(events(&store).await, [b"issued".to_vec(), b"replaced".to_vec()]);
    let consumed = store.consume(Operation::begin(now(), &OsRandom).unwrap(), Consume { id }).await;
    assert_eq!(consumed.unwrap(), Consumed::Left(1));
}
