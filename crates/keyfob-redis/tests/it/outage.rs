//! Servers that stop, restart, or fail over.

use keyfob::store::prelude::*;
use std::time::{Duration, Instant};

use keyfob::Ttl;
use keyfob::store::{Advance, EpochScope, Lane, Revoke, Revoked, Severity, StoreError, Verdict};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::{RedisCluster, RedisSentinel, RedisServer};

use tokio::task::block_in_place;

use crate::support::*;

fn revocation(id: keyfob::TokenId) -> Revoke {
    Revoke { note: b"why".to_vec(), ..Revoke::new(id, now()) }
}

#[tokio::test]
async fn a_restarted_server_is_used_again() {
    let server = RedisServer::builder().append_only().start().unwrap();
    let store = open(&config(&server.url(), 8)).await;
    let lane = Lane::new(3);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    server.kill9();
    let begun = Instant::now();
    let read = store.load(id).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    let write = store.revoke(operation(), revocation(id)).await;
    assert!(
        matches!(write, Err(StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. })),
        "{write:?}"
    );
    assert!(begun.elapsed() < Duration::from_secs(8), "both give up: {:?}", begun.elapsed());
    server.restart().unwrap();
    // The server has no scripts any more, and the connection is a new one.
    assert!(store.load(id).await.unwrap().is_some());
    assert_eq!(store.revoke(operation(), revocation(id)).await.unwrap(), Revoked::Now);
}

#[tokio::test]
async fn scripts_that_were_flushed_are_loaded_again() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 8)).await;
    server.call(&["SCRIPT", "FLUSH"]).unwrap();
    let mut calls = Vec::new();
    for n in 0..20 {
        let new = record(id_at(now(), Lane::new(n % 8)), Ttl::from_hours(1), vec![]);
        calls.push(insert(&store, new));
    }
    for id in futures_util::future::join_all(calls).await {
        assert!(store.load(id).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn a_server_whose_memory_is_full_still_takes_revocations() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 8)).await;
    let lane = Lane::new(0);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    server.call(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let new = keyfob::store::Insert {
        records: vec![record(id_at(now(), lane), Ttl::from_hours(1), vec![])],
        events: vec![],
    };
    let refused = store.insert(operation(), new).await.unwrap_err();
    assert_eq!(refused.code(), "store_unavailable", "{refused}");
    assert!(refused.to_string().contains("OOM"), "{refused}");
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
    assert_eq!(store.revoke(operation(), revocation(id)).await.unwrap(), Revoked::Now);
    let advance = Advance::new(EpochScope::All, now());
    assert_eq!(store.advance(operation(), advance).await.unwrap().lanes, 8);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_follow_the_sentinels_to_the_new_primary() {
    let group = RedisSentinel::start(1).unwrap();
    let config = config(&crate::sentinel_url(&group), 8);
    let store = open(&config).await;
    let lane = Lane::new(5);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    // Both are stored before the change, so the change loses neither.
    block_in_place(|| group.servers()[0].wait_until_copied_to(&group.servers()[1])).unwrap();
    block_in_place(|| {
        group.servers()[0].kill9();
        group.wait_for_another_than(Some(group.servers()[0].port())).map(drop).unwrap();
    });
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
    assert_eq!(store.revoke(operation(), revocation(id)).await.unwrap(), Revoked::Now);
    let later = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    assert!(store.load(later).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cluster_failover_is_followed() {
    let cluster = RedisCluster::start().unwrap();
    let store = open(&config(&crate::cluster_url(&cluster), 16)).await;
    let mut ids = Vec::new();
    for lane in store.namespace().lanes().lanes() {
        ids.push(insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await);
    }
    block_in_place(|| {
        let primary = cluster.primaries()[0];
        cluster.hand_over(primary).unwrap();
    });
    for id in &ids {
        assert_eq!(store.load(*id).await.unwrap().unwrap().verdict, Verdict::Clear);
        assert_eq!(store.revoke(operation(), revocation(*id)).await.unwrap(), Revoked::Now);
    }
    let advance = Advance::new(EpochScope::All, now());
    assert_eq!(store.advance(operation(), advance).await.unwrap().lanes, 16);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_moving_slot_is_followed() {
    let cluster = RedisCluster::start().unwrap();
    let config = config(&crate::cluster_url(&cluster), 1);
    let store = open(&config).await;
    let lane = Lane::new(0);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    let owner =
        cluster.primaries().into_iter().find(|node| !keys(node, &config, "l*").is_empty()).unwrap();
    let lane_key = keys(owner, &config, "l*").pop().unwrap();
    let slot = owner.call(&["CLUSTER", "KEYSLOT", &lane_key]).unwrap().to_string();
    let target = cluster.primaries().into_iter().find(|node| node.port() != owner.port()).unwrap();
    let name = |node: &RedisServer| node.call(&["CLUSTER", "MYID"]).unwrap().to_string();
    target.call(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &name(owner)]).unwrap();
    owner.call(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &name(target)]).unwrap();
    // While the keys are on two servers, a script has to wait. Then all are on the new server.
    let moving = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        block_in_place(|| {
            // Key names contain bytes that are not text, so a script on the server passes them on.
            let script = format!(
                "for _, k in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', {slot}, 1000)) do \
                 redis.call('MIGRATE', '127.0.0.1', {}, k, 0, 5000) end",
                target.port()
            );
            owner.call(&["EVAL", &script, "0"]).unwrap();
            for node in cluster.primaries() {
                node.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &name(target)]).unwrap();
            }
        });
    };
    let writing = async {
        for _ in 0..40 {
            insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::join!(moving, writing);
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
    assert!(keys(owner, &config, "?{*").is_empty(), "all keys have moved");
    assert!(keys(target, &config, "r*").len() > 30, "the keys are on the new server");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_about_to_move_still_answers() {
    let cluster = block_in_place(|| RedisCluster::start().unwrap());
    let config = config(&crate::cluster_url(&cluster), 1);
    let store = open(&config).await;
    let lane = Lane::new(0);
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await);
    }
    let used_at = now();
    store.touch(&[keyfob::store::LastUse::new(ids[1], used_at)]).await.unwrap();
    store.revoke(operation(), revocation(ids[2])).await.unwrap();
    let owner =
        cluster.primaries().into_iter().find(|node| !keys(node, &config, "l*").is_empty()).unwrap();
    let lane_key = keys(owner, &config, "l*").pop().unwrap();
    let slot = owner.call(&["CLUSTER", "KEYSLOT", &lane_key]).unwrap().to_string();
    let target = cluster.primaries().into_iter().find(|node| node.port() != owner.port()).unwrap();
    let name = |node: &RedisServer| node.call(&["CLUSTER", "MYID"]).unwrap().to_string();
    // Nothing moves, as after a reshard that was aborted here.
    target.call(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &name(owner)]).unwrap();
    owner.call(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &name(target)]).unwrap();
    // Both servers have the mark, and the report names the slot on each.
    let marked = async || {
        let findings = store.report().await.unwrap().findings.into_iter();
        let faults =
            findings.filter(|found| found.what == "slots" && found.severity == Severity::Fault);
        faults.map(|found| found.advice).collect::<Vec<_>>()
    };
    let found = marked().await;
    assert_eq!(found.len(), 2, "{found:?}");
    for (server, state) in [(owner, "MIGRATING"), (target, "IMPORTING")] {
        let words = [
            format!("slot {slot} is {state}"),
            format!("--cluster fix 127.0.0.1:{}", server.port()),
        ];
        let is_named = |advice: &String| words.iter().all(|words| advice.contains(words.as_str()));
        assert!(found.iter().any(is_named), "{found:?}");
    }
    let unused = store.load(ids[0]).await.unwrap().unwrap();
    assert_eq!((unused.verdict, unused.last_used), (Verdict::Clear, None));
    assert_eq!(store.load(ids[1]).await.unwrap().unwrap().last_used, Some(used_at));
    let Verdict::Revoked(mark) = store.load(ids[2]).await.unwrap().unwrap().verdict else {
        panic!("it is revoked")
    };
    assert_eq!(mark.note, b"why");
    // A revocation waits until the slot has moved or stays. It says that nothing was done.
    let refused = store.revoke(operation(), revocation(ids[0])).await.unwrap_err();
    assert_eq!(refused.code(), "store_unavailable", "{refused}");
    for words in ["their slot is being moved", "TRYAGAIN", "CLUSTER SETSLOT"] {
        assert!(refused.to_string().contains(words), "{words}: {refused}");
    }
    owner.call(&["CLUSTER", "SETSLOT", &slot, "STABLE"]).unwrap();
    target.call(&["CLUSTER", "SETSLOT", &slot, "STABLE"]).unwrap();
    assert_eq!(store.revoke(operation(), revocation(ids[0])).await.unwrap(), Revoked::Now);
    assert!(marked().await.is_empty(), "the slot stays where it is");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_replicas_says_whether_they_have_it() {
    let group = keyfob_testkit::redis::sentinel();
    let url = crate::sentinel_url(group);
    let lane = Lane::new(0);
    let one = open(&config(&url, 2).with_wait(1)).await;
    let id = insert(&one, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    assert_eq!(one.revoke(operation(), revocation(id)).await.unwrap(), Revoked::Now);
    // There is one replica. Waiting for two fails, but the revocation is applied.
    let two = open(&config(&url, 2).with_wait(2)).await;
    let id = insert(&two, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    let outcome = two.revoke(operation(), revocation(id)).await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown { .. })), "{outcome:?}");
    assert!(matches!(two.load(id).await.unwrap().unwrap().verdict, Verdict::Revoked(_)));
    let report = two.report().await.unwrap();
    assert!(report.findings.iter().any(|finding| finding.what == "wait"), "{report:?}");
}

