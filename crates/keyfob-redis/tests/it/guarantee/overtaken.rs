//! Replies overtake pushes: the pushes of the feed are delayed on the way, and everything else is
//! not.

use keyfob::store::prelude::*;
use std::time::Duration;

use keyfob::store::{InvalidationListener, Lane, MonotonicInstant};
use keyfob::{Grant, Kind, RevokeRequest};
use keyfob_testkit::proxy::{Concerned, Faults, Proxy};
use keyfob_testkit::redis::{RedisServer, server};
use tokio::time::sleep;

use super::scenario::*;
use crate::support::{open, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn though_the_server_receives_every_heartbeat() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let namespace = TestNamespace::new(8);
    let (here, there) =
        (namespace.config_for_port(server().port()), namespace.config_for_port(proxy.port()));
    let scenario = Scenario::start(&here, &there, default_max_staleness()).await;
    let poll = scenario.poll();
    let concerns = Concerned::Saying(FEED);
    proxy.set(Faults { stall_replies: true, concerns, ..Faults::default() });
    let revoked = scenario.revoke().await;
    sleep(default_max_staleness().as_duration() * 2).await;
    revoked.assert_the_revocation_was_not_heard(&poll.last_active());
    proxy.heal();
    scenario.check_guarantee(poll, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_another_on_a_slow_feed() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let namespace = TestNamespace::new(8);
    let here = revoking_node(&namespace.config_for_port(server().port())).await;
    let there = Node::at(&namespace.config_for_port(proxy.port()), default_max_staleness()).await;
    let (mut ids, mut bearers) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let issued = here.issue(Grant::new(Kind::Session)).await.unwrap();
        ids.push(issued.token.id);
        bearers.push(issued.bearer.expose().to_owned());
    }
    let (delay, concerns) = (Duration::from_millis(30), Concerned::Saying(FEED));
    proxy.set(Faults { delay, concerns, ..Faults::default() });
    there.until_answered_from_cache(&bearers).await;
    let poll = there.poll(&bearers);
    let mut revoked = vec![MonotonicInstant::from_nanos(0)];
    for id in &ids[1..] {
        here.revoke(*id, RevokeRequest::default()).await.unwrap();
        revoked.push(MonotonicInstant::now());
        sleep(Duration::from_millis(7)).await;
    }
    sleep(default_max_staleness().as_duration() * 2).await;
    let revoked = Revoked(revoked);
    revoked.assert_the_revocation_was_not_heard(&poll.last_active());
    revoked.assert_kept(&poll.last_active(), default_max_staleness());
    poll.until_the_valid_token_is_active().await;
}

/// A push from before a heartbeat may arrive after the reply to the heartbeat. It has arrived when
/// the next heartbeat is answered. So trust is based on the heartbeat that was sent before the last
/// answered one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_heartbeat_counts_when_the_next_is_answered() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let store = open(&TestNamespace::new(2).config_for_port(proxy.port())).await;
    let bound = millis(2_000);
    let listener = InvalidationListener::new(store.namespace().lanes(), bound);
    store.watch(&listener);
    let beats = || server.command_stats().unwrap().get("del").map_or(0, |beats| beats.calls);
    until("it beats", || beats() >= 3).await;
    let before = beats();
    until("it beats again", || beats() > before).await;
    // Time for the answer to arrive, and far less than until the next heartbeat.
    sleep(Duration::from_millis(30)).await;
    proxy.stall();
    let stalled = MonotonicInstant::now();
    assert!(listener.is_trusted(Lane::new(0)));
    until("the trust ends", || !listener.is_trusted(Lane::new(0))).await;
    // The time between heartbeats is a fifth of the maximum staleness.
    let end = stalled.after(bound.as_duration() - Duration::from_millis(200));
    assert!(
        MonotonicInstant::now() < end,
        "the last beat counts, and nothing was answered after it"
    );
}
