//! The server is killed and started again, with what it held or without.

use std::sync::Arc;

use keyfob::ValidationChain;
use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::RedisServer;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_data() {
    let server = Arc::new(RedisServer::builder().append_only().start().unwrap());
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let place = Place::new(8);
    let (here, there) = (place.by_port(server.port()), place.by_port(proxy.port()));
    let stage = Stage::set(&here, &there, usual()).await;
    let watch = stage.watch();
    // What it says of the revocations in its last moments does not arrive.
    proxy.stall_those(Concerned::Saying(FEED));
    let revoked = stage.revoke().await;
    restart(&server).await;
    proxy.heal();
    sleep(usual().as_duration()).await;
    revoked.assert_unheard(&watch.last_active());
    stage.judge(watch, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_data() {
    let server = Arc::new(RedisServer::start().unwrap());
    let place = Place::new(8);
    let config = place.by(&server.url());
    let stage = Stage::set(&config, &config, usual()).await;
    let watch = stage.watch();
    let revoked = stage.revoke().await;
    restart(&server).await;
    sleep(usual().as_duration() * 3).await;
    let last = watch.last_active();
    revoked.assert_kept(&last, usual());
    drop(watch);
    // Nothing that it held is there any more, and nothing of it is answered from memory.
    let chain = ValidationChain::new();
    let answer = stage.there.manager.validate_with(&stage.tokens.bearers[0], &chain, |_| ()).await;
    assert_eq!(answer.unwrap_err().code(), "token_unknown");
    let tokens = Tokens::issue(&stage.here).await;
    stage.there.until_from_memory(&tokens.bearers).await;
}

async fn restart(server: &Arc<RedisServer>) {
    let server = Arc::clone(server);
    spawn_blocking(move || server.restart().unwrap()).await.unwrap();
}