#[tokio::test]
async fn an_error_after_a_revocation_does_not_undo_it() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 2).with_wait(1)).await;
    let lane = Lane::new(0);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    // The script may run when memory is full. The write before WAIT may not.
    server.call(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let outcome = store.revoke(operation(), revocation(id)).await;
    assert!(matches!(outcome, Err(StoreError::OutcomeUnknown { .. })), "{outcome:?}");
    assert!(matches!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Revoked(_)));
}

#[tokio::test]
async fn too_few_replicas_do_not_break_the_connection() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 2).with_wait(1).with_address_checks(false);
    let store = open(&config).await;
    let lane = Lane::new(0);
    let connections = || {
        let connections = server.info("stats").unwrap()["total_connections_received"].clone();
        connections.parse::<u64>().unwrap()
    };
    let mut counts = Vec::new();
    for _ in 0..2 {
        let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
        let outcome = store.revoke(operation(), revocation(id)).await;
        assert!(matches!(outcome, Err(StoreError::OutcomeUnknown { .. })), "{outcome:?}");
        counts.push(connections());
    }
    assert_eq!(counts[1] - counts[0], 1, "only the connection of the test is new");
}

#[tokio::test]
async fn a_closed_store_says_so() {
    let server = keyfob_testkit::redis::server();
    let store = RedisStore::connect(&config(&server.url(), 2).to_string()).await.unwrap();
    store.close().await;
    let error = store.load(id_at(now(), Lane::new(0))).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
}
