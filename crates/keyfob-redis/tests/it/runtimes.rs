//! A store that is used in one runtime after the other, as with a `static` manager in a test suite.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::{Grant, Issued, Kind, RevokeRequest, TokenManager};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::redis::{RedisCluster, RedisSentinel, RedisServer};
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

/// The slots of a silent primary move to its replica, and no call asks for the former primary any more.
#[test]
fn a_silent_primary_whose_slots_moved_is_forgotten_in_the_next_runtime() {
    let servers = RedisCluster::start().unwrap();
    let timeouts = [500, 250, 600].map(Duration::from_millis);
    let primary_of = |key: String| {
        let slot = servers.nodes()[0].call(&["CLUSTER", "KEYSLOT", &key]).unwrap().number();
        servers.primary_of_slot(slot as u16).unwrap()
    };
    let first = runtime();
    let lane = keyfob::store::Lane::new(0);
    // The meta key is on a server that has no lane.
    let (store, id, primary) = first.block_on(async {
        loop {
            let config = config(&crate::cluster_url(&servers), 1).with_timeouts(
                timeouts[0],
                timeouts[1],
                timeouts[2],
            );
            let store = open(&config).await;
            let new = record(id_at(now(), lane), keyfob::Ttl::from_hours(1), vec![]);
            let id = insert(&store, new).await;
            let namespace = config.to_string().split_once("namespace=").unwrap().1.to_owned();
            let primary = primary_of(format!("{namespace}:meta"));
            if keys(primary, &config, "l*").is_empty() {
                break (store, id, primary);
            }
        }
    });
    let slot = first.block_on(async {
        let slot = (0..16_384).step_by(100).find(|slot| {
            servers.primary_of_slot(*slot).is_some_and(|server| server.port() == primary.port())
        });
        primary.kill9();
        let is_away = async || {
            let findings = store.report().await.unwrap().findings;
            findings.iter().any(|finding| finding.what == "away")
        };
        let begun = Instant::now();
        while !is_away().await {
            assert!(begun.elapsed() < Duration::from_secs(1), "it is noticed before the failover");
        }
        slot.unwrap()
    });
    drop(first);
    let begun = Instant::now();
    while servers.primary_of_slot(slot).is_none_or(|now| now.port() == primary.port()) {
        assert!(begun.elapsed() < Duration::from_secs(20), "no replica takes over");
        std::thread::sleep(Duration::from_millis(50));
    }
    runtime().block_on(async {
        let begun = Instant::now();
        while store.load(id).await.is_err() {
            assert!(begun.elapsed() < Duration::from_secs(15), "the token is not found again");
        }
        let is_away = async || {
            let findings = store.report().await.unwrap().findings;
            findings.iter().any(|finding| finding.what == "away")
        };
        while is_away().await {
            assert!(begun.elapsed() < Duration::from_secs(15), "the former primary stays listed");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}
