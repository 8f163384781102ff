//! The primary is killed, and the sentinels promote its replica.

use keyfob_testkit::redis::RedisSentinel;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::scenario::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_and_after_a_revocation() {
    let group = block_in_place(|| RedisSentinel::start(1)).unwrap();
    let namespace = TestNamespace::new(8);
    let config = namespace.by(&crate::sentinel_url(&group));
    let scenario = Scenario::start(&config, &config, default_max_staleness()).await;
    // Earlier revocations must be on the replica; otherwise the store has lost them.
    let before = Tokens::issue(&scenario.here).await;
    let safe = revoking_node(&config.clone().with_wait(1)).await;
    scenario.there.until_answered_from_cache(&before.bearers).await;
    let (poll, watch_before) = (scenario.poll(), scenario.there.poll(&before.bearers));
    let revoked_before = before.revoke(&safe).await;
    block_in_place(|| group.servers()[0].kill9());
    let revoked = scenario.revoke().await;
    poll.until_the_valid_token_is_active().await;
    sleep(default_max_staleness().as_duration() * 2).await;
    revoked_before.assert_kept(&watch_before.last_active(), default_max_staleness());
    drop(watch_before);
    scenario.check_guarantee(poll, &revoked).await;
}
