//! The server is killed and started again, with its data or without.

use std::sync::Arc;

use keyfob::ValidationChain;
use keyfob_redis::WhenEmptied;
use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::RedisServer;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::scenario::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_its_data() {
    let server = Arc::new(RedisServer::builder().append_only().start().unwrap());
    let proxy = Proxy::to_port(server.port()).await.unwrap();
    let namespace = TestNamespace::new(8);
    let (here, there) =
        (namespace.config_for_port(server.port()), namespace.config_for_port(proxy.port()));
    let scenario = Scenario::start(&here, &there, default_max_staleness()).await;
    let poll = scenario.poll();
    // Its pushes about the last revocations do not arrive.
    proxy.stall_those(Concerned::Saying(FEED));
    let revoked = scenario.revoke().await;
    restart(&server).await;
    proxy.heal();
    sleep(default_max_staleness().as_duration()).await;
    revoked.assert_the_revocation_was_not_heard(&poll.last_active());
    scenario.check_guarantee(poll, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_its_data() {
    let server = Arc::new(RedisServer::start().unwrap());
    let namespace = TestNamespace::new(8);
    let config = namespace.by(&server.url()).when_emptied(WhenEmptied::Recreate);
    let scenario = Scenario::start(&config, &config, default_max_staleness()).await;
    let poll = scenario.poll();
    let revoked = scenario.revoke().await;
    restart(&server).await;
    sleep(default_max_staleness().as_duration() * 3).await;
    let last = poll.last_active();
    revoked.assert_kept(&last, default_max_staleness());
    drop(poll);
    // The server has lost all its data, and no token of before is answered from a cache.
    let chain = ValidationChain::new();
    let answer =
        scenario.there.manager.validate_with(&scenario.tokens.bearers[0], &chain, |_| ()).await;
    assert_eq!(answer.unwrap_err().code(), "token_unknown");
    let tokens = Tokens::issue(&scenario.here).await;
    scenario.there.until_answered_from_cache(&tokens.bearers).await;
}

async fn restart(server: &Arc<RedisServer>) {
    let server = Arc::clone(server);
    spawn_blocking(move || server.restart().unwrap()).await.unwrap();
}
