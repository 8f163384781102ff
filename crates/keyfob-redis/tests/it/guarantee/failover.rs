//! The primary dies, and the sentinels put its replica in its place.

use keyfob_testkit::redis::RedisSentinel;
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::stage::*;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_and_after_a_revocation() {
    let group = block_in_place(|| RedisSentinel::start(1)).unwrap();
    let place = Place::new(8);
    let config = place.by(&crate::sentinel_url(&group));
    let stage = Stage::set(&config, &config, usual()).await;
    // What is revoked before must be on the replica, or the store has not kept it.
    let before = Tokens::issue(&stage.here).await;
    let safe = revoker(&config.clone().with_wait(1)).await;
    stage.there.until_from_memory(&before.bearers).await;
    let (watch, watch_before) = (stage.watch(), stage.there.watch(&before.bearers));
    let revoked_before = before.revoke(&safe).await;
    block_in_place(|| group.servers()[0].kill9());
    let revoked = stage.revoke().await;
    watch.until_it_lives().await;
    sleep(usual().as_duration() * 2).await;
    revoked_before.assert_kept(&watch_before.last_active(), usual());
    drop(watch_before);
    stage.judge(watch, &revoked).await;
}
