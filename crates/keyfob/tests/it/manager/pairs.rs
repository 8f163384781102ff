//! A refresh token together with its first access token.

use std::sync::Arc;

use keyfob::rotation::PreviousAccessToken;
use keyfob::store::Cursor;
use keyfob::values::Field;
use keyfob::{
    BearerToken, Error, EventKind, Filter, Grant, Kind, MemoryStore, RefreshPolicy, RefreshRequest,
    RevokeRequest, Subject, TokenManager, Ttl,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::{Bench, bench};

fn grant() -> Grant {
    Grant::new(Kind::Refresh)
        .subject("user123")
        .client("web")
        .audience("shop")
        .scopes("read write")
        .device_id("device123")
        .label("environment", "production")
        .claims(&std::collections::BTreeMap::from([("tier", "team")]))
}

async fn is_active(bench: &Bench, bearer: &BearerToken) -> bool {
    bench.manager.validate_active(bearer).await.is_ok()
}

#[tokio::test]
async fn the_access_token_inherits_the_claims_of_the_refresh_token() {
    let bench = bench();
    let pair = bench.manager.issue_pair(grant(), RefreshRequest::new()).await.unwrap();
    let (access, refresh) = (&pair.access.token, &pair.refresh.token);
    assert_eq!((access.kind, refresh.kind), (Kind::Access, Kind::Refresh));
    for token in [access, refresh] {
        assert_eq!(
            &bench.manager.get(token.id).await.unwrap(),
            token,
            "the stored token equals the issued one"
        );
    }
    assert_eq!(access.subject, refresh.subject);
    assert_eq!(access.client, refresh.client);
    assert_eq!(access.scopes, refresh.scopes);
    assert_eq!(access.audiences, refresh.audiences);
    assert_eq!(access.metadata, refresh.metadata);
    assert_eq!(access.claims, refresh.claims);
    assert_eq!(access.family, refresh.family);
    assert_eq!(access.ancestors, [refresh.id]);
    assert_eq!(access.id.lane(), refresh.id.lane());
    assert_eq!(access.expires_at, Some(bench.manager.now() + Ttl::from_hours(1)));
    assert!(is_active(&bench, &pair.access.bearer).await);
}

#[tokio::test]
async fn the_request_narrows_the_first_access_token_as_it_does_in_a_refresh() {
    let bench = bench();
    let request = || RefreshRequest::new().scope("read").access_ttl(Ttl::from_mins(5));
    let first = bench.manager.issue_pair(grant(), request().by("login")).await.unwrap();
    let next = bench.manager.refresh(&first.refresh.bearer, request()).await.unwrap();
    for access in [&first.access.token, &next.access.token] {
        assert_eq!(access.scopes.to_string(), "read");
        assert_eq!(access.expires_at, Some(access.issued_at + Ttl::from_mins(5)));
    }
    for token in [first.access.token.id, first.refresh.token.id] {
        let history = bench.manager.history(token).await.unwrap();
        assert_eq!(history[0].by.as_ref().unwrap().as_str(), "login");
    }
    let short = grant().ttl(Ttl::from_mins(3));
    let pair = bench.manager.issue_pair(short, request()).await.unwrap();
    assert_eq!(
        pair.access.token.expires_at, pair.refresh.token.expires_at,
        "the access token does not outlive the refresh token"
    );
}

#[tokio::test]
async fn a_pair_that_is_not_valid_stores_nothing() {
    let bench = bench();
    let later = bench.manager.now() + Ttl::from_mins(1);
    let cases = [
        (Grant::new(Kind::Session).subject("user123"), RefreshRequest::new(), Field::Kind),
        (grant().not_before(later), RefreshRequest::new(), Field::NotBefore),
        (grant().uses(1), RefreshRequest::new(), Field::Uses),
        (grant(), RefreshRequest::new().scope("admin"), Field::Scope),
        (grant(), RefreshRequest::new().audience("bank"), Field::Audience),
    ];
    for (grant, request, field) in cases {
        match bench.manager.issue_pair(grant, request).await {
            Err(Error::Invalid(invalid)) => assert_eq!(invalid.field(), field),
            other => panic!("{field:?}: {other:?}"),
        }
    }
    assert_eq!(bench.manager.count(&Filter::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn a_login_that_a_revocation_overtook_gets_no_pair() {
    let bench = bench();
    let subject: Subject = "user123".try_into().unwrap();
    let login = bench.manager.begin_login(&subject).await.unwrap();
    bench.manager.revoke_subject(&subject, RevokeRequest::default()).await.unwrap();
    let refused = bench.manager.issue_pair(grant().login(login), RefreshRequest::new()).await;
    assert!(matches!(refused, Err(Error::Superseded)), "{refused:?}");
    assert_eq!(bench.manager.count(&Filter::new()).await.unwrap(), 0);
}

#[tokio::test]
async fn revoking_the_refresh_token_ends_its_first_access_token() {
    let bench = bench();
    let pair = bench.manager.issue_pair(grant(), RefreshRequest::new()).await.unwrap();
    bench.manager.revoke(pair.refresh.token.id, RevokeRequest::default()).await.unwrap();
    assert!(!is_active(&bench, &pair.access.bearer).await);
    let again = bench.manager.issue_pair(grant(), RefreshRequest::new()).await.unwrap();
    assert!(is_active(&bench, &again.access.bearer).await);
}

#[tokio::test]
async fn the_first_rotation_ends_the_first_access_token_if_the_policy_says_so() {
    for (previous, lives_on) in
        [(PreviousAccessToken::RevokePrevious, false), (PreviousAccessToken::LeaveToExpire, true)]
    {
        let bench = bench();
        let policy = RefreshPolicy::new().with_previous_access_token(previous);
        let grant = grant().refresh_policy(policy);
        let first = bench.manager.issue_pair(grant, RefreshRequest::new()).await.unwrap();
        let request = RefreshRequest::new();
        let next = bench.manager.refresh(&first.refresh.bearer, request).await.unwrap();
        assert!(is_active(&bench, &next.access.bearer).await);
        assert_eq!(is_active(&bench, &first.access.bearer).await, lives_on);
    }
}

#[tokio::test]
async fn a_pair_is_one_write_and_two_events() {
    let spy = Arc::new(InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap())));
    let manager = TokenManager::builder(Arc::clone(&spy)).build();
    let pair = manager.issue_pair(grant(), RefreshRequest::new()).await.unwrap();
    assert_eq!((spy.writes(), spy.loads()), (1, 0));
    let page = manager.events(&Cursor::start(), 10).await.unwrap();
    let issued: Vec<_> = page
        .events
        .iter()
        .filter_map(|(event, _)| match &event.what {
            EventKind::Issued { token, kind, .. } => Some((*token, *kind)),
            _ => None,
        })
        .collect();
    let expected = [&pair.refresh, &pair.access];
    assert_eq!(issued, expected.map(|issued| (issued.token.id, issued.token.kind)));
    assert_eq!(page.events.len(), 2);
    // The first rotation does not have to read the record that was just stored.
    manager.refresh(&pair.refresh.bearer, RefreshRequest::new()).await.unwrap();
    assert_eq!(spy.loads(), 0);
}
