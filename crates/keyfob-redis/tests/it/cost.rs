//! What a verb costs: how many round trips, scripts, commands and keys.

use std::collections::BTreeMap;

use keyfob::store::{Order, Query, Revoke, Revoked};
use keyfob::{Store, Ttl};
use keyfob_testkit::redis::RedisServer;

use crate::stage::*;

/// How often each command was called since `before`.
fn since(server: &RedisServer, before: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    let mut calls = counts(server);
    for (name, calls) in &mut calls {
        *calls -= before.get(name).copied().unwrap_or_default();
    }
    calls.retain(|_, calls| *calls > 0);
    calls
}

fn counts(server: &RedisServer) -> BTreeMap<String, u64> {
    let stats = server.command_stats().unwrap();
    stats.into_iter().map(|(name, stats)| (name, stats.calls)).collect()
}

/// The commands that came in by themselves, as the server counts them.
fn processed(server: &RedisServer) -> u64 {
    server.info("stats").unwrap()["total_commands_processed"].parse().unwrap()
}

#[tokio::test]
async fn each_verb_is_one_script() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 64)).await;
    let (term, lane) = subject(&store, "user");
    let terms = || vec![term, store.namespace().all(), tag(&store, "tag")];
    // What happens once per connection is over then, and the store's own task sleeps.
    insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), terms())).await;

    let before = counts(&server);
    let mut ids = Vec::new();
    for _ in 0..100 {
        let new = record(id_at(now(), lane), Ttl::from_hours(1), terms());
        ids.push(insert(&store, new).await);
    }
    let inserts = since(&server, &before);
    assert_eq!(inserts["evalsha"], 100, "one script for each issue: {inserts:?}");

    let before = counts(&server);
    for id in &ids {
        assert!(store.load(*id).await.unwrap().is_some());
    }
    let loads = since(&server, &before);
    assert_eq!(loads["evalsha"], 100, "one script for each load: {loads:?}");
    assert_eq!((loads["mget"], loads["hmget"]), (100, 100), "and two reads in it: {loads:?}");

    let before = counts(&server);
    for id in ids {
        let at = now();
        let revoke = Revoke { id, at, note: b"why".to_vec(), cascade: None, events: vec![] };
        assert_eq!(store.revoke(operation(), revoke).await.unwrap(), Revoked::Now);
    }
    let revokes = since(&server, &before);
    assert_eq!(revokes["evalsha"], 100, "one script for each revocation: {revokes:?}");
    assert_eq!(revokes["setrange"], 100, "one write in place: {revokes:?}");

    for order in [Order::NewestFirst, Order::NextToExpire] {
        assert_eq!(list(&store, tag(&store, "tag"), order, 10).await.len(), 101);
    }
    let all = counts(&server);
    for never in ["keys", "scan", "hgetall", "zscan", "hscan", "smembers", "eval"] {
        assert!(!all.contains_key(never), "{never} is never used: {all:?}");
    }
}

#[tokio::test]
async fn a_list_by_subject_costs_the_same_among_many() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 4)).await;
    let (term, lane) = subject(&store, "user");
    let mut costs = Vec::new();
    let mut others = 0;
    for size in [200, 2_000] {
        while others < size {
            let (other, lane) = subject(&store, &format!("other-{}", others / 4));
            let terms = vec![other, store.namespace().all()];
            insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), terms)).await;
            others += 1;
        }
        if costs.is_empty() {
            for _ in 0..20 {
                let terms = vec![term, store.namespace().all()];
                insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), terms)).await;
            }
        }
        let before = counts(&server);
        let order = Order::NewestFirst;
        let query = Query { term, lane: Some(lane), order, after: None, limit: 10 };
        assert_eq!(store.query(&query).await.unwrap().records.len(), 10);
        let mut cost = since(&server, &before);
        cost.retain(|name, _| !matches!(name.as_str(), "info" | "time"));
        costs.push(cost);
    }
    assert_eq!(costs[0], costs[1], "ten times as many tokens, the same commands");
    assert_eq!(costs[0]["evalsha"], 1, "one script: {:?}", costs[0]);
    assert!(costs[0].values().sum::<u64>() <= 16, "few commands: {:?}", costs[0]);
}

#[tokio::test]
async fn calls_at_the_same_time_share_the_way() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 64)).await;
    let term = tag(&store, "tag");
    for lane in store.namespace().lanes().lanes() {
        insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![term])).await;
    }
    let connections = server.info("stats").unwrap()["total_connections_received"].clone();
    let before = processed(&server);
    let query = Query { term, lane: None, order: Order::NewestFirst, after: None, limit: 64 };
    assert_eq!(store.query(&query).await.unwrap().records.len(), 64);
    assert_eq!(store.count(term, None).await.unwrap(), 64);
    assert!(processed(&server) > before);
    let asked: u64 = server.info("stats").unwrap()["total_connections_received"].parse().unwrap();
    // The test asks on connections of its own, three since then; the store opens none.
    assert_eq!(asked - connections.parse::<u64>().unwrap(), 3);
}
