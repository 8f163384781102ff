//! What an edge can do, and what it leaves to the central server.

use std::sync::Arc;

use keyfob::clock::{Clock as _, SystemClock};
use keyfob::limit::{Charge, LimitKey, LimitStore as _, Meter};
use keyfob::store::prelude::*;
use keyfob::token::SecretUsed;
use keyfob::{
    ErrorClass, Grant, Kind, Rate, RefreshRequest, RotateRequest, Subject, Timestamp, TokenState,
    Ttl, UpdateRequest,
};
use keyfob_edge::{EdgeLimits, EdgeStore};
use keyfob_tower::{NotOnce, UsedOnce};

use crate::central::{Central, client, key};

const BOUND: Ttl = Ttl::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_the_central_server_is_validated_with_all_that_it_says() {
    let central = Central::start().await;
    let edge = central.edge(BOUND).await;
    let grant = Grant::new(Kind::Session).subject("alice").audience("shop").scope("read");
    let issued = central.manager.issue(grant).await.unwrap();
    let token = edge.validate_active(&issued.bearer).await.unwrap();
    assert_eq!(token.id, issued.token.id);
    assert_eq!(token.subject, issued.token.subject);
    assert_eq!(token.scopes, issued.token.scopes);
    let refused = edge.validate_active("fob_at_no_such_token").await.unwrap_err();
    assert_eq!(refused.class(), ErrorClass::InvalidToken);

    let by = keyfob::RevokeRequest::reason("stolen").by("ops");
    central.manager.revoke(issued.token.id, by).await.unwrap();
    let explained = edge.explain(issued.bearer.expose(), &keyfob::ValidationChain::new()).await;
    let revocation = explained.unwrap().token.revocation.unwrap();
    assert_eq!(revocation.reason.unwrap().as_str(), "stolen");
    edge.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn limited_uses_are_counted_at_the_central_server() {
    let central = Central::start().await;
    let edges = [central.edge(BOUND).await, central.edge(BOUND).await];
    let issued = central.manager.issue(Grant::new(Kind::Access).uses(3)).await.unwrap();
    for (number, edge) in [(2, &edges[0]), (1, &edges[1]), (0, &edges[0])] {
        let token = edge.validate_active(&issued.bearer).await.unwrap();
        assert_eq!(token.uses_left, Some(number));
    }
    let refused = edges[1].validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "token_exhausted");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_use_of_a_new_secret_is_written() {
    let central = Central::start().await;
    let edge = central.edge(BOUND).await;
    let old = central.manager.issue(Grant::new(Kind::ApiKey).client("acme")).await.unwrap();
    edge.validate_active(&old.bearer).await.unwrap();
    let first = central.manager.rotate(old.token.id, RotateRequest::new()).await.unwrap();
    assert_eq!(edge.validate_active(&first.bearer).await.unwrap().secret, SecretUsed::Newest);
    // Because it was used, the next rotation keeps it as the older one.
    let second = central.manager.rotate(old.token.id, RotateRequest::new()).await.unwrap();
    assert_eq!(edge.validate_active(&second.bearer).await.unwrap().secret, SecretUsed::Newest);
    let older = edge.validate_active(&first.bearer).await.unwrap().secret;
    assert!(matches!(older, SecretUsed::Older { .. }));
    assert!(edge.validate_active(&old.bearer).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_edge_changes_nothing() {
    let central = Central::start().await;
    let edge = central.edge(BOUND).await;
    let issued = central.manager.issue(Grant::new(Kind::Session).subject("a")).await.unwrap();
    let id = issued.token.id;
    let codes = [
        edge.issue(Grant::new(Kind::Session)).await.unwrap_err(),
        edge.revoke(id, "x").await.unwrap_err(),
        edge.revoke_subject(&Subject::new("a").unwrap(), "x").await.unwrap_err(),
        edge.update(id, UpdateRequest::new(), |_| Ok(())).await.unwrap_err(),
        edge.begin_login(&Subject::new("a").unwrap()).await.unwrap_err(),
        edge.latest_event().await.unwrap_err(),
    ];
    for error in codes {
        assert_eq!(error.code(), "not_at_edge", "{error}");
    }
    assert_eq!(central.manager.get(id).await.unwrap().state(edge.now()), TokenState::Active);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refresh_token_stays_at_the_central_server() {
    let central = Central::start().await;
    let edge = central.edge(BOUND).await;
    let grant = Grant::new(Kind::Refresh).subject("alice");
    let pair = central.manager.issue_pair(grant, RefreshRequest::new()).await.unwrap();
    assert!(edge.validate_active(&pair.access.bearer).await.is_ok());
    let refused = edge.refresh(&pair.refresh.bearer, RefreshRequest::new()).await.unwrap_err();
    assert_eq!(refused.code(), "not_at_edge");
}

#[tokio::test(flavor = "multi_thread")]
async fn last_uses_and_refusals_are_written_at_the_central_server() {
    let central = Central::start().await;
    let edge = central.edge(BOUND).await;
    let issued = central.manager.issue(Grant::new(Kind::Session).subject("a")).await.unwrap();
    central.manager.revoke(issued.token.id, "x").await.unwrap();
    let used = central.manager.issue(Grant::new(Kind::Session).subject("a")).await.unwrap();
    edge.validate_active(&used.bearer).await.unwrap();
    edge.validate_active(&issued.bearer).await.unwrap_err();
    edge.shutdown().await;
    assert!(central.manager.get(used.token.id).await.unwrap().last_used.is_some());
    let page = central.manager.observations(&keyfob::store::Cursor::default(), 10).await.unwrap();
    assert!(page.observations.iter().any(|(seen, _)| seen.token() == Some(issued.token.id)));
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_counted_together() {
    let central = Central::start().await;
    let store = central.manager.limiter().unwrap().store().clone();
    let edge = EdgeLimits::new(central.client());
    let meter = Meter::new(Rate::new(3, Ttl::from_hours(1)).unwrap(), 3).unwrap();
    let key = LimitKey::from_bytes([9; 16]);
    let charge = Charge { key, meter, min_permits: 1, max_permits: 1 };
    for number in 0..4 {
        let charged = match number % 2 {
            0 => edge.charge(&[charge]).await.unwrap(),
            _ => store.charge(&[charge]).await.unwrap(),
        };
        assert_eq!(charged.admitted, number < 3);
        assert_eq!(charged.tallies.len(), 1);
    }
    let twice = edge.charge(&[charge, charge]).await.unwrap_err();
    assert!(twice.to_string().contains("another key"), "{twice}");
}

/// The limits of this central server are in its memory, so what was used before it began is not known.
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_from_before_the_central_server_began_is_refused() {
    let now = SystemClock.now();
    let before = Timestamp::from_secs(now.as_secs() - 10);
    let central = Central::start().await;
    let used = UsedOnce::new(Arc::new(EdgeLimits::new(central.client())), Ttl::from_mins(5));
    let used = used.unwrap();
    assert_eq!(used.add([1; 16], before).await, Err(NotOnce::Used));
    let after = now + Ttl::from_secs(10);
    assert!(used.add([2; 16], after).await.is_ok());
    assert_eq!(used.add([2; 16], after).await, Err(NotOnce::Used));
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_key_of_an_edge_opens_one() {
    let central = Central::start().await;
    let open = async |key: String| {
        let opened = EdgeStore::open(client(central.address, &key)).await;
        opened.map(|_| ()).map_err(|error| error.code())
    };
    assert_eq!(open(central.key.clone()).await, Ok(()));
    let reader = key(&central.manager, "keyfob:read keyfob:introspect").await;
    assert_eq!(open(reader).await, Err("store_misconfigured"));
    assert_eq!(open("fob_ak_nonsense".to_owned()).await, Err("store_misconfigured"));
    let grant = Grant::new(Kind::ApiKey).client("edge").scopes("keyfob:edge").audience("shop");
    let confined = central.manager.issue(grant).await.unwrap().bearer.expose().to_owned();
    assert_eq!(open(confined).await, Err("store_misconfigured"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_of_an_edge_is_about_its_central_server() {
    let central = Central::start().await;
    let store = EdgeStore::open(central.client()).await.unwrap();
    let report = store.report().await.unwrap();
    assert!(report.is_ready() && report.description.starts_with("edge of http://127.0.0.1:"));
}
