//! The cost of each store method: round trips, scripts, commands and keys.

use keyfob::store::prelude::*;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::store::{InvalidationListener, Order, Query, Revoke, Revoked};
use keyfob::{Filter, Grant, Kind, Paging, RevokeRequest, TokenManager, Ttl};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::RedisServer;

use crate::support::*;

/// Returns how often each command was called since `before`.
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

/// The commands that clients sent, not scripts, as the server counts them.
fn processed(server: &RedisServer) -> u64 {
    server.info("stats").unwrap()["total_commands_processed"].parse().unwrap()
}

#[tokio::test]
async fn each_store_method_is_one_script() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 64)).await;
    let (term, lane) = subject(&store, "user");
    let terms = || vec![term, store.namespace().all(), tag(&store, "tag")];
    // The feed sees the namespace, so that no load has to look for it.
    let listener = InvalidationListener::new(store.namespace().lanes(), Ttl::from_secs(60));
    store.watch(&listener);
    until("the feed is heard", || listener.is_trusted(lane)).await;
    // After that, the setup of each connection is done, and the maintenance task sleeps.
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
    assert_eq!((loads["mget"], loads["hmget"]), (100, 100), "two reads for each load: {loads:?}");

    let before = counts(&server);
    for id in ids {
        let at = now();
        let revoke = Revoke { note: b"why".to_vec(), ..Revoke::new(id, at) };
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

/// The number of keys that were looked up, whether they existed or not.
fn lookups(server: &RedisServer) -> u64 {
    let stats = server.info("stats").unwrap();
    ["keyspace_hits", "keyspace_misses"]
        .iter()
        .map(|name| stats[*name].parse::<u64>().unwrap())
        .sum()
}

/// Inserts records of other subjects, four for each subject, many at a time.
async fn insert_others(store: &Arc<RedisStore>, from: usize, to: usize) {
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..64 {
        let store = Arc::clone(store);
        writers.spawn(async move {
            for other in (from..to).skip(writer).step_by(64) {
                let (term, lane) = subject(&store, &format!("other-{}", other / 4));
                let terms = vec![term, store.namespace().all()];
                insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), terms)).await;
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_list_by_subject_costs_the_same_among_a_hundred_times_as_many_tokens() {
    const OWN: i64 = 300;
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4);
    let store = Arc::new(open(&config).await);
    let (term, lane) = subject(&store, "user");
    for _ in 0..OWN {
        let terms = vec![term, store.namespace().all()];
        insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), terms)).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // The sets of this subject are the only subject sets now. A script on the server reads their
    // names, which are not text. A list may read only what is in them.
    let namespace = config.to_string().split_once("namespace=").unwrap().1.to_owned();
    let note = format!(
        "for _, k in ipairs(redis.call('KEYS', '{namespace}:i{{*}}s*')) do \
         redis.call('SADD', 'own', k) end"
    );
    server.call(&["EVAL", &note, "0"]).unwrap();
    let sizes = |of: &str| {
        let script = format!(
            "local n = 0 for _, k in ipairs(redis.call('SMEMBERS', 'own')) do \
             if string.sub(k, -1) ~= 'd' then \
             n = math.{of}(n, redis.call('ZCARD', k)) end end return n"
        );
        server.call(&["EVAL", &script.replace("math.sum(n,", "(n +"), "0"]).unwrap().number()
    };
    let max_members = sizes("max");
    assert!((2..=130).contains(&max_members), "a leaf holds {max_members}");

    let (mut costs, mut looked_up, mut others) = (Vec::new(), Vec::new(), 0);
    for size in [400, 40_000] {
        insert_others(&store, others, size).await;
        others = size;
        assert_eq!(
            store.count(store.namespace().all(), None).await.unwrap(),
            size as u64 + OWN as u64
        );
        // The same members: those of the subject, and the bounds of up to four heads.
        let own = sizes("sum");
        assert!((OWN..OWN + 4).contains(&own), "the subject's sets hold {own}");
        assert_eq!(sizes("max"), max_members, "no leaf is larger than before");
        let (before, before_lookups) = (counts(&server), lookups(&server));
        let order = Order::NewestFirst;
        let query = Query { term, lane: Some(lane), order, after: None, limit: 50 };
        assert_eq!(store.query(&query).await.unwrap().records.len(), 50);
        looked_up.push(lookups(&server) - before_lookups);
        let mut cost = since(&server, &before);
        // Other commands that the test and the maintenance task send.
        cost.retain(|name, _| !matches!(name.as_str(), "info" | "time" | "hrandfield"));
        costs.push(cost);
    }
    assert_eq!(costs[0].keys().collect::<Vec<_>>(), costs[1].keys().collect::<Vec<_>>());
    let totals: Vec<u64> = costs.iter().map(|cost| cost.values().sum()).collect();
    for (what, of) in [("commands", &totals), ("keys", &looked_up)] {
        let (few, many) = (of[0] as f64, of[1] as f64);
        assert!((0.5..=1.5).contains(&(many / few)), "{what}: {of:?}, {costs:?}");
    }
    // Each read of a leaf reads at most the whole largest leaf.
    let members = costs[1]["zrange"] as i64 * max_members;
    assert!(members <= 4 * 130, "at most {members} members were read: {costs:?}");
    assert!(looked_up[1] < 300, "of fifty records: {looked_up:?}");
}

