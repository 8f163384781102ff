//! The server's side of a node's connections is closed, and the node's side looks open.

use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::redis::server;
use tokio::time::sleep;

use super::scenario::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_left() {
    for bound in [default_max_staleness(), millis(50)] {
        let proxy = Proxy::to_port(server().port()).await.unwrap();
        let namespace = TestNamespace::new(8);
        let (here, there) =
            (namespace.config_for_port(server().port()), namespace.config_for_port(proxy.port()));
        let scenario = Scenario::start(&here, &there, bound).await;
        let poll = scenario.poll();
        proxy.leave_half_open();
        let revoked = scenario.revoke().await;
        sleep(bound.as_duration() * 2).await;
        revoked.assert_the_revocation_was_not_heard(&poll.last_active());
        scenario.check_guarantee(poll, &revoked).await;
    }
}
