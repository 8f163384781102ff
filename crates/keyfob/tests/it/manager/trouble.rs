//! Refreshing while nodes stop, stores lose writes, and clocks jump.

use std::sync::Arc;

use keyfob::rotation::{PreviousAccessToken, RefreshCase, RefreshRefused};
use keyfob::store::Cursor;
use keyfob::{
    BearerToken, Error, EventKind, MemoryStore, RefreshPolicy, RefreshRequest, Store, TokenManager,
    Ttl,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::bench;
use super::refreshing::{family, pair};

/// If a node stops at any step, the previous access token is never valid after a stored rotation.
#[tokio::test]
async fn an_earlier_access_token_is_ended_whenever_its_node_stops() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let policy =
        RefreshPolicy::new().with_previous_access_token(PreviousAccessToken::RevokePrevious);
    let there = TokenManager::builder(store.clone()).build();
    let mut stopped = 0;
    for writes in 0.. {
        let spy = Arc::new(InstrumentedStore::new(store.clone()));
        let here = TokenManager::builder(spy.clone()).build();
        let refresh = async |bearer| here.refresh(bearer, RefreshRequest::new()).await;
        let first = here.issue(family().refresh_policy(policy)).await.unwrap();
        let one = refresh(&first.bearer).await.unwrap();
        spy.stop_after(writes);
        let two = refresh(&one.refresh.bearer).await;
        let present = there.get(first.token.id).await.unwrap().generation.number();
        let is_valid = there.validate_active(&one.access.bearer).await.is_ok();
        assert!(
            !is_valid || present == 1,
            "the previous access token is valid after {writes} writes"
        );
        // The client loses nothing: it can retry.
        spy.stop_after(u64::MAX);
        let again = refresh(&one.refresh.bearer).await.unwrap();
        assert!(there.validate_active(&again.access.bearer).await.is_ok());
        assert!(there.validate_active(&one.access.bearer).await.is_err());
        if two.is_ok() {
            break;
        }
        assert_eq!(two.unwrap_err().code(), "store_unavailable");
        stopped += 1;
    }
    assert_eq!(stopped, 2, "the node stopped between all writes");
}

/// A fail-over may lose the last writes. A client with the lost bearers is not a thief.
#[tokio::test]
async fn a_lost_rotation_is_reported_once_and_ends_no_family() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new().unwrap());
    let spy = Arc::new(InstrumentedStore::new(store.clone()));
    let nodes = [spy.clone(), Arc::new(InstrumentedStore::new(store))]
        .map(|spy| TokenManager::builder(spy).build());
    let refresh = async |node: usize, bearer: &BearerToken| {
        nodes[node].refresh(bearer, RefreshRequest::new()).await
    };
    let first = nodes[0].issue(family()).await.unwrap();
    let token = first.token.id;
    let kept = refresh(0, &first.bearer).await.unwrap();
    spy.lose_replacements(2);
    let one = refresh(0, &kept.refresh.bearer).await.unwrap();
    let two = refresh(0, &one.refresh.bearer).await.unwrap();
    for bearer in [&one.refresh.bearer, &one.refresh.bearer, &two.refresh.bearer] {
        for node in [0, 1] {
            match refresh(node, bearer).await {
                Err(Error::Refresh(refused)) => {
                    assert_eq!(refused, RefreshRefused::AheadOfStore { token });
                }
                other => panic!("{other:?}"),
            }
        }
    }
    let page = nodes[1].events(&Cursor::start(), 100).await.unwrap();
    let reported = page.events.iter().filter(|(event, _)| event.what.as_str().ends_with("store"));
    let reported: Vec<_> = reported.map(|(event, _)| event.what.clone()).collect();
    let ahead = |presented| EventKind::AheadOfStore { token, presented, generation: 1 };
    assert_eq!(reported, [ahead(2), ahead(3)], "one event for each generation");
    let history = nodes[1].history(token).await.unwrap();
    let whats: Vec<_> = history.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(whats, ["issued", "rotated", "ahead_of_store", "ahead_of_store"]);
    // The generation in the store is valid, and rotates to the same bearers again.
    let again = refresh(1, &kept.refresh.bearer).await.unwrap();
    assert_eq!(again.refresh.bearer.expose(), one.refresh.bearer.expose());
    assert_eq!(refresh(0, &one.refresh.bearer).await.unwrap().case, RefreshCase::Rotated);
}

#[tokio::test]
async fn a_clock_that_jumps_loses_nothing() {
    let bench = bench();
    let first = bench.family().await;
    let start = bench.manager.now();
    bench.clock.set(start + Ttl::from_hours(1));
    let one = bench.refresh(&first.bearer).await.unwrap();
    bench.clock.set(start);
    let again = bench.refresh(&first.bearer).await.unwrap();
    assert_eq!(pair(&again), pair(&one));
    let two = bench.refresh(&one.refresh.bearer).await.unwrap();
    assert_eq!(bench.code(&first.bearer).await, "refused_in_window");
    assert!(bench.manager.validate_active(&two.access.bearer).await.is_ok());
}

/// A jump forward ends grace periods and lifetimes, as if the time had passed. Valid tokens stay
/// valid.
#[tokio::test]
async fn a_clock_that_jumps_forward_is_time_that_passed() {
    let bench = bench();
    let start = bench.manager.now();
    let [retrying, going_on] = [bench.family().await, bench.family().await];
    let one = bench.refresh(&retrying.bearer).await.unwrap();
    bench.clock.set(start + Ttl::from_hours(3));
    let on = bench.refresh(&going_on.bearer).await.unwrap();
    assert_eq!(bench.code(&retrying.bearer).await, "reuse_detected");
    bench.clock.set(start);
    // Ended families stay ended, and rotated families stay valid.
    assert_eq!(bench.code(&one.refresh.bearer).await, "family_ended");
    assert!(bench.manager.validate_active(&on.access.bearer).await.is_ok());
    assert_eq!(bench.refresh(&going_on.bearer).await.unwrap().case, RefreshCase::Replayed);
    assert_eq!(bench.refresh(&on.refresh.bearer).await.unwrap().case, RefreshCase::Rotated);
}
