//! The server deletes expired data, without a running keyfob.

use keyfob::store::prelude::*;
use std::time::Duration;

use keyfob::store::{CountedAs, Cursor, Feed, Insert, Lane, LastUse, NewRecord, Operation, Revoke};
use keyfob::{Grant, Kind, TokenManager, Ttl};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::RedisServer;

use crate::support::*;

#[tokio::test]
async fn expired_data_is_gone_without_a_running_store() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 8).with_feed(800, Ttl::from_days(1));
    let store = open(&config).await;
    let client = tag(&store, "client");
    let mut writers = tokio::task::JoinSet::new();
    let store = std::sync::Arc::new(store);
    for writer in 0..16 {
        let store = std::sync::Arc::clone(&store);
        writers.spawn(async move {
            for n in 0..625u16 {
                // Enough subjects that each of the 8 lanes has some, whatever the namespace's key is.
                let (user, lane) = subject(&store, &format!("user-{}", n % 200));
                let terms = vec![store.namespace().all(), user, client];
                let new = record(id_at(now(), lane), Ttl::from_secs(2), terms);
                let (kind, ends_at) = (Kind::Access, new.keep_until);
                let counted = Some(CountedAs { kind, starts_at: None, ends_at });
                let new = NewRecord { counted, ..new };
                // Answers are kept until the deadline of their operation, and no longer.
                let soon = Operation { deadline: now() + Ttl::from_secs(2), ..operation() };
                let id = insert_by(&store, soon, new).await;
                if writer == 0 {
                    store.touch(&[LastUse::new(id, now())]).await.unwrap();
                }
                if writer == 1 {
                    let note = b"why".to_vec();
                    let revoke = Revoke { note, ..Revoke::new(id, now()) };
                    store.revoke(operation(), revoke).await.unwrap();
                }
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    store.close().await;
    drop(store);
    // The server deletes expired keys ten times a second, some at a time.
    let deadline = std::time::Instant::now() + Duration::from_secs(20);
    let streams = 8;
    while server.key_count().unwrap() > 1 + streams && std::time::Instant::now() < deadline {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let left = keys(&server, &config, "*");
    let mut classes: Vec<_> = left.iter().map(|key| key.split(':').nth(1).unwrap()).collect();
    classes.sort_unstable();
    assert_eq!(classes.len() as u64, 1 + streams, "a meta key and a stream in each lane");
    assert!(classes.iter().all(|class| class.starts_with("e{") || *class == "meta"));
    for stream in left.iter().filter(|key| !key.ends_with("meta")) {
        let length = server.call(&["XLEN", stream]).unwrap().number();
        // The cap is 100 for each lane. The server trims a hundred entries at a time.
        assert!((1..=300).contains(&length), "{stream} holds {length}");
        assert!(server.call(&["PTTL", stream]).unwrap().number() > 0, "{stream} ends");
    }
}

#[tokio::test]
async fn every_key_but_the_meta_key_expires() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 2).with_leaf(8);
    let store = open(&config).await;
    let term = tag(&store, "tag");
    for n in 0..100u64 {
        let lane = Lane::new((n % 2) as u16);
        let at = now().saturating_sub(Ttl::from_secs(1 + n * 37 % 50));
        let id = insert(&store, record(id_at(at, lane), Ttl::from_secs(100 + n), vec![term])).await;
        store.touch(&[LastUse::new(id, now())]).await.unwrap();
        store.observe(lane, vec![b"seen".to_vec()]).await.unwrap();
        let note = b"why".to_vec();
        let cascade = Some(store.namespace().ancestor_epoch(id));
        let revoke =
            Revoke { note, cascade, events: vec![b"event".to_vec()], ..Revoke::new(id, now()) };
        store.revoke(operation(), revoke).await.unwrap();
        store.stamp(lane).await.unwrap();
    }
    assert!(server.key_count().unwrap() > 300);
    // Key names contain bytes that are not text, so a script on the server reads them.
    let script = "local n = 0 for _, k in ipairs(redis.call('KEYS', '*')) do \
        if redis.call('PTTL', k) == -1 then n = n + 1 end end return n";
    let without_end = server.call(&["EVAL", script, "0"]).unwrap().number();
    assert_eq!(without_end, 1, "only the meta key has no end");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_short_tokens_leave_nothing() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 8).with_feed(800, Ttl::from_days(1));
    let manager = TokenManager::new(RedisStore::open(config.clone()).await.unwrap());
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..20 {
        let manager = manager.clone();
        writers.spawn(async move {
            for n in 0..500 {
                let grant = Grant::new(Kind::Access)
                    .subject(format!("user-{}", n % 50))
                    .client(format!("client-{writer}"))
                    .ttl(Ttl::from_secs(2));
                manager.issue(grant).await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let issued = std::time::Instant::now();
    manager.shutdown().await;
    drop(manager);
    // A token is kept for half a second after its two seconds, its answer for eight seconds more.
    while server.key_count().unwrap() > 1 + 8 {
        let took = issued.elapsed();
        let left = server.key_count().unwrap();
        assert!(took < Duration::from_secs(16), "{left} keys are there after {took:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let left = keys(&server, &config, "*");
    let mut classes: Vec<_> = left.iter().map(|key| key.split(':').nth(1).unwrap()).collect();
    classes.retain(|class| *class != "meta" && !class.starts_with("e{"));
    assert!(classes.is_empty(), "a meta key and streams are left, and {classes:?}");
    let dbsize = server.call(&["DBSIZE"]).unwrap().number();
    assert!(dbsize <= 9, "{dbsize} keys");
    for stream in left.iter().filter(|key| !key.ends_with("meta")) {
        let length = server.call(&["XLEN", stream]).unwrap().number();
        assert!((1..=300).contains(&length), "{stream} holds {length}");
    }
}

#[tokio::test]
async fn a_repeated_insert_after_its_record_is_gone_is_applied_once() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 2);
    let store = open(&config).await;
    let (lane, operation) = (Lane::new(1), operation());
    let new = record(id_at(now(), lane), Ttl::from_secs(1), vec![tag(&store, "tag")]);
    let insert = Insert { records: vec![new.clone()], events: vec![b"issued".to_vec()] };
    let stamp = store.insert(operation, insert.clone()).await.unwrap();
    let again = store.insert(operation, insert.clone()).await.unwrap();
    assert_eq!(again, stamp, "the lane works immediately");
    let answers = || keys(&server, &config, "a*").len();
    assert_eq!(answers(), 1, "the answer is remembered");
    while answers() > 0 {
        assert!(now() < new.keep_until + Ttl::from_secs(11), "the answer outlives the record");
        tokio::time::sleep(Duration::from_millis(200)).await;
        store.insert(operation, insert.clone()).await.unwrap();
    }
    store.insert(operation, insert).await.unwrap();
    assert!(store.load(new.id).await.unwrap().is_none(), "the record does not come back");
    assert_eq!(answers(), 0);
    let page = store.entries(Feed::Events, &Cursor::start(), 10).await.unwrap();
    assert_eq!(page.entries.len(), 1, "the repetition writes no second event");
}
