//! The feed dies and nobody is told: its connection, or all of the node's, become a black hole.

use std::time::Duration;

use keyfob::Ttl;
use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::server;
use tokio::time::sleep;

use super::stage::*;

async fn silence(concerns: Concerned, bound: Ttl) {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let place = Place::new(8);
    let (here, there) = (place.by_port(server().port()), place.by_port(proxy.port()));
    let stage = Stage::set(&here, &there, bound).await;
    let watch = stage.watch();
    proxy.stall_those(concerns);
    let revoked = stage.revoke().await;
    sleep(bound.as_duration() * 2).await;
    revoked.assert_unheard(&watch.last_active());
    if concerns != Concerned::All {
        // The store is asked instead.
        watch.until_it_lives().await;
    }
    proxy.heal();
    stage.judge(watch, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_feed_alone() {
    silence(Concerned::Saying(FEED), usual()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_everything() {
    silence(Concerned::All, usual()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn within_a_short_bound_and_within_a_long_one() {
    for bound in [millis(50), millis(1500)] {
        silence(Concerned::Saying(FEED), bound).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_ends_in_a_cut() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let place = Place::new(8);
    let (here, there) = (place.by_port(server().port()), place.by_port(proxy.port()));
    let stage = Stage::set(&here, &there, usual()).await;
    let watch = stage.watch();
    proxy.stall();
    let revoked = stage.revoke().await;
    sleep(Duration::from_millis(50)).await;
    // What was held back is lost.
    proxy.cut();
    proxy.heal();
    stage.judge(watch, &revoked).await;
}
