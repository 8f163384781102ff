//! Refresh: rotation, retries, reuse.

use std::sync::Arc;

use keyfob::bearer::Generation;
use keyfob::event::ObservationKind;
use keyfob::rotation::{GracePeriod, PreviousAccessToken, RefreshCase, RefreshRefused};
use keyfob::store::Cursor;
use keyfob::token::{Confirmation, RevocationScope};
use keyfob::values::Field;
use keyfob::{
    BearerToken, DeviceId, Error, EventKind, Grant, Issued, Kind, Presentation, RefreshPolicy,
    RefreshRequest, Refreshed, RevokeRequest, Store, Token, TokenState, Ttl,
};

use keyfob_testkit::families::{Families, refresh_many};
use keyfob_testkit::instrumented_store::InstrumentedStore;

use super::thief::with_another_secret;
use super::{Bench, bench, bench_with};

pub(crate) fn family() -> Grant {
    Grant::new(Kind::Refresh).subject("user123").client("web").scopes("read write")
}

impl Bench {
    pub(super) async fn family(&self) -> Issued {
        self.manager.issue(family()).await.unwrap()
    }

    pub(super) async fn refresh(&self, bearer: &BearerToken) -> Result<Refreshed, Error> {
        self.manager.refresh(bearer, RefreshRequest::new()).await
    }

    pub(super) async fn code(&self, bearer: &BearerToken) -> String {
        self.refresh(bearer).await.unwrap_err().code().to_owned()
    }

    async fn happened(&self) -> Vec<EventKind> {
        let page = self.manager.events(&Cursor::start(), 1000).await.unwrap();
        page.events.into_iter().map(|(event, _)| event.what).collect()
    }
}

pub(crate) fn pair(refreshed: &Refreshed) -> (String, String) {
    let text = |issued: &Issued| issued.bearer.expose().to_owned();
    (text(&refreshed.access), text(&refreshed.refresh))
}

fn millis(millis: u64) -> Ttl {
    Ttl::from_millis(millis).unwrap()
}

#[tokio::test]
async fn a_family_rotates_without_limit_and_only_its_newest_bearer_is_valid() {
    let bench = bench();
    let first = bench.family().await;
    let mut bearer = first.bearer.clone();
    for number in 1..=20 {
        bench.clock.advance(Ttl::from_mins(1));
        let next = bench.refresh(&bearer).await.unwrap();
        assert_eq!(next.case, RefreshCase::Rotated);
        assert_eq!(next.refresh.token.id, first.token.id);
        assert_eq!(next.refresh.token.generation.number(), number);
        assert_eq!(bench.manager.get(first.token.id).await.unwrap(), next.refresh.token);
        assert_eq!(bench.manager.get(next.access.token.id).await.unwrap(), next.access.token);
        let access = bench.manager.validate_active(&next.access.bearer).await.unwrap();
        assert_eq!((access.kind, access.family), (Kind::Access, first.token.family));
        assert_eq!(access.scopes, first.token.scopes);
        let refused = bench.manager.validate_active(&bearer).await.unwrap_err();
        assert_eq!(refused.code(), "token_unknown");
        let newest = bench.manager.validate_active(&next.refresh.bearer).await.unwrap();
        assert_eq!(newest.id, first.token.id);
        bearer = next.refresh.bearer;
    }
}

