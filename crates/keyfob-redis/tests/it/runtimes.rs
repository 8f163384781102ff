//! A store that is used in one runtime after the other, as with a `static` manager in a test suite.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::{Grant, Issued, Kind, RevokeRequest, TokenManager};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisSentinel, RedisServer};
use tokio::runtime::{Builder, Runtime};

use crate::support::*;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

fn single() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

/// Validates until the cache has answered.
async fn until_cached(manager: &TokenManager, issued: &Issued) {
    let hits = || manager.cache_report().unwrap().hits;
    let (before, begun) = (hits(), Instant::now());
    while hits() == before {
        manager.validate_active(&issued.bearer).await.unwrap();
        assert!(begun.elapsed() < Duration::from_secs(10), "the feed does not begin again");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// Uses a manager in several runtimes. Another node revokes in between and meanwhile.
fn used_in_turn(config: &RedisConfig, new_runtime: fn() -> Runtime) {
    let first = new_runtime();
    let manager = first.block_on(async {
        let manager = TokenManager::new(Arc::new(open(config).await));
        let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
        until_cached(&manager, &issued).await;
        manager
    });
    drop(first);
    for _ in 0..2 {
        let next = new_runtime();
        next.block_on(async {
            let begun = Instant::now();
            let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
            assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
            until_cached(&manager, &issued).await;
            let other = TokenManager::new(Arc::new(open(config).await));
            other.revoke(issued.token.id, RevokeRequest::reason("test")).await.unwrap();
            // The maximum staleness, and the time of a call.
            tokio::time::sleep(Duration::from_millis(300)).await;
            let refused = manager.validate_active(&issued.bearer).await.unwrap_err();
            assert_eq!(refused.code(), "token_revoked");
            other.shutdown().await;
        });
        drop(next);
    }
}

#[test]
fn a_store_is_used_in_one_runtime_after_the_other() {
    let server = RedisServer::start().unwrap();
    used_in_turn(&config(&server.url(), 4), runtime);
    used_in_turn(&config(&server.url(), 4), single);
}

#[test]
fn a_store_under_sentinel_is_used_in_one_runtime_after_the_other() {
    let group = RedisSentinel::start(0).unwrap();
    used_in_turn(&config(&crate::sentinel_url(&group), 4), runtime);
}

#[test]
fn a_token_revoked_between_two_runtimes_is_refused_in_the_second() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4);
    let first = runtime();
    let (manager, issued) = first.block_on(async {
        let manager = TokenManager::new(Arc::new(open(&config).await));
        let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
        until_cached(&manager, &issued).await;
        (manager, issued)
    });
    drop(first);
    runtime().block_on(async {
        let other = TokenManager::new(Arc::new(open(&config).await));
        other.revoke(issued.token.id, RevokeRequest::reason("test")).await.unwrap();
        other.shutdown().await;
    });
    let refused = runtime().block_on(manager.validate_active(&issued.bearer)).unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
}

#[test]
fn a_probe_that_ended_with_its_runtime_is_begun_again() {
    let server = RedisServer::builder().append_only().start().unwrap();
    let config = config(&server.url(), 2);
    let timeouts = [300, 200, 600].map(Duration::from_millis);
    let config = config.with_timeouts(timeouts[0], timeouts[1], timeouts[2]);
    let first = runtime();
    let (store, id): (RedisStore, _) = first.block_on(async {
        let store = open(&config).await;
        let lane = keyfob::store::Lane::new(0);
        let new = record(id_at(now(), lane), keyfob::Ttl::from_hours(1), vec![]);
        let id = insert(&store, new).await;
        server.kill9();
        store.load(id).await.unwrap_err();
        (store, id)
    });
    // The store is known to be away, and what looks for it is gone.
    drop(first);
    server.restart().unwrap();
    runtime().block_on(async {
        let begun = Instant::now();
        while store.load(id).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(5), "the store is not found again");
        }
    });
}
