//! Which sentinels there are behind what is listed, and what they call the primary.

use keyfob::store::prelude::*;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use keyfob::store::{Lane, Severity, StoreReport};
use keyfob::{Metrics, TokenId, Ttl};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::{RedisSentinel, RedisServer, fresh_namespace};
use tokio::task::block_in_place;

use crate::fake::{Fake, sentinel_answer};
use crate::support::*;

async fn one_token(store: &RedisStore) -> TokenId {
    insert(store, record(id_at(now(), Lane::new(0)), Ttl::from_hours(1), vec![])).await
}

fn group() -> RedisSentinel {
    block_in_place(|| RedisSentinel::start(0).unwrap())
}

fn listing(group: &RedisSentinel, listed: &[&str]) -> RedisConfig {
    config(&format!("redis+sentinel://{}/{}", listed.join(","), group.service()), 2)
}

fn port_of(address: &str) -> u16 {
    address.rsplit_once(':').unwrap().1.parse().unwrap()
}

/// Waits until the store no longer answers.
async fn until_refused(store: &RedisStore, id: TokenId) {
    let begun = Instant::now();
    while store.load(id).await.is_ok() {
        assert!(begun.elapsed() < Duration::from_secs(10), "too few sentinels are a majority");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn advice(report: &StoreReport, words: &str) -> Severity {
    let mut findings = report.findings.iter().filter(|finding| finding.what == "sentinels");
    let found = findings.find(|finding| finding.advice.contains(words));
    found.unwrap_or_else(|| panic!("{words}: {report:?}")).severity
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_that_leads_to_three_sentinels_is_three_sentinels() {
    let group = group();
    let addresses: Vec<SocketAddr> =
        group.sentinels().iter().map(|address| address.parse().unwrap()).collect();
    let config =
        listing(&group, &["sentinels.test"]).with_host_addresses("sentinels.test", addresses);
    let store = open(&config).await;
    let id = one_token(&store).await;
    assert_eq!(advice(&store.report().await.unwrap(), "all 3 sentinels"), Severity::Good);
    group.kill_sentinel(0);
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(store.load(id).await.unwrap().is_some(), "two of three are enough");
    group.kill_sentinel(1);
    until_refused(&store, id).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sentinel_that_is_listed_twice_has_one_vote() {
    let group = group();
    let [one, two, _] = <[String; 3]>::try_from(group.sentinels()).unwrap();
    let by_name = format!("localhost:{}", port_of(&one));
    let forwarded = Proxy::to_port(port_of(&one)).await.unwrap();
    let elsewhere = format!("127.0.0.1:{}", forwarded.port());
    let mut stores = Vec::new();
    for (again, words) in [
        (&one, "is listed twice"),
        (&by_name, "are the same sentinel"),
        (&elsewhere, "are the same sentinel"),
    ] {
        let store = open(&listing(&group, &[&one, again, &two])).await;
        let id = one_token(&store).await;
        if *again != by_name {
            assert_eq!(advice(&store.report().await.unwrap(), words), Severity::Warning);
        }
        // It is not half of two either.
        let alone = open(&listing(&group, &[&one, again])).await;
        let alone_id = one_token(&alone).await;
        stores.push((store, id, alone, alone_id));
    }
    group.kill_sentinel(1);
    for (store, id, alone, alone_id) in &stores {
        until_refused(store, *id).await;
        assert!(alone.load(*alone_id).await.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_primary_that_sentinels_name_by_host_and_by_address_is_one() {
    let group = group();
    // One sentinel announces host names, as after a change of its settings.
    let port = group.servers()[0].port().to_string();
    for command in [
        &["SENTINEL", "REMOVE", group.service()][..],
        &["SENTINEL", "CONFIG", "SET", "resolve-hostnames", "yes"],
        &["SENTINEL", "CONFIG", "SET", "announce-hostnames", "yes"],
        &["SENTINEL", "MONITOR", group.service(), "localhost", &port, "2"],
    ] {
        group.call_sentinel(0, command).unwrap();
    }
    let named = |number| {
        let command = ["SENTINEL", "GET-MASTER-ADDR-BY-NAME", group.service()];
        group.call_sentinel(number, &command).unwrap().list()[0].to_string()
    };
    assert_eq!((named(0), named(1)), ("localhost".to_owned(), "127.0.0.1".to_owned()));
    let recorded = MemoryRecorder::default();
    let sentinels = group.sentinels();
    let listed: Vec<_> = sentinels.iter().map(String::as_str).collect();
    let config = listing(&group, &listed).with_metrics(Metrics::on(&recorded));
    let store = open(&config).await;
    let id = one_token(&store).await;
    // The two that are left differ in the name.
    group.kill_sentinel(2);
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(2) {
        assert!(store.load(id).await.unwrap().is_some());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(advice(&store.report().await.unwrap(), "call the primary"), Severity::Warning);
    assert_eq!(recorded.value("keyfob_store_route_changes_total", []), 0.0);
}

#[tokio::test]
async fn names_of_different_servers_are_different_votes() {
    let [here, there] = [RedisServer::start().unwrap(), RedisServer::start().unwrap()];
    let mut sentinels = Vec::new();
    for (host, server) in [("localhost", &here), ("127.0.0.1", &there)] {
        let port = server.port();
        sentinels.push(Fake::start(move |words| sentinel_answer(words, host, port)).await);
    }
    let listed: Vec<_> = sentinels.iter().map(|it| format!("127.0.0.1:{}", it.port)).collect();
    // A third sentinel that is down.
    let url = format!("redis+sentinel://{},127.0.0.1:1/main", listed.join(","));
    let url = format!("{url}?namespace={}&budget=500ms", fresh_namespace());
    let error = RedisStore::connect(&url).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable", "{error}");
    assert!(error.to_string().contains("of 3 sentinels 2 answer"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_report_names_sentinels_that_are_not_listed() {
    let group = group();
    let [one, two, three] = <[String; 3]>::try_from(group.sentinels()).unwrap();
    let store = open(&listing(&group, &[&one, &two])).await;
    let report = store.report().await.unwrap();
    assert_eq!(advice(&report, &format!("not listed: {three}")), Severity::Warning);
    let store = open(&listing(&group, &[&one, &two, &three])).await;
    assert_eq!(advice(&store.report().await.unwrap(), "all 3 sentinels"), Severity::Good);
    let store = open(&listing(&group, &[&one, &two, "127.0.0.1:1"])).await;
    assert_eq!(
        advice(&store.report().await.unwrap(), "127.0.0.1:1 does not answer"),
        Severity::Warning
    );
}

#[tokio::test]
async fn a_host_with_a_dead_address_is_reached_by_the_next() {
    let server = RedisServer::start().unwrap();
    // The first is reserved for documentation: nothing answers there.
    let addresses: Vec<SocketAddr> = [
        format!("[2001:db8::1]:{}", server.port()),
        format!("192.0.2.1:{}", server.port()),
        format!("127.0.0.1:{}", server.port()),
    ]
    .map(|address| address.parse().unwrap())
    .to_vec();
    let config: RedisConfig =
        format!("redis://redis.test:{}?lanes=2", server.port()).parse().unwrap();
    let store = open(&config.with_host_addresses("redis.test", addresses)).await;
    let id = one_token(&store).await;
    assert!(store.load(id).await.unwrap().is_some());
}