#[tokio::test]
async fn a_retry_within_the_grace_period_gets_the_same_pair_and_a_later_one_ends_the_family() {
    let bench = bench();
    let first = bench.family().await;
    let got = bench.refresh(&first.bearer).await.unwrap();
    let events = bench.happened().await.len();
    for wait in [0, 5_000, 4_999] {
        if wait > 0 {
            bench.clock.advance(millis(wait));
        }
        let again = bench.refresh(&first.bearer).await.unwrap();
        assert_eq!(again.case, RefreshCase::Replayed);
        assert_eq!(pair(&again), pair(&got));
        assert_eq!(again.access.token, got.access.token);
    }
    assert_eq!(bench.happened().await.len(), events, "a retry mints nothing");
    bench.clock.advance(millis(1));
    assert_eq!(bench.code(&first.bearer).await, "reuse_detected");
    for bearer in [&first.bearer, &got.refresh.bearer] {
        assert_eq!(bench.code(bearer).await, "family_ended");
    }
    let revocation = bench.manager.get(first.token.id).await.unwrap().revocation.unwrap();
    assert_eq!(revocation.reason.unwrap().as_str(), "reuse_detected");
    let access = bench.manager.get(got.access.token.id).await.unwrap().revocation.unwrap();
    assert_eq!(access.through, RevocationScope::Ancestor(first.token.id));
    let reuse = EventKind::ReuseDetected {
        token: first.token.id,
        presented: 0,
        generation: 1,
        is_forged: false,
    };
    assert!(bench.happened().await.contains(&reuse));
}

#[tokio::test]
async fn an_older_bearer_is_refused_within_the_grace_period_and_ends_the_family_after_it() {
    let bench = bench();
    let first = bench.family().await;
    let second = bench.refresh(&first.bearer).await.unwrap();
    bench.clock.advance(Ttl::from_secs(1));
    let third = bench.refresh(&second.refresh.bearer).await.unwrap();
    assert_eq!(bench.code(&first.bearer).await, "refused_in_window");
    // The refusal had no effect.
    let again = bench.refresh(&second.refresh.bearer).await.unwrap();
    assert_eq!(pair(&again), pair(&third));
    bench.clock.advance(Ttl::from_secs(9));
    assert_eq!(bench.code(&first.bearer).await, "reuse_detected");
}

#[tokio::test]
async fn only_the_original_presenter_gets_a_replay() {
    let bench = bench();
    let first = bench.family().await;
    let phone = DeviceId::new("phone").unwrap();
    let by = |device| Presentation::new(first.bearer.expose()).device(device);
    let request = || RefreshRequest::new().client("web");
    let got = bench.manager.refresh(by(&phone), request()).await.unwrap();
    let again = bench.manager.refresh(by(&phone), request()).await.unwrap();
    assert_eq!(pair(&again), pair(&got));
    let other = DeviceId::new("laptop").unwrap();
    let key = Confirmation::Jkt("abc".try_into().unwrap());
    for refused in [
        bench.manager.refresh(by(&other), request()).await,
        bench.manager.refresh(by(&phone), RefreshRequest::new()).await,
        bench.manager.refresh(by(&phone), request().confirmation(key)).await,
    ] {
        assert_eq!(refused.unwrap_err().code(), "refused_in_window");
    }
}

#[tokio::test]
async fn a_bound_token_is_refused_for_another_presenter_without_effect() {
    let bench = bench();
    let key = || Confirmation::Jkt("thumbprint".try_into().unwrap());
    let grant = family().device_id("phone").confirmation(key());
    let first = bench.manager.issue(grant).await.unwrap();
    let (phone, laptop) = (DeviceId::new("phone").unwrap(), DeviceId::new("laptop").unwrap());
    let by = |device| Presentation::new(first.bearer.expose()).device(device);
    let good = || RefreshRequest::new().client("web").confirmation(key());
    for (device, request, bound) in [
        (&phone, good().client("cron"), Field::Client),
        (&laptop, good(), Field::DeviceId),
        (&phone, RefreshRequest::new().client("web"), Field::Confirmation),
    ] {
        match bench.manager.refresh(by(device), request).await {
            Err(Error::Refresh(RefreshRefused::WrongPresenter { field, .. })) => {
                assert_eq!(field, bound);
            }
            other => panic!("{bound}: {other:?}"),
        }
    }
    let refreshed = bench.manager.refresh(by(&phone), good()).await.unwrap();
    assert_eq!(refreshed.access.token.claims.registered.confirmation, Some(key()));
}

