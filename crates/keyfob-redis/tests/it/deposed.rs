//! A primary that most sentinels have replaced and that does not know it.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::{Duration, Instant};

use keyfob::store::{Lane, Revoke, StoreError, Verdict};
use keyfob::{TokenId, Ttl};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::{RedisSentinel, RedisServer, fresh_namespace};

use crate::fake::{Fake, sentinel_answer};
use crate::support::*;

/// A sentinel that names the port that the test sets.
async fn sentinel(names: &Arc<AtomicU16>) -> Fake {
    let names = Arc::clone(names);
    Fake::start(move |words| sentinel_answer(words, "127.0.0.1", names.load(Ordering::SeqCst)))
        .await
}

struct Stage {
    old: RedisServer,
    new: RedisServer,
    names: Vec<Arc<AtomicU16>>,
    sentinels: Vec<Fake>,
    store: RedisStore,
    id: TokenId,
}

/// Two primaries with the same data, three sentinels that name the old one, and a store.
async fn stage() -> Stage {
    let (old, new) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let (mut names, mut sentinels) = (Vec::new(), Vec::new());
    for _ in 0..3 {
        names.push(Arc::new(AtomicU16::new(old.port())));
        sentinels.push(sentinel(names.last().unwrap()).await);
    }
    let listed: Vec<_> =
        sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
    let url = format!("redis+sentinel://{}/it", listed.join(","));
    let store = open(&config(&url, 4)).await;
    let id = insert(&store, record(id_at(now(), Lane::new(1)), Ttl::from_hours(1), vec![])).await;
    new.call(&["REPLICAOF", "127.0.0.1", &old.port().to_string()]).unwrap();
    while new.key_count().unwrap() < old.key_count().unwrap() {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    new.call(&["REPLICAOF", "NO", "ONE"]).unwrap();
    Stage { old, new, names, sentinels, store, id }
}

fn clients(server: &RedisServer) -> u64 {
    server.info("clients").unwrap()["connected_clients"].parse().unwrap()
}

#[tokio::test]
async fn a_primary_that_most_sentinels_replaced_is_left_although_it_answers() {
    let stage = stage().await;
    // One sentinel alone is not a majority.
    stage.names[0].store(stage.new.port(), Ordering::SeqCst);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(clients(&stage.new), 1, "only the test is connected");
    stage.names[2].store(stage.new.port(), Ordering::SeqCst);

    // The store detects the change without any call.
    let begun = Instant::now();
    while clients(&stage.old) > 1 {
        assert!(begun.elapsed() < Duration::from_secs(4), "the deposed primary is still used");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let (id, at) = (stage.id, now());
    let revoke = Revoke::new(id, at);
    stage.store.revoke(operation(), revoke).await.unwrap();
    let loaded = stage.store.load(id).await.unwrap().unwrap();
    assert!(matches!(loaded.verdict, Verdict::Revoked(_)), "{loaded:?}");
    assert!(clients(&stage.new) > 1, "the store uses the new primary");
}

#[tokio::test]
async fn without_a_majority_of_sentinels_no_call_is_answered_in_the_end() {
    let stage = stage().await;
    stage.sentinels[1].stop();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(stage.store.load(stage.id).await.unwrap().is_some(), "two of three are enough");
    stage.sentinels[2].stop();
    let begun = Instant::now();
    let refused = loop {
        match stage.store.load(stage.id).await {
            // A call that began in time may search for a majority during the whole time limit of a
            // call.
            Ok(_) => assert!(
                begun.elapsed() < Duration::from_millis(400),
                "the deposed primary is still used"
            ),
            Err(error) => break error,
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    };
    assert!(matches!(refused, StoreError::Unavailable { .. }), "{refused:?}");
    assert!(refused.to_string().contains("sentinels"), "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_is_noticed_without_any_call() {
    let group = RedisSentinel::start(1).unwrap();
    let url = format!("{}?namespace={}", crate::sentinel_url(&group), fresh_namespace());
    let store = RedisStore::connect(&url).await.unwrap();
    let new = tokio::task::block_in_place(|| group.failover()).unwrap();
    let ours = || {
        let scripts = new.info("commandstats").unwrap();
        // The maintenance task reads the clock of the primary.
        scripts.contains_key("cmdstat_time")
    };
    let begun = Instant::now();
    while !ours() {
        assert!(
            begun.elapsed() < Duration::from_secs(6),
            "the store did not connect to the new primary"
        );
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    drop(store);
}
