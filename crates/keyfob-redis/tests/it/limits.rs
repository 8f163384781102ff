//! Rate limits that nodes share through a server.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyfob::limit::{Charge, LeasedLimits, LimitKey, LimitStore, Meter, OnFailure};
use keyfob::{LimitBy, LimitPolicy, LimitRequest, Limits, Subject, TokenManager, Ttl};
use keyfob_redis::{RedisConfig, RedisStore};
use keyfob_testkit::limits::{self, fresh_key, once};
use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::redis::{RedisServer, cluster, sentinel, server};

use crate::support::{config, keys, open};

async fn limits(config: &RedisConfig) -> Arc<dyn LimitStore> {
    Arc::new(open(config).await)
}

fn meter(rate: &str, burst: u32) -> Meter {
    Meter::new(rate.parse().unwrap(), burst).unwrap()
}

async fn admits(store: &dyn LimitStore, key: LimitKey, meter: Meter) -> bool {
    store.charge(&[Charge::exactly(key, meter, 1)]).await.unwrap().admitted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_on_one_server() {
    limits::check_limit_store(&limits(&config(&server().url(), 8)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_in_a_cluster() {
    limits::check_limit_store(&limits(&config(&crate::cluster_url(cluster()), 8)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_under_sentinel() {
    limits::check_limit_store(&limits(&config(&crate::sentinel_url(sentinel()), 8)).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_with_a_lease() {
    let shared = limits(&config(&server().url(), 8)).await;
    let node: Arc<dyn LimitStore> = Arc::new(LeasedLimits::new(shared, Ttl::from_secs(1)).unwrap());
    limits::check_limit_store(&node).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_calls_on_three_connections_get_the_burst_and_no_more() {
    for url in [server().url(), crate::cluster_url(cluster())] {
        let config = config(&url, 8);
        let stores = [limits(&config).await, limits(&config).await, limits(&config).await];
        limits::racers_get_the_burst_and_no_more(&stores, once(300), 8).await;
    }
}

#[tokio::test]
async fn every_number_is_exact_in_the_script_too() {
    let store = limits(&config(&server().url(), 1)).await;
    // Units up to 2^53: one permit, and a prime number of permits, in a year of milliseconds.
    for (rate, burst) in [("999983/366d", 284_000), ("7/366d", 1_000), ("1000/ms", u32::MAX)] {
        let (key, meter) = (fresh_key(), meter(rate, burst));
        let all_but_one = Charge::exactly(key, meter, burst - 1);
        let charged = store.charge(&[all_but_one]).await.unwrap();
        assert!(charged.admitted);
        let level = charged.tallies[0].level;
        assert_eq!(level.debt, meter.permit() * u64::from(burst - 1), "{rate}");
        let looked = store.charge(&[Charge::look(key, meter)]).await.unwrap().tallies[0];
        assert_eq!(looked.level, meter.drained(level, looked.now), "{rate}");
        if rate != "1000/ms" {
            let rest = Charge { key, meter, min_permits: 1, max_permits: 5 };
            assert_eq!(store.charge(&[rest]).await.unwrap().tallies[0].taken, 1, "{rate}");
            assert!(!admits(&*store, key, meter).await, "{rate}");
        }
    }
}

#[tokio::test]
async fn a_request_is_one_script_however_many_limits_count_it() {
    let server = RedisServer::start().unwrap();
    let store = Arc::new(open(&config(&server.url(), 64)).await);
    let policies = [LimitBy::Subject, LimitBy::Client, LimitBy::Ip]
        .map(|by| LimitPolicy::new(by.as_str(), by, "1000/1m".parse().unwrap()).unwrap());
    let all = policies.into_iter().try_fold(Limits::new(Arc::clone(&store)), Limits::policy);
    let manager = TokenManager::builder(store).limits(all.unwrap()).build();
    let (subject, client) = (Subject::new("user123").unwrap(), "shop".parse().unwrap());
    let request =
        LimitRequest::new().subject(&subject).client(&client).ip("192.0.2.1".parse().unwrap());
    assert!(manager.admit(&request).await.unwrap().is_admitted());
    let scripts = || server.command_stats().unwrap()["evalsha"].calls;
    let (before, begun) = (scripts(), Instant::now());
    for _ in 0..100 {
        assert!(manager.admit(&request).await.unwrap().is_admitted());
    }
    // The maintenance task sends a call every three seconds.
    let own = begun.elapsed().as_secs() / 3 + 1;
    assert!((100..=100 + own).contains(&(scripts() - before)));
}

#[tokio::test]
async fn limit_keys_reveal_nothing_and_expire_when_the_debt_has_drained() {
    let server = server();
    let config = config(&server.url(), 8);
    let store = Arc::new(open(&config).await);
    let policy = LimitPolicy::new("calls", LimitBy::Subject, "20/s".parse().unwrap()).unwrap();
    let all = Limits::new(Arc::clone(&store)).policy(policy).unwrap();
    let manager = TokenManager::builder(store).limits(all).build();
    let subject = Subject::new("user123").unwrap();
    let request = LimitRequest::new().subject(&subject);
    assert!(manager.admit(&request.cost(20)).await.unwrap().is_admitted());
    let kept = keys(server, &config, "q*");
    assert_eq!(kept.len(), 1);
    assert!(!kept[0].contains("user123") && !kept[0].contains("calls"), "{kept:?}");
    // The debt has drained after a second.
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(keys(server, &config, "q*"), Vec::<String>::new());
    assert!(manager.admit(&request.cost(20)).await.unwrap().is_admitted());
}

#[tokio::test]
async fn a_server_clock_that_was_set_back_neither_forgives_debts_nor_locks_keys() {
    let server = server();
    let config = config(&server.url(), 1);
    let store = limits(&config).await;
    let (key, meter) = (LimitKey::from_bytes(*b"a-key-in-letters"), meter("10/s", 3));
    assert!(admits(&*store, key, meter).await);
    let name = keys(server, &config, "q*").remove(0);
    // The level after a failover from a primary whose clock was an hour ahead.
    let script = "local t = redis.call('TIME') \
        redis.call('SET', KEYS[1], struct.pack('>I8I8I8I8', 300, t[1] * 1000 + 3600000, 100, 1), 'EX', 7200)";
    server.call(&["EVAL", script, "1", &name]).unwrap();
    assert!(!admits(&*store, key, meter).await, "the level is kept");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert!(admits(&*store, key, meter).await, "the level drains from now on");
}

#[tokio::test]
async fn a_limit_key_with_other_data_owes_nothing() {
    let server = server();
    let config = config(&server.url(), 1);
    let store = limits(&config).await;
    let (key, meter) = (LimitKey::from_bytes(*b"a-key-in-letters"), once(1));
    assert!(admits(&*store, key, meter).await);
    let name = keys(server, &config, "q*").remove(0);
    server.call(&["SET", &name, "something"]).unwrap();
    assert!(admits(&*store, key, meter).await);
    assert!(!admits(&*store, key, meter).await);
    server.call(&["DEL", &name]).unwrap();
    server.call(&["SADD", &name, "something"]).unwrap();
    let error = store.charge(&[Charge::exactly(key, meter, 1)]).await.unwrap_err();
    assert_eq!(error.code(), "not_a_store");
}

#[tokio::test]
async fn in_a_cluster_repeated_refusals_of_one_key_do_not_cost_other_keys() {
    let store = limits(&config(&crate::cluster_url(cluster()), 8)).await;
    // A large limit: during a round trip, a part of a permit drains.
    let (wide, meter) = (fresh_key(), meter("50/s", 1_000));
    assert!(store.charge(&[Charge::exactly(wide, meter, 500)]).await.unwrap().admitted);
    for _ in 0..8 {
        let narrow = fresh_key();
        let both = [Charge::exactly(wide, meter, 1), Charge::exactly(narrow, once(1), 1)];
        assert!(store.charge(&both).await.unwrap().admitted);
        for _ in 0..250 {
            let refused = store.charge(&both).await.unwrap();
            assert!(!refused.admitted);
            let tally = refused.tallies[1];
            assert!(once(1).wait(tally.level, 1, tally.now).unwrap().is_some(), "{tally:?}");
        }
    }
    let left = store.charge(&[Charge::look(wide, meter)]).await.unwrap().tallies[0];
    // Two thousand calls were refused. Each would have held permits for a round trip.
    assert!(meter.room(left.level) >= 1_000 - 500 - 8 - 8, "{left:?}");
}

#[tokio::test]
async fn in_a_cluster_held_permits_are_given_back_when_another_server_fails() {
    let config = config(&crate::cluster_url(cluster()), 8);
    let store = limits(&config).await;
    let bad = LimitKey::from_bytes(*b"a-key-in-letters");
    assert!(admits(&*store, bad, once(5)).await);
    let (node, name) = cluster()
        .primaries()
        .into_iter()
        .find_map(|node| Some((node, keys(node, &config, "q*").pop()?)))
        .unwrap();
    node.call(&["DEL", &name]).unwrap();
    node.call(&["SADD", &name, "something"]).unwrap();
    let mut elsewhere = 0;
    for _ in 0..24 {
        let good = fresh_key();
        // The limit has been used before, so a loss can be distinguished from draining.
        for _ in 0..2 {
            assert!(admits(&*store, good, once(5)).await);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
        let both = [Charge::exactly(good, once(5), 3), Charge::exactly(bad, once(5), 1)];
        assert!(store.charge(&both).await.is_err());
        let looked = store.charge(&[Charge::look(good, once(5))]).await.unwrap();
        elsewhere += u32::from(once(5).room(looked.tallies[0].level) == 3);
    }
    assert_eq!(elsewhere, 24);
}

#[tokio::test]
async fn a_charge_whose_answer_is_lost_is_not_made_twice() {
    let config = |port| -> RedisConfig {
        let url = format!("redis://127.0.0.1:{port}?namespace=lost-answers&lanes=1");
        format!("{url}&response_timeout=100ms").parse().unwrap()
    };
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let (near, far) = (limits(&config(server.port())).await, limits(&config(proxy.port())).await);
    let (key, meter) = (fresh_key(), once(10));
    assert!(admits(&*far, key, meter).await);
    proxy.leave_half_open();
    let error = far.charge(&[Charge::exactly(key, meter, 1)]).await.unwrap_err();
    assert_eq!(error.code(), "store_unavailable");
    let looked = near.charge(&[Charge::look(key, meter)]).await.unwrap();
    assert!(meter.room(looked.tallies[0].level) >= 8, "at most once: {looked:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_nodes_with_leases_keep_the_limit_and_rarely_ask() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 8);
    let lease = Ttl::from_millis(200).unwrap();
    let (rate, burst) = (2_000, 100);
    let (key, meter) = (fresh_key(), meter("2000/s", burst));
    let mut nodes = Vec::new();
    for _ in 0..2 {
        nodes.push(Arc::new(LeasedLimits::new(limits(&config).await, lease).unwrap()));
    }
    let scripts = || server.command_stats().unwrap().get("evalsha").map_or(0, |stats| stats.calls);
    let (admitted, asked) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let (before, begun) = (scripts(), Instant::now());
    let mut callers = tokio::task::JoinSet::new();
    for node in nodes.iter().cycle().take(8) {
        let (node, admitted, asked) = (Arc::clone(node), Arc::clone(&admitted), Arc::clone(&asked));
        callers.spawn(async move {
            while begun.elapsed() < Duration::from_secs(2) {
                asked.fetch_add(1, Ordering::Relaxed);
                if admits(&*node, key, meter).await {
                    admitted.fetch_add(1, Ordering::Relaxed);
                }
                tokio::task::yield_now().await;
            }
        });
    }
    while let Some(done) = callers.join_next().await {
        done.unwrap();
    }
    let time = begun.elapsed().as_millis() as u64;
    let (admitted, asked) = (admitted.load(Ordering::Relaxed), asked.load(Ordering::Relaxed));
    let bound = u64::from(burst) + rate * (time + lease.as_millis()) / 1_000;
    assert!(admitted <= bound, "{admitted} of at most {bound} in {time} ms");
    assert!(admitted >= rate * time / 1_000 * 7 / 10, "the rate is used: {admitted} in {time} ms");
    let calls = scripts() - before;
    assert!(calls * 10 < asked, "{calls} calls of the server for {asked}");
    // Each node asks about eight times for each lease, and a few times more for its first batches.
    assert!(calls <= 2 * 10 * (time / lease.as_millis() + 1), "{calls} calls in {time} ms");
}

#[tokio::test]
async fn each_policy_decides_what_happens_without_a_server() {
    let server = RedisServer::start().unwrap();
    let store = Arc::new(RedisStore::connect(&server.url()).await.unwrap());
    let policy = |name: &str, by| LimitPolicy::new(name, by, "1/1h".parse().unwrap()).unwrap();
    let all = Limits::new(Arc::clone(&store))
        .policy(policy("open", LimitBy::Ip))
        .unwrap()
        .policy(policy("closed", LimitBy::Subject).on_failure(OnFailure::Closed))
        .unwrap();
    let manager = TokenManager::builder(Arc::clone(&store)).limits(all).build();
    server.kill9();
    let begun = Instant::now();
    let request = LimitRequest::new().ip("192.0.2.1".parse().unwrap());
    assert!(manager.admit(&request).await.unwrap().is_uncounted());
    let subject = Subject::new("user123").unwrap();
    let error = manager.admit(&request.subject(&subject)).await.unwrap_err();
    assert_eq!(error.code(), "limits_unavailable");
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    store.close().await;
}