#[tokio::test]
async fn an_access_token_is_bound_to_the_key_that_the_client_proves() {
    let bench = bench();
    let first = bench.family().await;
    let key = || Confirmation::Jkt("thumbprint".try_into().unwrap());
    let request = || RefreshRequest::new().bind_access(key());
    let got = bench.manager.refresh(&first.bearer, request()).await.unwrap();
    let again = bench.manager.refresh(&first.bearer, request()).await.unwrap();
    assert_eq!(pair(&again), pair(&got));
    let bound_to = |token: &Token| token.claims.registered.confirmation.clone();
    assert_eq!(bound_to(&got.access.token), Some(key()));
    assert_eq!(bound_to(&bench.manager.get(got.refresh.token.id).await.unwrap()), None);
    let code = bench.manager.validate_active(&got.access.bearer).await.unwrap_err();
    assert_eq!(code.code(), "confirmation_mismatch");
    // The next one may prove another key: the refresh token is not bound.
    let other = Confirmation::Jkt("another".try_into().unwrap());
    let request = RefreshRequest::new().bind_access(other.clone());
    let next = bench.manager.refresh(&got.refresh.bearer, request).await.unwrap();
    assert_eq!(bound_to(&next.access.token), Some(other));
}

#[tokio::test]
async fn a_pair_that_is_bound_at_a_rotation_stays_bound() {
    let bench = bench();
    let first = bench.family().await;
    let key = || Confirmation::Jkt("thumbprint".try_into().unwrap());
    let request = || RefreshRequest::new().bind_pair(key());
    let got = bench.manager.refresh(&first.bearer, request()).await.unwrap();
    let again = bench.manager.refresh(&first.bearer, request()).await.unwrap();
    assert_eq!(pair(&again), pair(&got));
    let stored = bench.manager.get(got.refresh.token.id).await.unwrap();
    assert_eq!(stored.claims.registered.confirmation, Some(key()));
    let other = Confirmation::Jkt("another".try_into().unwrap());
    for thief in [RefreshRequest::new(), RefreshRequest::new().bind_pair(other)] {
        // Neither the last bearer token nor the next one gives a pair to somebody else.
        for bearer in [&first.bearer, &got.refresh.bearer] {
            let refused = bench.manager.refresh(bearer, thief.clone()).await.unwrap_err();
            assert!(matches!(refused, Error::Refresh(_)), "{refused:?}");
        }
    }
    let next = bench.manager.refresh(&got.refresh.bearer, request()).await.unwrap();
    assert_eq!(next.access.token.claims.registered.confirmation, Some(key()));
}

#[tokio::test]
async fn an_access_token_may_be_narrowed_and_never_widened() {
    let bench = bench();
    let grant = family().audience("shop").audience("billing");
    let mut bearer = bench.manager.issue(grant).await.unwrap().bearer;
    for wider in [RefreshRequest::new().scope("admin"), RefreshRequest::new().audience("other")] {
        let refused = bench.manager.refresh(&bearer, wider).await;
        assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    }
    let narrow = RefreshRequest::new().scope("read").audience("shop").access_ttl(millis(5));
    let next = bench.manager.refresh(&bearer, narrow).await.unwrap();
    assert_eq!(next.access.token.scopes.to_string(), "read");
    assert_eq!(next.access.token.audiences.to_string(), "shop");
    assert_eq!(next.access.token.expires_at, Some(bench.manager.now() + millis(5)));
    // The family keeps its grant.
    assert_eq!(next.refresh.token.scopes.to_string(), "read write");
    bearer = next.refresh.bearer;
    let next = bench.refresh(&bearer).await.unwrap();
    assert_eq!(next.access.token.scopes.to_string(), "read write");
    let bad = bench.manager.refresh(&bearer, RefreshRequest::new().scope("")).await;
    assert!(matches!(bad, Err(Error::Invalid(_))), "{bad:?}");
}

