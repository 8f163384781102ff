//! Derived tokens.

use std::sync::Arc;

use keyfob::rotation::SecretOverlap;
use keyfob::token::{Confirmation, RevocationScope};
use keyfob::values::InvalidReason;
use keyfob::{
    Error, Filter, Grant, Kind, MemoryStore, Presentation, RefreshRequest, RevokeRequest,
    TokenManager, Ttl, ValidationChain,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::{bench, session};

fn agent(name: &str) -> Grant {
    Grant::new(Kind::Access).acting(name).scope("read")
}

#[tokio::test]
async fn the_newest_actor_comes_first() {
    let bench = bench();
    let user = bench.manager.issue(session("user123")).await.unwrap();
    let service = bench.manager.derive(&user.bearer, agent("service")).await.unwrap();
    let helper = bench.manager.derive(&service.bearer, agent("helper")).await.unwrap();
    let plain = Grant::new(Kind::Access).scope("read");
    let plain = bench.manager.derive(&helper.bearer, plain).await.unwrap();
    for derived in [&helper, &plain] {
        let token = bench.manager.validate_active(&derived.bearer).await.unwrap();
        assert_eq!(token.subject, user.token.subject);
        let json = serde_json::to_value(token.view(bench.manager.now())).unwrap();
        let act = serde_json::json!({"sub": "helper", "act": {"sub": "service"}});
        assert_eq!(json["claims"]["act"], act);
    }
    // A service may require an actor.
    let chain = ValidationChain::new().require_claim("act");
    assert!(bench.manager.validate(&helper.bearer, &chain).await.is_ok());
    let refused = bench.manager.validate(&user.bearer, &chain).await.unwrap_err();
    assert_eq!(refused.code(), "missing_claim");
}

#[tokio::test]
async fn a_derived_token_is_no_wider_than_its_parent() {
    let bench = bench();
    let grant = session("user123").audience("shop").ttl(Ttl::from_hours(1));
    let user = bench.manager.issue(grant).await.unwrap();
    let derived = bench.manager.derive(&user.bearer, agent("a").ttl(Ttl::from_days(1))).await;
    let derived = derived.unwrap();
    assert_eq!(derived.token.expires_at, user.token.expires_at);
    assert_eq!(derived.token.scopes.to_string(), "read");
    for (wider, what) in [
        (agent("a").scope("admin"), "scope set"),
        (agent("a").audience("billing"), "audience set"),
        (agent("a").subject("other"), "subject"),
        (agent(""), "subject"),
    ] {
        match bench.manager.derive(&user.bearer, wider).await {
            Err(Error::Invalid(invalid)) => assert_eq!(invalid.what(), what),
            other => panic!("{what}: {other:?}"),
        }
    }
    // A narrow token cannot be widened again.
    let wide = agent("b").scope("write");
    let refused = bench.manager.derive(&derived.bearer, wide).await.unwrap_err();
    assert_eq!(refused.code(), "invalid_value");
}

#[tokio::test]
async fn a_tree_has_eight_levels_and_revoking_any_node_revokes_its_subtree() {
    let bench = bench();
    let user = bench.manager.issue(session("user123")).await.unwrap();
    let mut line = vec![user.clone()];
    for depth in 1..=8 {
        let parent = line.last().unwrap();
        let derived = bench.manager.derive(&parent.bearer, agent(&format!("a{depth}"))).await;
        line.push(derived.unwrap());
    }
    match bench.manager.derive(&line.last().unwrap().bearer, agent("a9")).await {
        Err(Error::Invalid(invalid)) => {
            assert_eq!(invalid.reason(), &InvalidReason::TooMany { max: 8 });
        }
        other => panic!("{other:?}"),
    }
    for n in 0..50 {
        bench.manager.derive(&line[4].bearer, agent(&format!("wide{n}"))).await.unwrap();
    }
    bench.manager.revoke(line[4].token.id, RevokeRequest::default()).await.unwrap();
    for (depth, issued) in line.iter().enumerate() {
        let is_valid = bench.manager.validate_active(&issued.bearer).await.is_ok();
        assert_eq!(is_valid, depth < 4, "{depth}");
    }
    let live = Filter::new().state(keyfob::TokenState::Active);
    assert_eq!(bench.manager.count(&live).await.unwrap(), 4);
    let last = bench.manager.get(line[8].token.id).await.unwrap().revocation.unwrap();
    assert_eq!(last.through, RevocationScope::Ancestor(line[4].token.id));
}

#[tokio::test]
async fn revoking_a_node_is_one_write_for_any_number_of_descendants() {
    let spy = Arc::new(InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap())));
    let manager = TokenManager::builder(spy.clone()).build();
    for node in 0..=8 {
        let mut line = vec![manager.issue(session("user123")).await.unwrap()];
        let mut wide = Vec::new();
        for depth in 1..=8 {
            let parent = &line[depth - 1].bearer;
            for n in 0..5 {
                let leaf = agent(&format!("leaf{n}"));
                wide.push((depth, manager.derive(parent, leaf).await.unwrap()));
            }
            let next = manager.derive(parent, agent("branch")).await.unwrap();
            line.push(next);
        }
        let before = spy.writes();
        manager.revoke(line[node].token.id, RevokeRequest::default()).await.unwrap();
        assert_eq!(spy.writes() - before, 1);
        for (depth, issued) in line.iter().enumerate() {
            let is_valid = manager.validate_active(&issued.bearer).await.is_ok();
            assert_eq!(is_valid, depth < node, "{depth} below {node}");
        }
        for (depth, leaf) in wide {
            let is_valid = manager.validate_active(&leaf.bearer).await.is_ok();
            assert_eq!(is_valid, depth <= node, "a leaf at {depth}, below {node}");
        }
    }
}

