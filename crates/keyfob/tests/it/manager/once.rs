//! Requests that are sent again with the same idempotency key.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::manager::IdempotencyKey;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob::{
    Error, Filter, Grant, Kind, MemoryStore, Paging, RevokeRequest, Timestamp, TokenManager,
    TokenState, Ttl,
};
use keyfob::{SessionPolicy, WhenFull};
use keyfob_testkit::instrumented_store::InstrumentedStore;

const REQUESTER: &str = "the secret of the requester";

/// Two nodes over one store.
struct Nodes {
    one: TokenManager,
    other: TokenManager,
    store: Arc<InstrumentedStore>,
    clock: ManualClock,
}

fn nodes(sessions: Option<SessionPolicy>) -> Nodes {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let (lanes, seed) = (LaneCount::new(8).unwrap(), SeededRandom::new(1));
    let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &seed).unwrap();
    let store = Arc::new(InstrumentedStore::new(Arc::new(store)));
    let node = |seed| {
        let random = SeededRandom::new(seed);
        let builder = TokenManager::builder(store.clone()).clock(clock.clone()).random(random);
        match sessions {
            Some(policy) => builder.sessions(policy).build(),
            None => builder.build(),
        }
    };
    Nodes { one: node(2), other: node(3), store, clock }
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::new(text, REQUESTER, b"the request").unwrap()
}

async fn stored(manager: &TokenManager) -> usize {
    manager.list(&Filter::new(), Paging::new(1_000)).await.unwrap().tokens.len()
}

#[tokio::test]
async fn a_repeat_on_another_node_gets_the_same_token_of_each_kind() {
    let nodes = nodes(None);
    for (position, kind) in Kind::ALL.into_iter().enumerate() {
        for subject in [None, Some("alice")] {
            let grant = || match subject {
                Some(subject) => Grant::new(kind).subject(subject).scope("read"),
                None => Grant::new(kind).client("app").scope("read"),
            };
            let key = key(&format!("{position}-{subject:?}"));
            let first = nodes.one.issue_once(&key, grant()).await.unwrap();
            nodes.clock.advance(Ttl::from_secs(90));
            let again = nodes.other.issue_once(&key, grant()).await.unwrap();
            assert_eq!(again.token, first.token, "{kind}");
            assert_eq!(again.bearer.expose(), first.bearer.expose(), "{kind}");
        }
    }
    assert_eq!(stored(&nodes.one).await, 2 * Kind::ALL.len());
    assert_eq!(nodes.one.events(&"start".parse().unwrap(), 100).await.unwrap().events.len(), 8);
}

#[tokio::test]
async fn a_first_attempt_reads_nothing() {
    let nodes = nodes(None);
    nodes.one.issue_once(&key("k"), Grant::new(Kind::Access).subject("alice")).await.unwrap();
    assert_eq!(nodes.store.loads(), 0);
}

#[tokio::test]
async fn attempts_at_the_same_time_get_one_token() {
    let nodes = nodes(None);
    let key = key("at-the-same-time");
    let attempts = (0..50).map(|attempt| {
        let node = if attempt % 2 == 0 { &nodes.one } else { &nodes.other };
        node.issue_once(&key, Grant::new(Kind::Session).subject("alice"))
    });
    let issued = futures_util::future::try_join_all(attempts).await.unwrap();
    assert!(issued.iter().all(|one| one.bearer.expose() == issued[0].bearer.expose()));
    assert_eq!(stored(&nodes.one).await, 1);
}

#[tokio::test]
async fn a_repeated_login_ends_no_further_session() {
    let policy = SessionPolicy::new(2, WhenFull::RetireOldest).unwrap();
    let nodes = nodes(Some(policy));
    let grant = || Grant::new(Kind::Session).subject("alice");
    let other = nodes.one.issue(grant()).await.unwrap();
    let key = key("login");
    let first = nodes.one.issue_once(&key, grant()).await.unwrap();
    for node in [&nodes.one, &nodes.other, &nodes.one] {
        let again = node.issue_once(&key, grant()).await.unwrap();
        assert_eq!(again.bearer.expose(), first.bearer.expose());
    }
    nodes.one.validate_active(&other.bearer).await.unwrap();
}

