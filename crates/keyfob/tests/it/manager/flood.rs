//! Floods of invalid bearer tokens: their cost for the store, and the waiting time of honest
//! callers.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use keyfob::store::{IdOrigin, Namespace, NamespaceKey, prelude::*};
use keyfob::{
    CacheConfig, Grant, Kind, MemoryStore, Presentation, RefreshRequest, RevokeRequest,
    TokenManager, ValidationChain,
};
use keyfob_testkit::bearers::{made_up, purged};
use keyfob_testkit::instrumented_store::InstrumentedStore;
use tokio::task::JoinSet;

use super::session;

const LOAD_TIME: Duration = Duration::from_millis(10);

fn node(
    set_up: impl FnOnce(InstrumentedStore) -> InstrumentedStore,
) -> (Arc<InstrumentedStore>, TokenManager) {
    let store = Arc::new(set_up(InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap()))));
    (store.clone(), TokenManager::new(store))
}

/// Returns the median time of the first validation of a new token, and the number of validations.
async fn cold_validation(manager: &TokenManager, from: Option<IpAddr>) -> (Duration, u64) {
    const COUNT: u64 = 21;
    let mut times = Vec::new();
    for _ in 0..COUNT {
        let issued = manager.issue(session("user123")).await.unwrap();
        let presented = Presentation::new(issued.bearer.expose());
        let presented = from.map_or(presented, |ip| presented.ip(ip));
        let begun = Instant::now();
        manager.validate_active(presented).await.unwrap();
        times.push(begun.elapsed());
    }
    times.sort();
    (times[times.len() / 2], COUNT)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_bearers_cost_no_load_and_do_not_delay_honest_callers() {
    let (store, manager) = node(|store| store);
    store.load_takes(LOAD_TIME);
    let (alone, _) = cold_validation(&manager, None).await;
    let mut flood = JoinSet::new();
    for number in 0..10_000u64 {
        let manager = manager.clone();
        flood.spawn(async move {
            tokio::time::sleep(Duration::from_micros(number * 100)).await;
            loop {
                let junk = made_up(Kind::Session, manager.now());
                let refused = manager.validate_active(&junk).await.unwrap_err();
                assert_eq!(refused.code(), "token_unknown");
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        });
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    let loads_before = store.loads();
    let (beside, count) = cold_validation(&manager, None).await;
    assert_eq!(
        store.loads() - loads_before,
        count,
        "only requests of honest callers load from the store"
    );
    flood.abort_all();
    assert!(beside <= 2 * alone, "{beside:?} beside the flood, {alone:?} alone");
}

#[tokio::test]
async fn a_forged_bearer_never_causes_a_store_call() {
    let (store, manager) = node(|store| store);
    let uncached = TokenManager::builder(store.clone()).cache(CacheConfig::OFF).build();
    let strong = ValidationChain::new().consistency(keyfob::Consistency::Strong);
    for manager in [manager, uncached] {
        for kind in [Kind::Access, Kind::ApiKey, Kind::Session] {
            let junk = made_up(kind, manager.now());
            let refused = [
                manager.validate_active(&junk).await.map(drop),
                manager.validate(&junk, &strong).await.map(drop),
                manager.explain(&junk, &strong).await.map(drop),
                manager.derive(&junk, Grant::new(Kind::Access)).await.map(drop),
            ];
            for refused in refused {
                assert_eq!(refused.unwrap_err().code(), "token_unknown", "{kind:?}");
            }
        }
        let junk = made_up(Kind::Refresh, manager.now());
        let refused = manager.refresh(&junk, RefreshRequest::new()).await.unwrap_err();
        assert_eq!(refused.code(), "token_unknown");
    }
    assert_eq!(store.loads(), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_that_presents_ended_tokens_does_not_delay_other_addresses() {
    let (store, manager) = node(|store| store);
    store.load_takes(LOAD_TIME);
    let revoked = manager.issue(session("attacker")).await.unwrap();
    manager.revoke(revoked.token.id, RevokeRequest::default()).await.unwrap();
    let honest = Some("198.51.100.7".parse().unwrap());
    let (alone, _) = cold_validation(&manager, honest).await;
    let mut flood = JoinSet::new();
    for number in 0..2_000 {
        let (store, manager, revoked) = (store.clone(), manager.clone(), revoked.bearer.clone());
        flood.spawn(async move {
            loop {
                // Each time a different purged token, or the same revoked token.
                let bearer = match number % 2 {
                    0 => purged(store.namespace(), Kind::Session, manager.now()),
                    _ => revoked.clone(),
                };
                let presented = Presentation::new(bearer.expose());
                let presented = presented.ip("192.0.2.1".parse().unwrap());
                assert!(manager.validate_active(presented).await.is_err());
                tokio::task::yield_now().await;
            }
        });
    }
    tokio::time::sleep(Duration::from_millis(300)).await;
    let (beside, _) = cold_validation(&manager, honest).await;
    flood.abort_all();
    assert!(beside <= 2 * alone, "{beside:?} beside the flood, {alone:?} alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_whose_id_has_no_code_stays_valid_where_older_versions_drew_ids() {
    let (store, manager) = node(InstrumentedStore::with_namespace_of_older_version);
    let pair = manager.issue_pair(Grant::new(Kind::Refresh), RefreshRequest::new()).await.unwrap();
    let refreshed = manager.refresh(&pair.refresh.bearer, RefreshRequest::new()).await.unwrap();
    // Ids like those of older nodes, without a code.
    let without_code = refreshed.access.bearer;
    let key = NamespaceKey::from_bytes(*store.namespace().key().as_bytes());
    let strict = Namespace::new(store.namespace().lanes(), key).require_id_macs();
    assert_eq!(strict.origin_of(without_code.id()), IdOrigin::Foreign);
    manager.validate_active(&without_code).await.unwrap();
    // Forged bearers must be looked up here, and are refused too.
    let loads = store.loads();
    let refused = manager.validate_active(&made_up(Kind::Access, manager.now())).await.unwrap_err();
    assert_eq!((refused.code(), store.loads() - loads), ("token_unknown", 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_does_not_delay_new_tokens_of_an_older_namespace() {
    let (store, manager) = node(InstrumentedStore::with_namespace_of_older_version);
    store.load_takes(LOAD_TIME);
    let (alone, _) = cold_validation(&manager, None).await;
    let mut flood = JoinSet::new();
    for _ in 0..2_000 {
        let manager = manager.clone();
        flood.spawn(async move {
            loop {
                let junk = made_up(Kind::Session, manager.now());
                assert!(manager.validate_active(&junk).await.is_err());
                tokio::task::yield_now().await;
            }
        });
    }
    // The manager detects the flood after its first thousand bearers.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (beside, _) = cold_validation(&manager, None).await;
    flood.abort_all();
    assert!(beside <= 2 * alone, "{beside:?} beside the flood, {alone:?} alone");
}
