//! The guarantees under real faults: connections cut at random, servers killed and started again.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::{CacheConfig, Error, Grant, KeyRing, Kind, RevokeRequest, TokenManager};
use keyfob_redis::RedisStore;
use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::redis::{RedisServer, fresh_namespace, server};
use keyfob_testkit::stress::{StressReport, StressTest, run_stress_test};

async fn node(port: u16, namespace: &str) -> TokenManager {
    node_with(port, namespace, CacheConfig::default(), None).await
}

async fn node_with(
    port: u16,
    namespace: &str,
    cache: CacheConfig,
    keys: Option<&KeyRing>,
) -> TokenManager {
    let url = format!("redis://127.0.0.1:{port}?namespace={namespace}&lanes=8");
    let store = RedisStore::connect(&url).await.unwrap();
    let manager = TokenManager::builder(Arc::new(store)).cache(cache);
    match keys {
        Some(ring) => manager.keys(ring).build(),
        None => manager.build(),
    }
}

/// Returns how long another node may still accept a revoked token.
fn revocation_delay(cache: CacheConfig) -> Duration {
    if cache.max_tokens() == 0 { Duration::ZERO } else { cache.max_staleness().as_duration() }
}

fn happened(report: StressReport) {
    assert!(report.issued > 50 && report.minted > 5 && report.revoked > 5, "{report:?}");
    assert!(
        report.active_at_end > 0 && report.refused_at_end > 0 && report.active > 0,
        "{report:?}"
    );
}

