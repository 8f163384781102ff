//! The address of a single server changes to another server. The former server still runs, accepts
//! writes and keeps its connections.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use keyfob::store::Severity;
use keyfob::validation::{Consistency, ValidationChain};
use keyfob::{Metrics, TokenManager};
use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::RedisServer;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::scenario::*;
use crate::support::until;

fn at(server: &RedisServer) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, server.port()))
}

/// Starts a server and a replica of it.
fn servers() -> (RedisServer, RedisServer) {
    let (old, new) = (RedisServer::start().unwrap(), RedisServer::start().unwrap());
    let port = old.port().to_string();
    new.call(&["REPLICAOF", "127.0.0.1", &port]).unwrap();
    (old, new)
}

/// Waits until the replica has everything, then makes it a primary. The former one does not know.
fn promote(old: &RedisServer, new: &RedisServer) {
    old.wait_until_copied_to(new).unwrap();
    new.call(&["REPLICAOF", "NO", "ONE"]).unwrap();
}

async fn after_a_move(kills_the_feed: bool) {
    let (old, new) = block_in_place(servers);
    let near = Proxy::to(at(&old)).await.unwrap();
    let far = Proxy::to(at(&old)).await.unwrap();
    let namespace = TestNamespace::new(8);
    let (here, there) =
        (namespace.config_for_port(near.port()), namespace.config_for_port(far.port()));
    let recorder = MemoryRecorder::default();
    let there = there.with_metrics(Metrics::on(&recorder));
    let scenario = Scenario::start(&here, &there, default_max_staleness()).await;
    let poll = scenario.poll();
    assert_eq!(recorder.value("keyfob_store_address_moves_total", []), 0.0);

    block_in_place(|| promote(&old, &new));
    near.lead_to(at(&new));
    far.lead_to(at(&new));
    near.cut();
    if kills_the_feed {
        let clients = old.call(&["CLIENT", "LIST"]).unwrap().to_string();
        let feeds = clients.lines().filter(|client| client.contains(" flags=t"));
        let id =
            |client: &str| client.split_once(' ').unwrap().0.trim_start_matches("id=").to_owned();
        let ids: Vec<_> = feeds.map(id).collect();
        assert!(!ids.is_empty(), "{clients}");
        ids.iter().for_each(|id| drop(old.call(&["CLIENT", "KILL", "ID", id])));
    }
    // The first node is connected to the new server.
    let revoked = scenario.revoke().await;
    sleep(default_max_staleness().as_duration() * 2).await;
    let strict = ValidationChain::new().consistency(Consistency::Strong);
    for bearer in &scenario.tokens.bearers[1..] {
        let decided = scenario.there.manager.validate(bearer, &strict).await;
        assert_eq!(decided.unwrap_err().code(), "token_revoked");
    }
    scenario.check_guarantee(poll, &revoked).await;
    assert_eq!(recorder.value("keyfob_store_address_moves_total", []), 1.0);
    // Writes go to the new server from now on.
    let grant = keyfob::Grant::new(keyfob::Kind::Access).subject("bob");
    let issued = scenario.there.manager.issue(grant).await.unwrap();
    scenario.here.validate_active(&issued.bearer).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_all_connections_left_open() {
    after_a_move(false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_only_the_feed_cut() {
    after_a_move(true).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn to_nothing_that_answers() {
    let server = block_in_place(|| RedisServer::start().unwrap());
    let proxy = Proxy::to(at(&server)).await.unwrap();
    let namespace = TestNamespace::new(4);
    let short = Duration::from_millis(300);
    let recorder = MemoryRecorder::default();
    let config = namespace
        .config_for_port(proxy.port())
        .with_timeouts(short, short, short * 2)
        .with_metrics(Metrics::on(&recorder));
    let store = crate::support::open(&config).await;
    let manager = TokenManager::new(store);
    let issued = manager.issue(keyfob::Grant::new(keyfob::Kind::Access)).await.unwrap();
    manager.validate_active(&issued.bearer).await.unwrap();
    let finding = |report: keyfob::store::StoreReport| {
        report.findings.into_iter().find(|finding| finding.what == "address").unwrap()
    };
    assert_eq!(finding(manager.report().await.unwrap()).severity, Severity::Good);

    // Open connections stay open; new ones are refused.
    proxy.set(keyfob_testkit::proxy::Faults { refuse: true, ..Default::default() });
    sleep(default_max_staleness().as_duration() * 2).await;
    let refused = manager.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "address_unconfirmed", "{refused}");
    assert_eq!(refused.class().http_status(), 503);
    assert!(recorder.value("keyfob_store_address_checks_failed_total", []) >= 1.0);
    let found = finding(manager.report().await.unwrap());
    assert_eq!(found.severity, Severity::Fault);
    assert!(found.advice.contains("decides nothing until one does"), "{}", found.advice);
    proxy.heal();
    until("new connections are accepted", || {
        let decided = manager.validate_active(&issued.bearer);
        block_in_place(|| tokio::runtime::Handle::current().block_on(decided)).is_ok()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_user_without_info_is_reported() {
    const RULES: &str = "~* &* +@all -info";
    let server =
        block_in_place(|| RedisServer::builder().user("shop", "pw", RULES).start().unwrap());
    let store = keyfob_redis::RedisStore::connect(&server.url_of("shop", "pw")).await.unwrap();
    let manager = TokenManager::new(store);
    let issued = manager.issue(keyfob::Grant::new(keyfob::Kind::Access)).await.unwrap();
    sleep(default_max_staleness().as_duration() * 2).await;
    manager.validate_active(&issued.bearer).await.unwrap();
    let report = manager.report().await.unwrap();
    let found = report.findings.iter().find(|finding| finding.what == "address").unwrap();
    assert_eq!(found.severity, Severity::Warning);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_is_a_few_connections_a_second_and_none_at_a_fixed_address() {
    let server = block_in_place(|| RedisServer::start().unwrap());
    let received = || {
        let stats = server.info("stats").unwrap();
        stats["total_connections_received"].parse::<i64>().unwrap()
    };
    let namespace = TestNamespace::new(4);
    for (config, checks) in [
        (namespace.config_for_port(server.port()), 3..=15),
        (namespace.config_for_port(server.port()).with_address_checks(false), 0..=0),
    ] {
        let manager = TokenManager::new(crate::support::open(&config).await);
        manager.issue(keyfob::Grant::new(keyfob::Kind::Access)).await.unwrap();
        sleep(Duration::from_millis(500)).await;
        let before = received();
        sleep(Duration::from_secs(1)).await;
        // The test has opened one of its own.
        let opened = received() - before - 1;
        assert!(checks.contains(&opened), "{opened} connections in a second");
        manager.shutdown().await;
    }
}
