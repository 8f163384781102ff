//! A store that is known to be away: calls fail without waiting for the whole budget, and recover by themselves.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::limit::{LeasedLimits, OnFailure};
use keyfob::store::{Lane, Severity, StoreError, Verdict};
use keyfob::{
    Grant, Kind, LimitBy, LimitPolicy, LimitRequest, Limits, Metrics, TokenId, TokenManager, Ttl,
};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::{RedisSentinel, RedisServer};
use tokio::task::block_in_place;

use crate::lost_shard::{Cluster, MetaKey};
use crate::support::*;

/// Loads a token that cannot be loaded. Returns how long that took.
async fn failed_load(store: &RedisStore, id: TokenId) -> Duration {
    let begun = Instant::now();
    let error = store.load(id).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable", "{error}");
    begun.elapsed()
}

async fn one_token(store: &RedisStore, lane: Lane) -> TokenId {
    insert(store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await
}

async fn until_loaded(store: &RedisStore, id: TokenId) {
    let begun = Instant::now();
    while store.load(id).await.is_err() {
        assert!(begun.elapsed() < Duration::from_secs(15), "the store is not found again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Makes many calls at the same time, and some in turn. They take a small part of what the first took.
async fn calls_fail_fast(store: &Arc<RedisStore>, id: TokenId, first: Duration) {
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..500 {
        let store = Arc::clone(store);
        calls.spawn(async move { failed_load(&store, id).await });
    }
    let slowest = calls.join_all().await.into_iter().max().unwrap();
    assert!(slowest * 3 < first, "{slowest:?} of {first:?}");
    let begun = Instant::now();
    for _ in 0..20 {
        failed_load(store, id).await;
    }
    assert!(begun.elapsed() / 20 * 8 < first, "{:?} for 20, {first:?}", begun.elapsed());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_fast_while_the_server_is_down_and_continue_when_it_is_back() {
    let server = RedisServer::builder().append_only().start().unwrap();
    let recorded = MemoryRecorder::default();
    let config = config(&server.url(), 4).with_metrics(Metrics::on(&recorded));
    let store = Arc::new(open(&config).await);
    let id = one_token(&store, Lane::new(1)).await;
    let away = || recorded.value("keyfob_store_shards_away", []);
    server.kill9();
    let first = failed_load(&store, id).await;
    assert!(first > Duration::from_secs(2), "a short outage is not noticed: {first:?}");
    calls_fail_fast(&store, id, first).await;
    assert_eq!(away(), 1.0);
    assert_eq!(recorded.value("keyfob_store_outages_total", []), 1.0);
    assert!(recorded.value("keyfob_store_calls_not_sent_total", []) >= 20.0);
    let error = store.load(id).await.unwrap_err();
    assert!(error.to_string().contains("the node keeps looking for the server"), "{error}");
    // A write that was not sent was certainly not done.
    let write = store.revoke(operation(), keyfob::store::Revoke::new(id, now())).await;
    assert!(matches!(write, Err(StoreError::Unavailable { .. })), "{write:?}");
    assert_eq!(store.time_of(Lane::new(1), now()).await.unwrap_err().code(), "store_unavailable");

    block_in_place(|| server.restart().unwrap());
    until_loaded(&store, id).await;
    assert_eq!(away(), 0.0);
    for _ in 0..100 {
        assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);
    }
    let report = store.report().await.unwrap();
    assert!(report.findings.iter().all(|finding| finding.what != "away"), "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_fail_fast_while_the_server_hangs() {
    let server = RedisServer::start().unwrap();
    let store = Arc::new(open(&config(&server.url(), 4)).await);
    let id = one_token(&store, Lane::new(1)).await;
    server.pause().unwrap();
    let first = failed_load(&store, id).await;
    assert!(first > Duration::from_secs(2), "{first:?}");
    calls_fail_fast(&store, id, first).await;
    server.resume().unwrap();
    until_loaded(&store, id).await;
}

#[tokio::test]
async fn the_budget_is_a_setting_of_the_url() {
    let server = RedisServer::start().unwrap();
    let times = [400, 4_000].map(|budget| {
        let url = format!("{}?namespace=budget-{budget}&lanes=1&budget={budget}ms", server.url());
        url.parse::<RedisConfig>().unwrap()
    });
    let stores = [open(&times[0]).await, open(&times[1]).await];
    let id = one_token(&stores[0], Lane::new(0)).await;
    server.kill9();
    let [short, long] = [failed_load(&stores[0], id).await, failed_load(&stores[1], id).await];
    assert!(short * 3 < long, "{short:?}, {long:?}");
}

/// A limit that fails open and has its own server, in front of answers from the cache.
async fn limits_add_nothing(is_leased: bool, stop: impl Fn(&RedisServer)) {
    let (server, tokens) = (RedisServer::start().unwrap(), keyfob_testkit::redis::server());
    let store = Arc::new(open(&config(&server.url(), 4)).await);
    let policy = LimitPolicy::new("by-ip", LimitBy::Ip, "1000/1m".parse().unwrap()).unwrap();
    let policy = policy.on_failure(OnFailure::Open);
    let limits = match is_leased {
        true => Limits::new(LeasedLimits::new(Arc::clone(&store), Ttl::from_secs(1)).unwrap()),
        false => Limits::new(Arc::clone(&store)),
    };
    let patience = Ttl::from_secs(2);
    let limits = limits.patience(patience).policy(policy).unwrap();
    let tokens = open(&config(&tokens.url(), 4)).await;
    let manager = TokenManager::builder(Arc::new(tokens)).limits(limits).build();
    let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
    let begun = Instant::now();
    while manager.cache_report().unwrap().hits == 0 {
        manager.validate_active(&issued.bearer).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(15), "the token is never cached");
    }
    stop(&server);
    let request = async |address: u8| {
        let ip = format!("192.0.2.{address}").parse().unwrap();
        let begun = Instant::now();
        let verdict = manager.admit(&LimitRequest::new().ip(ip)).await.unwrap();
        let limited = begun.elapsed();
        manager.validate_active(&issued.bearer).await.unwrap();
        (verdict.is_uncounted(), limited)
    };
    // The node learns it.
    for address in 0..5 {
        request(address).await;
    }
    let mut whole = Duration::ZERO;
    for address in 5..205 {
        let (is_uncounted, limited) = request(address).await;
        assert!(is_uncounted);
        whole += limited;
    }
    assert!(whole < patience.as_duration() / 2, "200 requests waited {whole:?} for their limits");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_limit_that_fails_open_adds_nothing_to_a_cached_answer() {
    limits_add_nothing(false, RedisServer::kill9).await;
    limits_add_nothing(true, RedisServer::kill9).await;
    limits_add_nothing(false, |server| server.pause().unwrap()).await;
    limits_add_nothing(true, |server| server.pause().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_the_calls_to_the_lost_shard_fail_fast() {
    let cluster = Cluster::start(MetaKey::Elsewhere).await;
    let store = Arc::new(open(&cluster.config).await);
    let there = one_token(&store, cluster.lanes_there[0]).await;
    let lanes: Vec<_> = store.namespace().lanes().lanes().collect();
    let elsewhere = lanes.into_iter().find(|lane| !cluster.is_there(*lane)).unwrap();
    let elsewhere = one_token(&store, elsewhere).await;
    cluster.stop_shard();
    let first = failed_load(&store, there).await;
    let _until_it_is_known = failed_load(&store, there).await;
    let begun = Instant::now();
    for _ in 0..20 {
        failed_load(&store, there).await;
        assert_eq!(store.load(elsewhere).await.unwrap().unwrap().verdict, Verdict::Clear);
    }
    assert!(begun.elapsed() / 20 * 3 < first, "{:?} for 20, {first:?}", begun.elapsed());
    let report = store.report().await.unwrap();
    for what in ["reachable", "away"] {
        let finding = report.findings.iter().find(|finding| finding.what == what);
        assert_eq!(finding.unwrap().severity, Severity::Fault, "{report:?}");
    }
    cluster.resume_shard();
    until_loaded(&store, there).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn calls_that_are_made_during_a_failover_wait_for_the_new_primary() {
    let group = RedisSentinel::start(1).unwrap();
    let config = config(&crate::sentinel_url(&group), 4);
    let [connect, response, budget] = [1_000, 500, 20_000].map(Duration::from_millis);
    let store = Arc::new(open(&config.with_timeouts(connect, response, budget)).await);
    let id = one_token(&store, Lane::new(1)).await;
    block_in_place(|| group.servers()[0].wait_until_copied_to(&group.servers()[1])).unwrap();
    group.servers()[0].kill9();
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let store = Arc::clone(&store);
        calls.spawn(async move { store.load(id).await.unwrap().unwrap().verdict });
    }
    for verdict in calls.join_all().await {
        assert_eq!(verdict, Verdict::Clear);
    }
}
