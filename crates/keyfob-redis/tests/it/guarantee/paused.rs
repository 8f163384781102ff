//! The server's process is stopped (SIGSTOP) and continues later.

use std::time::Duration;

use keyfob_testkit::redis::RedisServer;
use tokio::time::sleep;

use super::scenario::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_asked_to_revoke() {
    let server = RedisServer::start().unwrap();
    for (bound, pause) in
        [(default_max_staleness(), 100), (default_max_staleness(), 700), (millis(50), 300)]
    {
        let namespace = TestNamespace::new(8);
        let config = namespace.by(&server.url());
        let scenario = Scenario::start(&config, &config, bound).await;
        let poll = scenario.poll();
        server.pause().unwrap();
        let resumed = async {
            sleep(Duration::from_millis(pause)).await;
            server.resume().unwrap();
        };
        let (revoked, ()) = tokio::join!(scenario.revoke(), resumed);
        scenario.check_guarantee(poll, &revoked).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_after_it_revoked() {
    let server = RedisServer::start().unwrap();
    for pause in [100, 700] {
        let namespace = TestNamespace::new(8);
        let config = namespace.by(&server.url());
        let scenario = Scenario::start(&config, &config, default_max_staleness()).await;
        let poll = scenario.poll();
        let revoked = scenario.revoke().await;
        server.pause().unwrap();
        sleep(Duration::from_millis(pause)).await;
        server.resume().unwrap();
        scenario.check_guarantee(poll, &revoked).await;
    }
}
