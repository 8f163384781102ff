//! Replies overtake pushes: what the feed is to say is held up on the way, and everything else is
//! not.

use keyfob::store::prelude::*;
use std::time::Duration;

use keyfob::store::{InvalidationListener, MonotonicInstant};
use keyfob::{Grant, Kind, Lane, RevokeRequest};
use keyfob_testkit::proxy::{Concerned, Faults, Proxy};
use keyfob_testkit::redis::{RedisServer, server};
use tokio::time::sleep;

use super::stage::*;
use crate::stage::{open, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn though_the_server_hears_every_beat() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let place = Place::new(8);
    let (here, there) = (place.by_port(server().port()), place.by_port(proxy.port()));
    let stage = Stage::set(&here, &there, usual()).await;
    let watch = stage.watch();
    let concerns = Concerned::Saying(FEED);
    proxy.set(Faults { stall_replies: true, concerns, ..Faults::default() });
    let revoked = stage.revoke().await;
    sleep(usual().as_duration() * 2).await;
    revoked.assert_unheard(&watch.last_active());
    proxy.heal();
    stage.judge(watch, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_after_another_on_a_slow_feed() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let place = Place::new(8);
    let here = revoker(&place.by_port(server().port())).await;
    let there = Node::at(&place.by_port(proxy.port()), usual()).await;
    let (mut ids, mut bearers) = (Vec::new(), Vec::new());
    for _ in 0..40 {
        let issued = here.issue(Grant::new(Kind::Session)).await.unwrap();
        ids.push(issued.token.id);
        bearers.push(issued.bearer.expose().to_owned());
    }
    let (delay, concerns) = (Duration::from_millis(30), Concerned::Saying(FEED));
    proxy.set(Faults { delay, concerns, ..Faults::default() });
    there.until_from_memory(&bearers).await;
    let watch = there.watch(&bearers);
    let mut revoked = vec![MonotonicInstant::from_nanos(0)];
    for id in &ids[1..] {
        here.revoke(*id, RevokeRequest::default()).await.unwrap();
        revoked.push(MonotonicInstant::now());
        sleep(Duration::from_millis(7)).await;
    }
    sleep(usual().as_duration() * 2).await;
    let revoked = Revoked(revoked);
    revoked.assert_unheard(&watch.last_active());
    revoked.assert_kept(&watch.last_active(), usual());
    watch.until_it_lives().await;
}

/// What was pushed before a beat ran may come after its reply, and has come when the next is
/// answered. So it is the beat before the last answered one that trust rests on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_beat_counts_once_the_next_is_answered() {
    let server = RedisServer::start().unwrap();
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let store = open(&Place::new(2).by_port(proxy.port())).await;
    let bound = millis(2_000);
    let watcher = InvalidationListener::new(store.namespace().lanes(), bound);
    store.watch(&watcher);
    let beats = || server.command_stats().unwrap().get("del").map_or(0, |beats| beats.calls);
    until("it beats", || beats() >= 3).await;
    let before = beats();
    until("it beats again", || beats() > before).await;
    // Time for the answer to arrive, and far less than until the next beat.
    sleep(Duration::from_millis(30)).await;
    proxy.stall();
    let stalled = MonotonicInstant::now();
    assert!(watcher.is_trusted(Lane::new(0)));
    until("the trust ends", || !watcher.is_trusted(Lane::new(0))).await;
    // Beats are a fifth of the bound apart.
    let end = stalled.after(bound.as_duration() - Duration::from_millis(200));
    assert!(
        MonotonicInstant::now() < end,
        "the last beat counts, and nothing was answered after it"
    );
}
