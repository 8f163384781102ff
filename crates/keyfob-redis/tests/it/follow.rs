//! Followers of the event log: the servers wake them, and they ask for little while nothing happens.

use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::handlers::Delivery;
use keyfob::store::prelude::*;
use keyfob::store::{Cursor, Feed};
use keyfob::{Grant, Kind, TokenManager, Ttl};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::{RedisCluster, RedisServer};
use tokio::task::block_in_place;
use tokio::time::{sleep, timeout};

use crate::cluster_url;
use crate::support::*;

/// Waits until the servers tell a store of new events.
async fn told(store: &RedisStore) {
    let begun = Instant::now();
    while store.appended(Feed::Events).is_none() {
        assert!(begun.elapsed() < Duration::from_secs(15), "the servers tell nothing");
        sleep(Duration::from_millis(10)).await;
    }
    // The round that has just begun, and the first one, are over.
    sleep(Duration::from_millis(100)).await;
}

async fn insert_anywhere(store: &RedisStore, subject_name: &str) {
    let (term, lane) = subject(store, subject_name);
    insert(store, record(id_at(now(), lane), Ttl::from_hours(1), vec![term])).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_entry_of_another_node_wakes_a_follower_each_time() {
    let server = RedisServer::start().unwrap();
    let cluster = block_in_place(|| RedisCluster::without_replicas(3).unwrap());
    for config in [config(&server.url(), 64), config(&cluster_url(&cluster), 64)] {
        let (here, elsewhere) = (open(&config).await, open(&config).await);
        told(&here).await;
        let mut cursor = Cursor::start();
        for number in 0..40 {
            let appended = here.appended(Feed::Events).unwrap();
            insert_anywhere(&elsewhere, &format!("user-{number}")).await;
            timeout(Duration::from_secs(1), appended).await.expect("the follower was not woken");
            let page = here.entries(Feed::Events, &cursor, 10).await.unwrap();
            assert_eq!(page.entries.len(), 1, "entry {number} is there");
            cursor = page.cursor;
        }
    }
}

#[tokio::test]
async fn a_follower_sees_every_event_of_a_busy_node() {
    const COUNT: usize = 3_000;
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 16);
    let here = Arc::new(open(&config).await);
    told(&here).await;
    let mut events = TokenManager::new(here).events_from(Cursor::start());
    let issuer = TokenManager::new(open(&config).await);
    let issuing = tokio::spawn(async move {
        for number in 0..COUNT {
            let grant = Grant::new(Kind::Session).subject(format!("user-{number}"));
            issuer.issue(grant).await.unwrap();
            if number % 100 == 0 {
                sleep(Duration::from_millis(30)).await;
            }
        }
        Instant::now()
    });
    for _ in 0..COUNT {
        let next = timeout(Duration::from_secs(20), events.next()).await.unwrap();
        assert!(matches!(next, Some(Ok(Delivery::Event(_)))), "{next:?}");
    }
    let late = issuing.await.unwrap().elapsed();
    assert!(late < Duration::from_secs(1), "the last event came {late:?} after its token");
}

#[tokio::test]
async fn an_idle_follower_asks_for_little() {
    let server = RedisServer::start().unwrap();
    let store = Arc::new(open(&config(&server.url(), 64)).await);
    let manager = TokenManager::new(Arc::clone(&store) as Arc<dyn Store>);
    let mut events = manager.events_from(manager.latest_event().await.unwrap());
    let following = tokio::spawn(async move { events.next().await });
    told(&store).await;
    let calls = || {
        let stats = server.command_stats().unwrap();
        stats.get("xrange").map_or(0, |stats| stats.calls)
            + stats.get("xrevrange").map_or(0, |stats| stats.calls)
    };
    // The polls that began before the servers told of events are over.
    sleep(Duration::from_millis(1_200)).await;
    let before = calls();
    sleep(Duration::from_secs(3)).await;
    let reads = calls() - before;
    assert!(reads <= 10, "{reads} reads in three seconds");
    manager.issue(Grant::new(Kind::Session).subject("user")).await.unwrap();
    assert!(timeout(Duration::from_secs(1), following).await.unwrap().unwrap().is_some());
}

#[tokio::test]
async fn a_connection_that_is_lost_or_silent_wakes_the_follower() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 4)).await;
    told(&store).await;
    let appended = store.appended(Feed::Events).unwrap();
    server.call(&["CLIENT", "KILL", "TYPE", "normal"]).unwrap();
    timeout(Duration::from_secs(1), appended).await.expect("a lost connection wakes");

    told(&store).await;
    let appended = store.appended(Feed::Events).unwrap();
    server.pause().unwrap();
    let woken = timeout(Duration::from_millis(1_500), appended).await;
    let again = store.appended(Feed::Events);
    server.resume().unwrap();
    woken.expect("a silent connection wakes");
    assert!(again.is_none(), "until the server answers again, the log is read again and again");
    told(&store).await;
}
