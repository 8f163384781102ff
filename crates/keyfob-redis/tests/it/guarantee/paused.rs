//! The server is stopped where it stands, and goes on later as if nothing had been.

use std::time::Duration;

use keyfob_testkit::redis::RedisServer;
use tokio::time::sleep;

use super::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_asked_to_revoke() {
    let server = RedisServer::start().unwrap();
    for (bound, pause) in [(usual(), 100), (usual(), 700), (millis(50), 300)] {
        let place = Place::new(8);
        let config = place.by(&server.url());
        let stage = Stage::set(&config, &config, bound).await;
        let watch = stage.watch();
        server.pause().unwrap();
        let resumed = async {
            sleep(Duration::from_millis(pause)).await;
            server.resume().unwrap();
        };
        let (revoked, ()) = tokio::join!(stage.revoke(), resumed);
        stage.judge(watch, &revoked).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn right_after_it_revoked() {
    let server = RedisServer::start().unwrap();
    for pause in [100, 700] {
        let place = Place::new(8);
        let config = place.by(&server.url());
        let stage = Stage::set(&config, &config, usual()).await;
        let watch = stage.watch();
        let revoked = stage.revoke().await;
        server.pause().unwrap();
        sleep(Duration::from_millis(pause)).await;
        server.resume().unwrap();
        stage.judge(watch, &revoked).await;
    }
}
