//! The server's side of a node's connections is gone, and the node's side looks open.

use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::redis::server;
use tokio::time::sleep;

use super::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_are_left() {
    for bound in [usual(), millis(50)] {
        let proxy = Proxy::to_port(server().port()).await.unwrap();
        let place = Place::new(8);
        let (here, there) = (place.by_port(server().port()), place.by_port(proxy.port()));
        let stage = Stage::set(&here, &there, bound).await;
        let watch = stage.watch();
        proxy.leave_half_open();
        let revoked = stage.revoke().await;
        sleep(bound.as_duration() * 2).await;
        revoked.assert_unheard(&watch.last_active());
        stage.judge(watch, &revoked).await;
    }
}