#[tokio::test]
async fn concurrent_calls_share_a_connection() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 64).with_address_checks(false)).await;
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
    // The test has opened three connections of its own since then; the store opens none.
    assert_eq!(asked - connections.parse::<u64>().unwrap(), 3);
}

#[tokio::test]
async fn each_call_of_a_manager_is_one_script() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 64)).await;
    let manager = TokenManager::new(store);
    let grant = || Grant::new(Kind::Access).subject("user123").client("shop").tag("vip");
    manager.issue(grant()).await.unwrap();
    // The maintenance task reads the unfinished advances every three seconds, by a script too.
    let begun = Instant::now();
    let one_each = |cost: &BTreeMap<String, u64>, calls: u64| {
        let own = begun.elapsed().as_secs() / 3 + 1;
        assert!((calls..=calls + own).contains(&cost["evalsha"]), "{calls} calls: {cost:?}");
    };

    let before = counts(&server);
    let mut tokens = Vec::new();
    for _ in 0..300 {
        tokens.push(manager.issue(grant()).await.unwrap().token);
    }
    one_each(&since(&server, &before), 300);

    let before = counts(&server);
    for token in &tokens[..100] {
        manager.revoke(token.id, RevokeRequest::reason("logout")).await.unwrap();
    }
    let revokes = since(&server, &before);
    one_each(&revokes, 100);
    assert_eq!(revokes["setrange"], 100, "one write in place: {revokes:?}");

    // A root token and its descendants are also revoked by one script.
    let (mut roots, mut minted) = (Vec::new(), Vec::new());
    for _ in 0..20 {
        let root = manager.issue(Grant::new(Kind::Session).subject("user123")).await.unwrap();
        roots.push(root.token.id);
        for _ in 0..5 {
            let grant = Grant::new(Kind::Access);
            minted.push(manager.mint(root.token.id, grant).await.unwrap().bearer);
        }
    }
    let before = counts(&server);
    for root in roots {
        manager.revoke(root, RevokeRequest::reason("logout")).await.unwrap();
    }
    one_each(&since(&server, &before), 20);
    for bearer in minted {
        assert!(
            manager.validate_active(&bearer).await.is_err(),
            "the token is revoked with its root"
        );
    }

    let before = counts(&server);
    let (filter, paging) = (Filter::new().subject("user123"), || Paging::new(50));
    for _ in 0..20 {
        let page = manager.list(&filter, paging()).await.unwrap();
        assert_eq!(
            (page.tokens.len(), page.examined),
            (50, 50),
            "a page reads only the tokens that it returns"
        );
    }
    let lists = since(&server, &before);
    one_each(&lists, 20);
    assert!(lists["zrange"] <= 3 * 20, "a few leaves of a hundred for each: {lists:?}");

    let all = counts(&server);
    for never in ["keys", "scan", "hgetall", "zscan", "hscan", "sscan", "smembers", "eval"] {
        assert!(!all.contains_key(never), "{never} is never used: {all:?}");
    }
}
