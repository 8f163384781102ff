//! The feed fails silently: its connection, or all connections of the node, drop every packet.

use std::time::Duration;

use keyfob::Ttl;
use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::server;
use tokio::time::sleep;

use super::scenario::*;

async fn silence(concerns: Concerned, bound: Ttl) {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let namespace = TestNamespace::new(8);
    let (here, there) =
        (namespace.config_for_port(server().port()), namespace.config_for_port(proxy.port()));
    let scenario = Scenario::start(&here, &there, bound).await;
    let poll = scenario.poll();
    proxy.stall_those(concerns);
    let revoked = scenario.revoke().await;
    sleep(bound.as_duration() * 2).await;
    revoked.assert_the_revocation_was_not_heard(&poll.last_active());
    if concerns != Concerned::All {
        // Tokens are loaded from the store instead.
        poll.until_the_valid_token_is_active().await;
    }
    proxy.heal();
    scenario.check_guarantee(poll, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_the_feed_only() {
    silence(Concerned::Saying(FEED), default_max_staleness()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_all_connections() {
    silence(Concerned::All, default_max_staleness()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_a_short_and_with_a_long_max_staleness() {
    for bound in [millis(50), millis(1500)] {
        silence(Concerned::Saying(FEED), bound).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_ends_in_a_cut() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let namespace = TestNamespace::new(8);
    let (here, there) =
        (namespace.config_for_port(server().port()), namespace.config_for_port(proxy.port()));
    let scenario = Scenario::start(&here, &there, default_max_staleness()).await;
    let poll = scenario.poll();
    proxy.stall();
    let revoked = scenario.revoke().await;
    sleep(Duration::from_millis(50)).await;
    // The bytes that were held back are lost.
    proxy.cut();
    proxy.heal();
    scenario.check_guarantee(poll, &revoked).await;
}
