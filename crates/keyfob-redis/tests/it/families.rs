//! Rotation on a real server: many tasks on three connections, in 10,000 rounds. And logins under
//! a session policy.

use keyfob::store::prelude::*;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use keyfob::clock::{Clock, SystemClock};
use keyfob::rotation::RefreshCase;
use keyfob::store::Lane;
use keyfob::{
    Filter, Grant, Kind, RefreshRequest, RevokeRequest, SessionPolicy, Timestamp, TokenManager,
    TokenState, Ttl, WhenFull,
};
use keyfob_testkit::families::{Families, refresh_many};
use keyfob_testkit::redis::{RedisServer, server};

use crate::support::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_tasks_on_three_connections_log_out_only_a_thief() {
    let config = config(&server().url(), 8);
    let mut nodes = Vec::new();
    for _ in 0..3 {
        nodes.push(TokenManager::builder(Arc::new(open(&config).await)).build());
    }
    let families = Families { tasks: 50, rounds: 10_000, grace_period: Ttl::from_secs(10) };
    let report = refresh_many(&nodes, families).await;
    assert!(report.rotated >= 8_000 && report.replayed >= 8_000, "{report:?}");
    assert!(report.refused_in_window > 0 && report.ended == 40, "{report:?}");
}

#[derive(Debug)]
struct Ahead(Ttl);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        SystemClock.now() + self.0
    }
}

#[tokio::test]
async fn nodes_whose_clocks_differ_agree_on_the_grace_period() {
    let config = config(&server().url(), 8);
    let right = TokenManager::builder(Arc::new(open(&config).await)).build();
    let ahead = Ttl::from_hours(3);
    let store = open(&config.clone().with_clock(Arc::new(Ahead(ahead)))).await;
    let fast = TokenManager::builder(Arc::new(store)).clock(Ahead(ahead)).build();
    for (first, second) in [(&right, &fast), (&fast, &right)] {
        let grant = Grant::new(Kind::Refresh).subject("user123");
        let bearer = right.issue(grant).await.unwrap().bearer;
        let pair = first.refresh(&bearer, RefreshRequest::new()).await.unwrap();
        let again = second.refresh(&bearer, RefreshRequest::new()).await.unwrap();
        assert_eq!(again.case, RefreshCase::Replayed);
        assert_eq!(again.access.bearer.expose(), pair.access.bearer.expose());
        let rotated_at = pair.refresh.token.rotated_at.unwrap();
        let off = rotated_at.as_millis().abs_diff(SystemClock.now().as_millis());
        assert!(off < 5_000, "by the server's clock: {off} ms");
    }
}

/// The system's clock, set forward or back by an offset.
#[derive(Clone, Debug, Default)]
struct Settable(Arc<AtomicI64>);

impl Clock for Settable {
    fn now(&self) -> Timestamp {
        let millis = SystemClock.now().as_millis();
        Timestamp::from_millis(millis.saturating_add_signed(self.0.load(Ordering::SeqCst)))
    }
}

#[tokio::test]
async fn setting_a_nodes_clock_within_a_grace_period_logs_no_client_out() {
    let config = config(&server().url(), 8);
    let clock = Settable::default();
    let store = open(&config.clone().with_clock(Arc::new(clock.clone()))).await;
    let node = TokenManager::builder(Arc::new(store)).clock(clock.clone()).build();
    let other = TokenManager::builder(Arc::new(open(&config).await)).build();
    let hours = 3 * 3_600_000;
    for to in [hours, 0, -hours, 0] {
        let grant = Grant::new(Kind::Refresh).subject("user123");
        let bearer = other.issue(grant).await.unwrap().bearer;
        let pair = node.refresh(&bearer, RefreshRequest::new()).await.unwrap();
        // Immediately, so that the servers' clocks have not been measured again.
        clock.0.store(to, Ordering::SeqCst);
        let again = node.refresh(&bearer, RefreshRequest::new()).await.unwrap();
        assert_eq!(again.case, RefreshCase::Replayed, "set to {to} ms");
        assert_eq!(again.refresh.bearer.expose(), pair.refresh.bearer.expose());
        let next = node.refresh(&pair.refresh.bearer, RefreshRequest::new()).await.unwrap();
        let rotated_at = next.refresh.token.rotated_at.unwrap();
        let off = rotated_at.as_millis().abs_diff(SystemClock.now().as_millis());
        assert!(off < 5_000, "by the server's clock: {off} ms");
    }
}

/// A node that decided by its own clock would revoke families when it reaches the server again.
#[tokio::test]
async fn a_server_clock_that_cannot_be_read_is_not_guessed() {
    let server = RedisServer::start().unwrap();
    let clock = Settable::default();
    let store = open(&config(&server.url(), 1).with_clock(Arc::new(clock.clone()))).await;
    clock.0.store(3 * 3_600_000, Ordering::SeqCst);
    let store_time = store.time_of(Lane::default(), clock.now()).await.unwrap();
    let off = store_time.as_millis().abs_diff(SystemClock.now().as_millis());
    assert!(off < 5_000, "by the server's clock: {off} ms");
    server.kill9();
    let begun = Instant::now();
    let refused = loop {
        // Until the store knows that the connection is lost.
        match store.time_of(Lane::default(), clock.now()).await {
            Err(error) => break error,
            Ok(_) => assert!(begun.elapsed() < Duration::from_secs(10)),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    assert_eq!(refused.code(), "store_unavailable");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_logins_on_two_nodes_keep_the_session_limit() {
    let config = config(&server().url(), 8);
    let policy = SessionPolicy::new(3, WhenFull::RetireOldest).unwrap();
    let mut nodes = Vec::new();
    for _ in 0..2 {
        let store = Arc::new(open(&config).await);
        nodes.push(TokenManager::builder(store).sessions(policy).build());
    }
    let session = || Grant::new(Kind::Session).subject("user123");
    let live = Filter::new().subject("user123").state(TokenState::Active);
    // The second time with a session index that was revoked with everything else.
    for _ in 0..2 {
        let logins = (0..20).map(|n| {
            let (node, live) = (nodes[n % 2].clone(), live.clone());
            tokio::spawn(async move {
                let outcome = node.issue(session()).await;
                assert!(node.count(&live).await.unwrap() <= 3);
                outcome.map(drop)
            })
        });
        for login in logins.collect::<Vec<_>>() {
            match login.await.unwrap() {
                Ok(()) => {}
                Err(error) => assert_eq!(error.code(), "contended"),
            }
        }
        assert_eq!(nodes[0].count(&live).await.unwrap(), 3);
        nodes[1].revoke_all(RevokeRequest::reason("drill")).await.unwrap();
        assert_eq!(nodes[0].count(&live).await.unwrap(), 0);
    }
}
