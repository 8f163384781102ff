//! Whether a revocation takes effect at an edge, whatever the network does.

use std::time::{Duration, Instant};

use keyfob::store::RecordStore as _;
use keyfob::{CacheConfig, Grant, Kind, TokenManager, Ttl};
use keyfob_edge::EdgeStore;
use keyfob_testkit::proxy::Proxy;

use crate::central::{Central, client, edge, until_cached};

/// So long that nothing in these tests ends by time.
const LONG: Ttl = Ttl::from_mins(5);
const SHORT: Ttl = Ttl::from_secs(1);

async fn session(central: &Central) -> keyfob::Issued {
    central.manager.issue(Grant::new(Kind::Session).subject("alice")).await.unwrap()
}

/// Waits until the edge does not accept the bearer, and returns how long that took.
async fn until_refused(edge: &TokenManager, bearer: &str) -> (Duration, String) {
    let begun = Instant::now();
    loop {
        match edge.validate_active(bearer).await {
            Ok(_) => tokio::time::sleep(Duration::from_millis(1)).await,
            Err(error) => return (begun.elapsed(), error.code().to_owned()),
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "it is never refused");
    }
}

fn answers_from_memory(edge: &TokenManager, issued: &keyfob::Issued) -> bool {
    let chain = keyfob::ValidationChain::new();
    edge.validate_cached(issued.bearer.expose(), &chain, |_| ()).is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revocation_reaches_the_edge_long_before_trust_ends() {
    let central = Central::start().await;
    let edge = central.edge(LONG).await;
    for how in ["token", "subject"] {
        let issued = session(&central).await;
        until_cached(&edge, issued.bearer.expose()).await;
        match how {
            "token" => drop(central.manager.revoke(issued.token.id, how).await.unwrap()),
            _ => {
                let subject = issued.token.subject.clone().unwrap();
                central.manager.revoke_subject(&subject, how).await.unwrap();
            }
        }
        let (took, code) = until_refused(&edge, issued.bearer.expose()).await;
        assert_eq!(code, "token_revoked");
        assert!(took < Duration::from_secs(5), "{how} took {took:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_that_is_cut_off_refuses_from_the_bound_on_and_recovers() {
    let central = Central::start().await;
    let proxy = Proxy::to(central.address).await.unwrap();
    let edge = edge(central.client_at(proxy.address()), SHORT).await;
    let issued = session(&central).await;
    until_cached(&edge, issued.bearer.expose()).await;

    // Bytes vanish, and no connection breaks.
    proxy.stall();
    let cut = Instant::now();
    assert!(answers_from_memory(&edge, &issued), "the cut alone ends no trust");
    central.manager.revoke(issued.token.id, "stolen").await.unwrap();
    let other = session(&central).await;
    // The last proof that the edge got is older than the cut. So a check that begins later than the bound after
    // it is refused, even if the machine is busy.
    let mut last_accepted = Duration::ZERO;
    while cut.elapsed() < SHORT.as_duration() + Duration::from_millis(500) {
        let begun = cut.elapsed();
        if answers_from_memory(&edge, &issued) {
            last_accepted = begun;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert!(last_accepted <= SHORT.as_duration(), "accepted {last_accepted:?} after the cut");
    let (took, code) = until_refused(&edge, issued.bearer.expose()).await;
    assert_eq!(code, "store_unavailable", "nothing is known about it");
    // The refusal waits for the attempts to ask the central server.
    assert!(cut.elapsed() < Duration::from_secs(10), "{took:?}");

    proxy.heal();
    until_cached(&edge, other.bearer.expose()).await;
    let refused = edge.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_namespace_behind_the_address_is_never_trusted() {
    let (first, second) = (Central::start().await, Central::start().await);
    let proxy = Proxy::to(first.address).await.unwrap();
    let store = EdgeStore::open(first.client_at(proxy.address())).await.unwrap();
    let fingerprint = store.namespace().fingerprint();
    let cache = CacheConfig::default().with_max_staleness(LONG);
    let edge = TokenManager::builder(store).cache(cache).build();
    let issued = session(&first).await;
    until_cached(&edge, issued.bearer.expose()).await;

    // The key of the edge is unknown there, so nothing is answered.
    proxy.lead_to(second.address);
    assert_ne!(fingerprint, second.manager.relay().namespace().fingerprint());
    proxy.cut();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let chain = keyfob::ValidationChain::new().consistency(keyfob::Consistency::Strong);
    assert!(edge.validate(&issued.bearer, &chain).await.is_err());

    // A key that is known there changes nothing about the records of the first one.
    let known = crate::central::key(&second.manager, "keyfob:edge").await;
    let opened = EdgeStore::open(client(second.address, &known)).await.unwrap();
    assert!(opened.load(issued.token.id).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_whose_key_is_revoked_stops_to_trust_its_cache() {
    let central = Central::start().await;
    let edge = central.edge(SHORT).await;
    let issued = session(&central).await;
    until_cached(&edge, issued.bearer.expose()).await;
    let key = central.manager.validate_active(central.key.as_str()).await.unwrap();
    central.manager.revoke(key.id, "lost laptop").await.unwrap();
    let (took, code) = until_refused(&edge, issued.bearer.expose()).await;
    assert_eq!(code, "store_misconfigured");
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn edges_may_stand_in_front_of_edges() {
    let central = Central::start().await;
    let middle = central.edge(LONG).await;
    let relay = middle.relay();
    let since = keyfob::store::relay::Since::default();
    let begun = Instant::now();
    loop {
        let beat = relay.beat(&since, Duration::ZERO).await.unwrap();
        if beat.distrusted.is_empty() {
            assert!(beat.age > Duration::ZERO, "it is as old as that of the central server");
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(10));
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}