#[tokio::test]
async fn nothing_is_derived_from_an_invalid_token() {
    let bench = bench();
    let derive = async |bearer: &keyfob::BearerToken| {
        bench.manager.derive(bearer, agent("a")).await.unwrap_err().code().to_owned()
    };
    let refresh = bench.manager.issue(super::refreshing::family()).await.unwrap();
    assert_eq!(derive(&refresh.bearer).await, "invalid_kind");
    let counted = bench.manager.issue(session("user123").uses(2)).await.unwrap();
    assert_eq!(derive(&counted.bearer).await, "invalid_value");
    let revoked = bench.manager.issue(session("user123")).await.unwrap();
    bench.manager.revoke(revoked.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(derive(&revoked.bearer).await, "token_revoked");
    let expired = bench.manager.issue(session("user123").ttl(Ttl::from_mins(10))).await.unwrap();
    bench.clock.advance(Ttl::from_mins(10));
    assert_eq!(derive(&expired.bearer).await, "token_expired");
    let junk = bench.manager.derive("junk", agent("a")).await.unwrap_err();
    assert_eq!(junk.code(), "token_malformed");
}

#[tokio::test]
async fn a_token_derived_with_an_older_secret_ends_with_that_secret() {
    let bench = bench();
    let old = bench.manager.issue(Grant::new(Kind::ApiKey).scope("read")).await.unwrap();
    bench.manager.validate_active(&old.bearer).await.unwrap();
    let overlap = SecretOverlap::new(Ttl::from_mins(5));
    let new = bench.manager.rotate(old.token.id, overlap).await.unwrap();
    let derived = bench.manager.derive(&old.bearer, agent("a")).await.unwrap();
    assert_eq!(derived.token.expires_at, Some(bench.manager.now() + Ttl::from_mins(5)));
    let derived = bench.manager.derive(&new.bearer, agent("a")).await.unwrap();
    assert_eq!(derived.token.expires_at, Some(bench.manager.now() + Ttl::from_hours(1)));
}

/// This also holds for renewals and long retentions.
#[tokio::test]
async fn renewal_of_a_derived_token_stops_at_its_parents_end() {
    let keep = keyfob::manager::Retention::For(Ttl::from_days(30));
    let bench = super::bench_with(|builder| builder.retention(keep));
    let start = bench.manager.now();
    for ends in [Some(Ttl::from_hours(1)), None] {
        let grant = session("user123");
        let grant = match ends {
            Some(ttl) => grant.ttl(ttl),
            None => grant.never_expires().absolute_lifetime(Ttl::from_hours(1)),
        };
        bench.clock.set(start);
        let user = bench.manager.issue(grant).await.unwrap();
        let end = start + Ttl::from_hours(1);
        let renewed = Grant::new(Kind::Refresh).scope("read").ttl(Ttl::from_mins(30));
        let renewed = renewed.absolute_lifetime(Ttl::from_days(10));
        let mut bearer = bench.manager.derive(&user.bearer, renewed).await.unwrap().bearer;
        for _ in 0..2 {
            bench.clock.advance(Ttl::from_mins(25));
            let next = bench.manager.refresh(&bearer, RefreshRequest::new()).await.unwrap();
            assert!(next.refresh.token.expires_at.unwrap() <= end, "{:?}", next.refresh.token);
            assert!(next.access.token.expires_at.unwrap() <= end);
            bearer = next.refresh.bearer;
        }
        bench.clock.advance(Ttl::from_mins(10));
        let over = bench.manager.refresh(&bearer, RefreshRequest::new()).await.unwrap_err();
        assert_eq!(over.code(), "family_ended");
    }
}

/// A thief of a token that is bound to a key cannot derive an unbound token from it.
#[tokio::test]
async fn a_token_derived_from_a_bound_token_is_bound_and_needs_the_key() {
    let bench = bench();
    let key = |text: &str| Confirmation::Jkt(text.parse().unwrap());
    let (own, agents) = (key("own"), key("agents"));
    let device: keyfob::DeviceId = "phone".parse().unwrap();
    let other: keyfob::DeviceId = "laptop".parse().unwrap();
    let grant = session("user123").confirmation(own.clone()).device_id(device.clone());
    let user = bench.manager.issue(grant).await.unwrap();
    let shown = || Presentation::from(&user.bearer);
    let code = async |shown, grant| {
        bench.manager.derive(shown, grant).await.unwrap_err().code().to_owned()
    };
    let rebound = || agent("a").confirmation(agents.clone());
    for grant in [agent("a"), rebound()] {
        assert_eq!(code(shown(), grant.clone()).await, "confirmation_mismatch");
        assert_eq!(code(shown().confirmation(&agents), grant).await, "confirmation_mismatch");
    }
    let from_other = shown().confirmation(&own).device(&other);
    assert_eq!(code(from_other, agent("a")).await, "device_mismatch");
    let shown = || shown().confirmation(&own).device(&device);
    for (grant, bound_to) in [(agent("a"), &own), (rebound(), &agents)] {
        let derived = bench.manager.derive(shown(), grant).await.unwrap();
        assert_eq!(derived.token.claims.registered.confirmation.as_ref(), Some(bound_to));
    }
    let minted = bench.manager.mint(user.token.id, Grant::new(Kind::Refresh)).await.unwrap();
    assert_eq!(minted.token.claims.registered.confirmation, Some(own.clone()));
    let unproven = bench.manager.refresh(&minted.bearer, RefreshRequest::new()).await;
    assert_eq!(unproven.unwrap_err().code(), "wrong_presenter");
    let shown = Presentation::from(&minted.bearer).confirmation(&own);
    assert!(bench.manager.refresh(shown, RefreshRequest::new()).await.is_ok());
}

#[tokio::test]
async fn deriving_counts_as_a_use() {
    let bench = bench();
    let grant = session("user123").idle_timeout(Ttl::from_mins(30));
    let user = bench.manager.issue(grant).await.unwrap();
    for _ in 0..3 {
        bench.clock.advance(Ttl::from_mins(20));
        bench.manager.derive(&user.bearer, agent("a")).await.unwrap();
    }
    bench.clock.advance(Ttl::from_mins(30));
    let idle = bench.manager.derive(&user.bearer, agent("a")).await.unwrap_err();
    assert_eq!(idle.code(), "token_expired");
}