#[tokio::test]
async fn two_tabs_that_ask_for_different_things_share_the_refresh_token() {
    let bench = bench();
    let first = bench.family().await;
    let ask = |scope: &str| RefreshRequest::new().scope(scope);
    let one = bench.manager.refresh(&first.bearer, ask("read")).await.unwrap();
    let other = bench.manager.refresh(&first.bearer, ask("write")).await.unwrap();
    assert_eq!(other.case, RefreshCase::Replayed);
    assert_eq!(one.refresh.bearer.expose(), other.refresh.bearer.expose());
    assert_eq!(other.access.token.scopes.to_string(), "write");
    let again = bench.manager.refresh(&first.bearer, ask("write")).await.unwrap();
    assert_eq!(pair(&again), pair(&other));
    for access in [&one.access.bearer, &other.access.bearer] {
        assert!(bench.manager.validate_active(access).await.is_ok());
    }
}

#[tokio::test]
async fn nothing_outlives_the_family_and_renewal_ends_at_its_absolute_end() {
    let bench = bench();
    let start = bench.manager.now();
    let (hour, day) = (Ttl::from_hours(1), Ttl::from_days(1));
    let grant = family().ttl(hour).absolute_lifetime(day);
    let mut bearer = bench.manager.issue(grant).await.unwrap().bearer;
    for _ in 0..28 {
        bench.clock.advance(Ttl::from_mins(50));
        let now = bench.manager.now();
        let next = bench.refresh(&bearer).await.unwrap();
        let end = (now + hour).min(start + day);
        assert_eq!(next.refresh.token.expires_at, Some(end));
        assert_eq!(next.access.token.expires_at, Some(end));
        bearer = next.refresh.bearer;
    }
    bench.clock.advance(Ttl::from_mins(40));
    match bench.refresh(&bearer).await {
        Err(Error::Refresh(RefreshRefused::FamilyEnded { state, .. })) => {
            assert_eq!(state, TokenState::Expired);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn without_an_absolute_end_the_expiry_stays_where_it_is() {
    let bench = bench();
    let first = bench.manager.issue(family().ttl(Ttl::from_hours(1))).await.unwrap();
    bench.clock.advance(Ttl::from_mins(30));
    let next = bench.refresh(&first.bearer).await.unwrap();
    assert_eq!(next.refresh.token.expires_at, first.token.expires_at);
}

#[tokio::test]
async fn a_family_that_idles_between_rotations_is_over() {
    let bench = bench();
    let grant = family().idle_timeout(Ttl::from_hours(1));
    let mut bearer = bench.manager.issue(grant).await.unwrap().bearer;
    for _ in 0..5 {
        bench.clock.advance(Ttl::from_mins(59));
        bearer = bench.refresh(&bearer).await.unwrap().refresh.bearer;
    }
    bench.clock.advance(Ttl::from_hours(1));
    assert_eq!(bench.code(&bearer).await, "family_ended");
}

#[tokio::test]
async fn earlier_access_tokens_follow_the_policy() {
    let bench = bench();
    for (earlier_access, is_left) in
        [(PreviousAccessToken::LeaveToExpire, true), (PreviousAccessToken::RevokePrevious, false)]
    {
        let policy = RefreshPolicy::new().with_previous_access_token(earlier_access);
        let first = bench.manager.issue(family().refresh_policy(policy)).await.unwrap();
        let one = bench.refresh(&first.bearer).await.unwrap();
        let two = bench.refresh(&one.refresh.bearer).await.unwrap();
        let is_valid = bench.manager.validate_active(&one.access.bearer).await.is_ok();
        assert_eq!(is_valid, is_left);
        assert!(bench.manager.validate_active(&two.access.bearer).await.is_ok());
        // If the previous access token is revoked, only one is valid at a time.
        let other = RefreshRequest::new().scope("read");
        let other = bench.manager.refresh(&one.refresh.bearer, other).await;
        assert_eq!(other.is_ok(), is_left, "{other:?}");
    }
}

#[tokio::test]
async fn a_request_for_too_much_ends_no_token() {
    let earlier_access = PreviousAccessToken::RevokePrevious;
    let policy = RefreshPolicy::new().with_previous_access_token(earlier_access);
    let bench = bench_with(|builder| builder.refresh_policy(policy));
    let one = bench.refresh(&bench.family().await.bearer).await.unwrap();
    let wider = RefreshRequest::new().scope("admin");
    let refused = bench.manager.refresh(&one.refresh.bearer, wider).await;
    assert!(matches!(refused, Err(Error::Invalid(_))), "{refused:?}");
    assert!(bench.manager.validate_active(&one.access.bearer).await.is_ok());
    assert!(bench.refresh(&one.refresh.bearer).await.is_ok());
}

#[tokio::test]
async fn a_strict_policy_accepts_a_bearer_once() {
    let policy = RefreshPolicy::new().with_grace_period(GracePeriod::NONE);
    let bench = bench_with(|builder| builder.refresh_policy(policy));
    let first = bench.family().await;
    bench.refresh(&first.bearer).await.unwrap();
    assert_eq!(bench.code(&first.bearer).await, "reuse_detected");
    // The policy of the grant overrides the default.
    let policy = policy.with_grace_period(GracePeriod::new(Ttl::from_mins(1)));
    let first = bench.manager.issue(family().refresh_policy(policy)).await.unwrap();
    bench.refresh(&first.bearer).await.unwrap();
    bench.clock.advance(Ttl::from_secs(59));
    assert_eq!(bench.refresh(&first.bearer).await.unwrap().case, RefreshCase::Replayed);
}

#[tokio::test]
async fn refresh_refuses_other_kinds_and_ended_tokens() {
    let bench = bench();
    let session = bench.manager.issue(super::session("user123")).await.unwrap();
    assert_eq!(bench.code(&session.bearer).await, "invalid_kind");
    let later = bench.manager.now() + Ttl::from_hours(1);
    let pending = bench.manager.issue(family().not_before(later)).await.unwrap();
    assert_eq!(bench.code(&pending.bearer).await, "token_not_yet_valid");
    let revoked = bench.family().await;
    bench.manager.revoke(revoked.token.id, RevokeRequest::reason("user logout")).await.unwrap();
    match bench.refresh(&revoked.bearer).await {
        Err(Error::Refresh(RefreshRefused::FamilyEnded { state, revocation, .. })) => {
            assert_eq!(state, TokenState::Revoked);
            assert_eq!(revocation.unwrap().reason.unwrap().as_str(), "user logout");
        }
        other => panic!("{other:?}"),
    }
    let junk = bench.manager.refresh("fob_rt_junk", RefreshRequest::new()).await.unwrap_err();
    assert_eq!(junk.code(), "token_malformed");
    let made_up = with_another_secret(&bench.family().await.bearer);
    let unknown = bench.refresh(&made_up).await;
    assert_eq!(unknown.unwrap_err().code(), "token_unknown");
    for wrong in
        [Grant::new(Kind::Session).refresh_policy(RefreshPolicy::default()), family().uses(3)]
    {
        assert!(matches!(bench.manager.issue(wrong).await, Err(Error::Invalid(_))));
    }
}

#[tokio::test]
async fn a_retry_gets_the_next_bearer_even_if_its_access_token_has_ended() {
    let bench = bench_with(|builder| builder.retention(keyfob::manager::Retention::None));
    let first = bench.family().await;
    let short = || RefreshRequest::new().access_ttl(millis(100));
    let one = bench.manager.refresh(&first.bearer, short()).await.unwrap();
    bench.clock.advance(Ttl::from_secs(5));
    let again = bench.manager.refresh(&first.bearer, short()).await.unwrap();
    assert_eq!(pair(&again), pair(&one));
    assert_eq!(again.access.token.state(bench.manager.now()), TokenState::Expired);
    assert!(bench.refresh(&again.refresh.bearer).await.is_ok());
}

#[tokio::test]
async fn refusals_and_replays_are_seen_with_their_codes() {
    let bench = bench();
    let first = bench.family().await;
    let one = bench.refresh(&first.bearer).await.unwrap();
    bench.refresh(&first.bearer).await.unwrap();
    bench.refresh(&one.refresh.bearer).await.unwrap();
    bench.code(&first.bearer).await;
    bench.manager.shutdown().await;
    let page = bench.manager.observations(&Cursor::start(), 10).await.unwrap();
    let seen: Vec<_> = page.observations.into_iter().map(|(seen, _)| seen.what).collect();
    let token = first.token.id;
    let code = "refused_in_window".to_owned();
    assert_eq!(
        seen,
        [
            ObservationKind::Replayed { token },
            ObservationKind::Refused { token: Some(token), code }
        ]
    );
    let history = bench.manager.history(token).await.unwrap();
    let whats: Vec<_> = history.iter().map(|entry| entry.what.as_str()).collect();
    assert_eq!(whats, ["issued", "rotated", "rotated"]);
}

#[tokio::test]
async fn minted_tokens_are_revoked_with_their_session() {
    let bench = bench();
    let session = bench.manager.issue(super::session("user123")).await.unwrap();
    let grant = Grant::new(Kind::Refresh).scope("read");
    let minted = bench.manager.mint(session.token.id, grant).await.unwrap();
    let one = bench.refresh(&minted.bearer).await.unwrap();
    assert_eq!(one.access.token.ancestors, [session.token.id, minted.token.id]);
    bench.manager.revoke(session.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(bench.code(&one.refresh.bearer).await, "family_ended");
    let refused = bench.manager.validate_active(&one.access.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "token_revoked");
    assert_eq!(one.refresh.bearer.generation(), Generation::new(1).unwrap());
}

#[tokio::test]
async fn a_rotation_reads_only_records_that_this_node_does_not_know() {
    let store: Arc<dyn Store> = Arc::new(keyfob::MemoryStore::new().unwrap());
    let spies = [(); 2].map(|()| Arc::new(InstrumentedStore::new(store.clone())));
    let [here, there] =
        spies.each_ref().map(|spy| keyfob::TokenManager::builder(spy.clone()).build());
    let mut bearer = here.issue(family()).await.unwrap().bearer;
    for _ in 0..5 {
        bearer = here.refresh(&bearer, RefreshRequest::new()).await.unwrap().refresh.bearer;
    }
    assert_eq!(spies[0].loads(), 0, "a family that this node issued or rotated is not read");
    let made_up = with_another_secret(&bearer);
    assert!(here.refresh(&made_up, RefreshRequest::new()).await.is_err());
    bearer = here.refresh(&bearer, RefreshRequest::new()).await.unwrap().refresh.bearer;
    assert_eq!(spies[0].loads(), 0, "a request with a wrong secret does not evict the record");
    for (loads, node) in [(1, &there), (1, &there)] {
        bearer = node.refresh(&bearer, RefreshRequest::new()).await.unwrap().refresh.bearer;
        assert_eq!(spies[1].loads(), loads, "a family that another node rotated is read once");
    }
    // This node has an older record than the store: it detects that and reads again.
    here.refresh(&bearer, RefreshRequest::new()).await.unwrap();
    assert_eq!(spies[0].loads(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_refreshes_end_only_families_with_an_attacker() {
    let store: Arc<dyn Store> = Arc::new(keyfob::MemoryStore::new().unwrap());
    let nodes = [(); 3].map(|()| keyfob::TokenManager::builder(store.clone()).build());
    let families = Families { tasks: 20, rounds: 2_000, grace_period: Ttl::from_secs(3) };
    let report = refresh_many(&nodes, families).await;
    assert!(report.rotated >= 1_600 && report.replayed >= 1_600, "{report:?}");
    assert!(report.refused_in_window > 0 && report.ended == 16, "{report:?}");
}
