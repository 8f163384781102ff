//! Metrics of the changes of tokens.

use keyfob::handlers::HandlerError;
use keyfob::rotation::{GracePeriod, PreviousAccessToken, SecretOverlap};
use keyfob::store::Cursor;
use keyfob::{
    Filter, Grant, Kind, RefreshPolicy, RefreshRequest, RevokeRequest, SessionPolicy, Ttl, WhenFull,
};

use super::{Bench, bench, bench_with, client, subject};

impl Bench {
    fn refreshes(&self, case: &str) -> f64 {
        self.value("refreshes_total", [case])
    }

    fn revocations(&self, through: &str) -> f64 {
        self.value("revocations_total", [through])
    }
}

#[tokio::test]
async fn issues_and_revocations_are_counted_by_kind_and_target() {
    let bench = bench();
    let manager = &bench.manager;
    let one = bench.issue(Kind::Session).await;
    manager.revoke(one.token.id, RevokeRequest::default()).await.unwrap();
    manager.revoke(one.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(bench.revocations("token"), 1.0, "the second revocation changes nothing");

    let root = bench.issue(Kind::Refresh).await;
    manager.revoke_family(root.token.family.unwrap(), RevokeRequest::default()).await.unwrap();
    manager.revoke_subject(&subject(), RevokeRequest::default()).await.unwrap();
    manager.revoke_client(&client(), RevokeRequest::default()).await.unwrap();
    manager.revoke_all(RevokeRequest::default()).await.unwrap();
    for through in ["family", "subject", "client", "all"] {
        assert_eq!(bench.revocations(through), 1.0, "{through}");
    }

    for _ in 0..3 {
        manager.issue(Grant::new(Kind::Access).tag("beta")).await.unwrap();
    }
    manager.sweep(Filter::new().tag("beta"), RevokeRequest::default()).run(|_| {}).await.unwrap();
    assert_eq!(bench.revocations("sweep"), 3.0);
    assert_eq!(bench.value("sweeps_total", ["finished"]), 1.0);
    let issued = |kind| bench.value("tokens_issued_total", [kind]);
    assert_eq!((issued("session"), issued("refresh"), issued("access")), (1.0, 1.0, 3.0));
    assert_eq!(bench.value("store_calls_total", ["revoke", "ok"]), 6.0);
}

#[tokio::test]
async fn a_refresh_token_is_counted_by_its_case() {
    let policy = RefreshPolicy::new()
        .with_grace_period(GracePeriod::new(Ttl::from_secs(10)))
        .with_previous_access_token(PreviousAccessToken::RevokePrevious);
    let bench = bench_with(|builder| builder.refresh_policy(policy));
    let refresh = async |bearer: &str| bench.manager.refresh(bearer, RefreshRequest::new()).await;
    let first = bench.issue(Kind::Refresh).await;
    let second = refresh(first.bearer.expose()).await.unwrap().refresh;
    refresh(first.bearer.expose()).await.unwrap();
    bench.clock.advance(Ttl::from_secs(1));
    refresh(second.bearer.expose()).await.unwrap();
    refresh(first.bearer.expose()).await.unwrap_err();
    assert_eq!((bench.refreshes("rotated"), bench.refreshes("replayed")), (2.0, 1.0));
    assert_eq!(bench.refreshes("refused_in_window"), 1.0);
    assert_eq!(bench.revocations("rotation"), 1.0, "the rotation revokes the first access token");
    assert_eq!(bench.value("tokens_issued_total", ["access"]), 2.0);

    bench.clock.advance(Ttl::from_mins(1));
    refresh(first.bearer.expose()).await.unwrap_err();
    refresh(second.bearer.expose()).await.unwrap_err();
    assert_eq!((bench.refreshes("reuse_detected"), bench.refreshes("family_ended")), (1.0, 1.0));
    assert_eq!(bench.revocations("reuse"), 1.0);

    let session = bench.issue(Kind::Session).await;
    refresh(session.bearer.expose()).await.unwrap_err();
    let wide = RefreshRequest::new().scope("admin");
    let another = bench.issue(Kind::Refresh).await;
    bench.manager.refresh(&another.bearer, wide).await.unwrap_err();
    assert_eq!((bench.refreshes("refused"), bench.refreshes("failed")), (1.0, 1.0));
    let other = RefreshRequest::new().client("another");
    bench.manager.refresh(&another.bearer, other).await.unwrap_err();
    assert_eq!(bench.refreshes("wrong_presenter"), 1.0);
    assert_eq!(bench.sum("validations_total"), 0.0, "no call was a validation");
}

#[tokio::test]
async fn keys_derivations_and_sessions_are_counted() {
    let policy = SessionPolicy::new(1, WhenFull::RetireOldest).unwrap();
    let bench = bench_with(|builder| builder.sessions(policy));
    let key = bench.issue(Kind::ApiKey).await;
    bench.manager.rotate(key.token.id, SecretOverlap::default()).await.unwrap();
    assert_eq!(bench.value("api_key_rotations_total", []), 1.0);

    bench.issue(Kind::Session).await;
    let mut parent = bench.issue(Kind::Session).await;
    let sessions = |outcome| bench.value("sessions_total", [outcome]);
    assert_eq!((sessions("admitted"), sessions("retired")), (2.0, 1.0));
    assert_eq!(bench.revocations("session_limit"), 1.0);

    let refused = loop {
        match bench.manager.derive(&parent.bearer, Grant::new(Kind::Access)).await {
            Ok(derived) => parent = derived,
            Err(error) => break error,
        }
    };
    assert_eq!(refused.code(), "invalid_value");
    assert_eq!(bench.value("derivations_total", ["derived"]), 8.0);
    assert_eq!(bench.value("derivations_total", ["too_deep"]), 1.0);
    bench.manager.derive("junk", Grant::new(Kind::Access)).await.unwrap_err();
    assert_eq!(bench.value("derivations_total", ["refused"]), 1.0);
}

#[tokio::test]
async fn a_session_that_is_denied_is_counted() {
    let policy = SessionPolicy::new(1, WhenFull::Deny).unwrap();
    let bench = bench_with(|builder| builder.sessions(policy));
    bench.issue(Kind::Session).await;
    let grant = Grant::new(Kind::Session).subject("user123");
    bench.manager.issue(grant).await.unwrap_err();
    assert_eq!(bench.value("sessions_total", ["denied"]), 1.0);
}

#[tokio::test]
async fn uses_and_observations_are_counted_by_what_became_of_them() {
    let bench = bench_with(|builder| builder.sample_uses(2).observations_per_second(3));
    let issued = bench.issue(Kind::Access).await;
    for _ in 0..10 {
        bench.manager.validate_active(&issued.bearer).await.unwrap();
    }
    bench.manager.touch(issued.token.id).await.unwrap();
    bench.clock.advance(Ttl::from_secs(1));
    for _ in 0..2 {
        bench.manager.validate_active(&issued.bearer).await.unwrap();
    }
    bench.manager.shutdown().await;
    let uses = |outcome| bench.value("last_uses_total", [outcome]);
    assert_eq!((uses("written"), uses("coalesced")), (1.0, 1.0));
    let observed = |outcome| bench.value("observations_total", [outcome]);
    assert_eq!(observed("written"), 4.0, "three in the first second, and one in the next");
    assert_eq!(observed("left_out"), 1.0);
}

#[tokio::test]
async fn events_are_counted_when_a_handler_has_taken_them() {
    let bench = bench();
    bench.issue(Kind::Access).await;
    bench.issue(Kind::Access).await;
    let (sender, mut called) = tokio::sync::mpsc::unbounded_channel();
    let task = bench.manager.spawn_handler(Failing { left: 1, called: sender }, Cursor::start());
    for _ in 0..2 {
        called.recv().await.unwrap();
    }
    task.stop().await;
    assert_eq!(bench.value("events_delivered_total", []), 2.0);
    assert_eq!(bench.value("event_handler_failures_total", []), 1.0);
    assert_eq!(bench.value("event_delay_seconds", []), 2.0);
    // A handler that never fails, for comparison.
    let task = bench.manager.spawn_handler(
        |_: &keyfob::handlers::Delivery| Ok(()),
        bench.manager.latest_event().await.unwrap(),
    );
    task.stop().await;
    assert_eq!(bench.value("event_handler_failures_total", []), 1.0);
}

/// A handler that fails a few times before it accepts an event.
struct Failing {
    left: u32,
    called: tokio::sync::mpsc::UnboundedSender<()>,
}

impl keyfob::handlers::EventHandler for Failing {
    fn handle(&mut self, _: &keyfob::handlers::Delivery) -> Result<(), HandlerError> {
        if self.left > 0 {
            self.left -= 1;
            return Err(HandlerError::new("not yet"));
        }
        self.called.send(()).map_err(std::io::Error::other)?;
        Ok(())
    }
}

#[tokio::test]
async fn stats_sets_the_token_gauge() {
    let bench = bench();
    for _ in 0..3 {
        bench.issue(Kind::Session).await;
    }
    let last = bench.issue(Kind::Session).await;
    bench.manager.revoke(last.token.id, RevokeRequest::default()).await.unwrap();
    let sessions = |state| bench.value("tokens", ["session", state]);
    assert_eq!(sessions("active"), 0.0, "stats was not called yet");
    bench.manager.stats().await.unwrap();
    assert_eq!((sessions("active"), sessions("revoked")), (3.0, 1.0));
    bench.manager.revoke_all(RevokeRequest::default()).await.unwrap();
    bench.manager.stats().await.unwrap();
    assert_eq!((sessions("active"), sessions("revoked")), (0.0, 4.0));
}