#[tokio::test]
async fn a_key_belongs_to_one_request_of_one_requester() {
    let nodes = nodes(None);
    let grant = || Grant::new(Kind::Access).subject("alice");
    let first = nodes.one.issue_once(&key("k"), grant()).await.unwrap();
    let changed = IdempotencyKey::new("k", REQUESTER, b"another request").unwrap();
    let error = nodes.other.issue_once(&changed, grant()).await.unwrap_err();
    assert_eq!(error.code(), "idempotency_key_reused");
    let stranger = IdempotencyKey::new("k", "another secret", b"the request").unwrap();
    let theirs = nodes.one.issue_once(&stranger, grant()).await.unwrap();
    assert_ne!(theirs.token.id, first.token.id);
    assert_ne!(theirs.bearer.expose(), first.bearer.expose());
}

#[tokio::test]
async fn a_repeat_brings_no_token_back() {
    let nodes = nodes(None);
    let grant = || Grant::new(Kind::Access).subject("alice").ttl(Ttl::from_mins(5));
    let first = nodes.one.issue_once(&key("k"), grant()).await.unwrap();
    nodes.one.revoke(first.token.id, RevokeRequest::reason("stolen")).await.unwrap();
    let again = nodes.other.issue_once(&key("k"), grant()).await.unwrap();
    assert_eq!(again.token.id, first.token.id);
    assert!(again.token.revocation.is_some());
    assert!(nodes.other.validate_active(&again.bearer).await.is_err());

    // When it has expired and its record is forgotten, the claim still knows the key.
    nodes.clock.advance(Ttl::from_hours(20));
    match nodes.other.issue_once(&key("k"), grant()).await {
        Err(Error::Ended { id, state }) => {
            assert_eq!((id, state), (first.token.id, TokenState::Expired));
        }
        other => panic!("{other:?}"),
    }
    nodes.clock.advance(Ttl::from_hours(5));
    let next = nodes.other.issue_once(&key("k"), grant()).await.unwrap();
    assert_ne!(next.token.id, first.token.id);
}

#[tokio::test]
async fn after_everything_was_revoked_the_key_issues_nothing() {
    let nodes = nodes(None);
    let grant = || Grant::new(Kind::Access).subject("alice");
    nodes.one.issue_once(&key("k"), grant()).await.unwrap();
    nodes.one.revoke_all(RevokeRequest::reason("incident")).await.unwrap();
    let again = nodes.other.issue_once(&key("k"), grant()).await;
    match again {
        Ok(issued) => assert!(nodes.one.validate_active(&issued.bearer).await.is_err()),
        Err(error) => assert_eq!(error.code(), "superseded"),
    }
    assert_eq!(stored(&nodes.one).await, 1);
}

#[tokio::test]
async fn many_are_issued_once_in_order() {
    let nodes = nodes(None);
    let grants = || {
        (0..20).map(|n| Grant::new(Kind::Access).subject(format!("user{n}"))).collect::<Vec<_>>()
    };
    let first = nodes.one.issue_many_once(&key("many"), grants()).await.unwrap();
    let again = nodes.other.issue_many_once(&key("many"), grants()).await.unwrap();
    for (first, again) in first.into_iter().zip(again) {
        let (first, again) = (first.unwrap(), again.unwrap());
        assert_eq!(first.token, again.token);
        assert_eq!(first.bearer.expose(), again.bearer.expose());
    }
    assert_eq!(stored(&nodes.one).await, 20);
}

#[tokio::test]
async fn a_token_is_derived_once() {
    let nodes = nodes(None);
    let parent = nodes.one.issue(Grant::new(Kind::Session).subject("alice").scope("read")).await;
    let parent = parent.unwrap();
    let grant = || Grant::new(Kind::Access).scope("read");
    let first = nodes.one.derive_once(&key("d"), &parent.bearer, grant()).await.unwrap();
    let again = nodes.other.derive_once(&key("d"), &parent.bearer, grant()).await.unwrap();
    assert_eq!(first.bearer.expose(), again.bearer.expose());
    assert_eq!(stored(&nodes.one).await, 2);
    assert!(nodes.one.derive_once(&key("e"), "nonsense", grant()).await.is_err());
}
