//! The metrics of connections, repeated calls and the invalidation feed.

use keyfob::store::prelude::*;
use std::time::Duration;

use keyfob::store::Lane;
use keyfob::{Metrics, TokenManager, Ttl};
use keyfob_redis::RedisConfig;
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::{RedisSentinel, RedisServer};

use tokio::task::block_in_place;

use crate::support::*;

fn kept(config: RedisConfig) -> (RedisConfig, MemoryRecorder) {
    let kept = MemoryRecorder::default();
    (config.with_metrics(Metrics::on(&kept)), kept)
}

fn of(kept: &MemoryRecorder, name: &str, purpose: &str) -> f64 {
    kept.value(&format!("keyfob_store_{name}_total"), [purpose])
}

#[tokio::test]
async fn broken_connections_and_repeated_calls_are_counted() {
    let server = RedisServer::builder().append_only().start().unwrap();
    let (config, kept) = kept(config(&server.url(), 4));
    let store = std::sync::Arc::new(open(&config).await);
    let id = insert(&store, record(id_at(now(), Lane::new(1)), Ttl::from_hours(1), vec![])).await;
    assert_eq!(of(&kept, "links_opened", "calls"), 1.0);
    // There is an invalidation listener, so the feed runs.
    let manager = TokenManager::builder(store.clone()).metrics(Metrics::none()).build();
    until("the feed is there", || of(&kept, "links_opened", "feed") == 1.0).await;
    for purpose in ["calls", "feed"] {
        assert_eq!(of(&kept, "links_lost", purpose), 0.0, "{purpose}");
    }
    assert_eq!(kept.value("keyfob_store_feed_interruptions_total", []), 0.0);

    server.kill9();
    store.load(id).await.unwrap_err();
    assert!(kept.value("keyfob_store_calls_resent_total", []) >= 1.0);
    assert_eq!(of(&kept, "links_lost", "calls"), 1.0);
    assert!(of(&kept, "links_failed", "calls") >= 1.0);
    server.restart().unwrap();
    store.load(id).await.unwrap();
    assert_eq!(of(&kept, "links_opened", "calls"), 2.0);
    until("the feed is there again", || of(&kept, "links_opened", "feed") >= 2.0).await;
    assert_eq!(of(&kept, "links_lost", "feed"), 1.0);
    assert!(kept.value("keyfob_store_feed_interruptions_total", []) >= 1.0);
    manager.shutdown().await;
    drop(manager);
    let lost = of(&kept, "links_lost", "calls");
    drop(store);
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(of(&kept, "links_lost", "calls"), lost, "a closed connection is not a lost one");
}

#[tokio::test]
async fn a_server_that_does_not_answer_in_time_is_counted() {
    let server = RedisServer::start().unwrap();
    let short = Duration::from_millis(100);
    let config = config(&server.url(), 4).with_timeouts(short, short, short * 3);
    let (config, kept) = kept(config);
    let store = open(&config).await;
    assert_eq!(kept.value("keyfob_store_timeouts_total", []), 0.0);
    server.pause().unwrap();
    store.load(id_at(now(), Lane::new(1))).await.unwrap_err();
    server.resume().unwrap();
    assert!(kept.value("keyfob_store_timeouts_total", []) >= 1.0);
    assert!(of(&kept, "links_lost", "calls") >= 1.0, "the connection cannot be used again");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_change_of_the_primary_is_counted() {
    let group = RedisSentinel::start(1).unwrap();
    let (config, kept) = kept(config(&crate::sentinel_url(&group), 4));
    let store = open(&config).await;
    assert_eq!(kept.value("keyfob_store_route_changes_total", []), 0.0);
    assert!(of(&kept, "links_opened", "topology") >= 1.0);
    block_in_place(|| group.servers()[0].wait_until_copied_to(&group.servers()[1])).unwrap();
    block_in_place(|| {
        group.servers()[0].kill9();
        group.wait_for_another_than(Some(group.servers()[0].port())).map(drop).unwrap();
    });
    store.load(id_at(now(), Lane::new(1))).await.unwrap();
    assert_eq!(kept.value("keyfob_store_route_changes_total", []), 1.0);
}