/// Creates a manager that waits until the store answers again.
async fn until_it_answers(nodes: &[TokenManager]) {
    for node in nodes {
        for _ in 0..200 {
            if node.report().await.is_ok() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_stay_revoked_while_connections_are_cut_at_random() {
    stress_with_cuts(CacheConfig::default(), None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_caches_revocation_is_immediate_everywhere_though_connections_are_cut() {
    stress_with_cuts(CacheConfig::OFF, None).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_stay_revoked_in_a_sealed_store() {
    let ring = KeyRing::generate(SystemClock.now(), &OsRandom).unwrap();
    stress_with_cuts(CacheConfig::default(), Some(&ring)).await;
}

async fn stress_with_cuts(cache: CacheConfig, keys: Option<&KeyRing>) {
    let namespace = fresh_namespace();
    let proxies = [
        Arc::new(Proxy::to_port(server().port()).await.unwrap()),
        Arc::new(Proxy::to_port(server().port()).await.unwrap()),
    ];
    let nodes = [
        node_with(proxies[0].port(), &namespace, cache, keys).await,
        node_with(proxies[1].port(), &namespace, cache, keys).await,
        node_with(server().port(), &namespace, cache, keys).await,
    ];
    let cutters: Vec<_> = proxies
        .iter()
        .cloned()
        .enumerate()
        .map(|(seed, proxy)| {
            proxy.cut_at_random(seed as u64 + 1, 200_000);
            tokio::spawn(async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(130 + 70 * seed as u64)).await;
                    proxy.cut();
                }
            })
        })
        .collect();
    let length = Duration::from_secs(4);
    let config =
        StressTest { tasks: 200, length, seed: 7, revocation_delay: revocation_delay(cache) };
    let healed = async {
        cutters.iter().for_each(tokio::task::JoinHandle::abort);
        proxies.iter().for_each(|proxy| proxy.heal());
        until_it_answers(&nodes).await;
    };
    happened(run_stress_test(&nodes, config, healed).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_stay_revoked_while_the_server_is_killed_and_restarted() {
    stress_with_kills(CacheConfig::default()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_caches_revocation_is_immediate_everywhere_though_the_server_is_killed() {
    stress_with_kills(CacheConfig::OFF).await;
}

async fn stress_with_kills(cache: CacheConfig) {
    let server = Arc::new(RedisServer::builder().append_only().start().unwrap());
    let namespace = fresh_namespace();
    let nodes = [
        node_with(server.port(), &namespace, cache, None).await,
        node_with(server.port(), &namespace, cache, None).await,
    ];
    let killed = server.clone();
    let killer = tokio::task::spawn_blocking(move || {
        for _ in 0..3 {
            std::thread::sleep(Duration::from_millis(1200));
            killed.kill9();
            std::thread::sleep(Duration::from_millis(100));
            killed.restart().unwrap();
        }
    });
    let length = Duration::from_secs(4);
    let config =
        StressTest { tasks: 200, length, seed: 8, revocation_delay: revocation_delay(cache) };
    let healed = async {
        killer.await.unwrap();
        until_it_answers(&nodes).await;
    };
    happened(run_stress_test(&nodes, config, healed).await);
}

/// The result of the revocation of a token, as its writer knows it.
enum Revocation {
    Untried,
    Unknown,
    Acknowledged,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_acknowledged_write_survives_a_kill() {
    let server = Arc::new(RedisServer::builder().append_only().start().unwrap());
    let manager = node(server.port(), &fresh_namespace()).await;
    for round in 0..3u64 {
        let answered = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..32)
            .map(|task| {
                let (manager, answered) = (manager.clone(), answered.clone());
                tokio::spawn(async move {
                    let mut written = Vec::new();
                    for n in 0..10_000 {
                        let grant = Grant::new(Kind::Access).subject(format!("{round}-{task}-{n}"));
                        let Ok(issued) = manager.issue(grant).await else { break };
                        let id = issued.token.id;
                        answered.fetch_add(1, Ordering::Relaxed);
                        if n % 2 == 1 {
                            written.push((id, Revocation::Untried));
                            continue;
                        }
                        let revoked = manager.revoke(id, RevokeRequest::reason("kill")).await;
                        if revoked.is_err() {
                            written.push((id, Revocation::Unknown));
                            break;
                        }
                        written.push((id, Revocation::Acknowledged));
                    }
                    written
                })
            })
            .collect();
        // The server is killed while all of them write, however slow the machine is.
        while answered.load(Ordering::Relaxed) < 64 + 100 * round {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let killed = server.clone();
        tokio::task::spawn_blocking(move || {
            killed.kill9();
            // The writers reach their time limit before the server is back.
            std::thread::sleep(Duration::from_secs(4));
            killed.restart().unwrap();
        })
        .await
        .unwrap();
        let mut checked = 0;
        for writer in writers {
            for (id, revocation) in writer.await.unwrap() {
                let revoked = manager.get(id).await.unwrap().revocation.is_some();
                match revocation {
                    Revocation::Untried => {
                        assert!(!revoked, "{id} is revoked without a revocation");
                    }
                    Revocation::Acknowledged => assert!(revoked, "the revocation of {id} is lost"),
                    Revocation::Unknown => {}
                }
                checked += 1;
            }
        }
        assert!(checked >= 64, "tokens were written before the kill: {checked}");
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_applied_once() {
    let proxy = Arc::new(Proxy::to_port(server().port()).await.unwrap());
    let namespace = fresh_namespace();
    let behind = node(proxy.port(), &namespace).await;
    let direct = node(server().port(), &namespace).await;
    let start = keyfob::store::Cursor::start();
    // Answers are lost at random times, and the store sends the writes again.
    let cut = proxy.clone();
    let cutter = tokio::spawn(async move {
        for round in 0u64.. {
            tokio::time::sleep(Duration::from_millis(7 + round * 5 % 11)).await;
            cut.cut();
        }
    });
    for round in 0..300u64 {
        let grant = Grant::new(Kind::Access).subject(format!("user{round}")).uses(5);
        let Ok(issued) = behind.issue(grant).await else { continue };
        let _ = behind.validate_active(&issued.bearer).await;
        let _ = behind.revoke(issued.token.id, RevokeRequest::reason("once")).await;
        let token = direct.get(issued.token.id).await.unwrap();
        assert!(token.uses_left >= Some(4), "one use was taken twice");
    }
    cutter.abort();
    // Each change left one event, however often it was sent.
    let page = direct.events(&start, 10_000).await.unwrap();
    let mut events: Vec<_> =
        page.events.iter().map(|(event, _)| (event.token(), event.what.as_str())).collect();
    let all = events.len();
    events.sort();
    events.dedup();
    assert_eq!(events.len(), all);
    assert!(all >= 300, "most rounds got through: {all}");
}

#[tokio::test]
async fn a_server_that_does_not_answer_is_an_error_and_not_a_verdict() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let manager = node(proxy.port(), &fresh_namespace()).await;
    let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
    proxy.stall();
    let judged = manager.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(judged.code(), "store_unavailable");
    let revoked = manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap_err();
    assert!(matches!(revoked, Error::Store(_)), "{revoked:?}");
    proxy.cut();
    proxy.heal();
    until_it_answers(std::slice::from_ref(&manager)).await;
    let _ = manager.validate_active(&issued.bearer).await.map_err(|error| {
        // The call was sent, so it may have been executed.
        assert_eq!(error.code(), "token_revoked");
    });
}
