//! The last use of a token.

use std::time::Duration;

use keyfob::{Ttl, ValidationChain};

use super::{bench, bench_with, session};

#[tokio::test(start_paused = true)]
async fn a_use_is_written_in_the_background_and_once_within_the_precision() {
    let bench = bench_with(|builder| builder.last_use_precision(Ttl::from_mins(1)));
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    let read = async || bench.manager.get(issued.token.id).await.unwrap().last_used;
    bench.clock.advance(Ttl::from_secs(5));
    let first = bench.manager.now();
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    assert_eq!(read().await, None, "the request itself does not write the last use");
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(read().await, Some(first));
    // A use within the precision of the stored last use is not written.
    bench.clock.advance(Ttl::from_secs(30));
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(read().await, Some(first));
    bench.clock.advance(Ttl::from_secs(31));
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(read().await, Some(bench.manager.now()));
}

#[tokio::test(start_paused = true)]
async fn a_shutdown_writes_pending_last_uses() {
    let bench = bench();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    bench.manager.touch(issued.token.id).await.unwrap();
    bench.manager.shutdown().await;
    let token = bench.manager.get(issued.token.id).await.unwrap();
    assert_eq!(token.last_used, Some(bench.manager.now()));
}

#[tokio::test(start_paused = true)]
async fn a_token_in_use_does_not_idle_out_and_one_left_alone_does() {
    let bench = bench();
    let grant = || session("user123").idle_timeout(Ttl::from_mins(10));
    let used = bench.manager.issue(grant()).await.unwrap();
    let idle = bench.manager.issue(grant()).await.unwrap();
    for _ in 0..5 {
        bench.clock.advance(Ttl::from_mins(6));
        bench.manager.validate_active(&used.bearer).await.unwrap();
        // After half of the timeout, the use is written before the request returns.
        let token = bench.manager.get(used.token.id).await.unwrap();
        assert_eq!(token.last_used, Some(bench.manager.now()));
    }
    let refused = bench.manager.validate_active(&idle.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "token_expired");
}

#[tokio::test(start_paused = true)]
async fn a_use_does_not_bring_an_expired_token_back() {
    let bench = bench();
    let grant = session("user123").idle_timeout(Ttl::from_mins(10));
    let issued = bench.manager.issue(grant).await.unwrap();
    bench.clock.advance(Ttl::from_secs(10 * 60 + 30));
    let touched = bench.manager.touch(issued.token.id).await.unwrap_err();
    assert_eq!(touched.code(), "token_ended");
    // A validation with a clock tolerance accepts the token and does not extend it.
    let chain = ValidationChain::new().clock_skew(Ttl::from_mins(1));
    assert!(bench.manager.validate(&issued.bearer, &chain).await.is_ok());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let refused = bench.manager.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(refused.code(), "token_expired");
}

#[tokio::test]
async fn a_token_does_not_idle_out_before_it_can_be_used() {
    let bench = bench();
    let start = bench.manager.now() + Ttl::from_hours(1);
    let grant = session("user123").idle_timeout(Ttl::from_mins(10)).not_before(start);
    let issued = bench.manager.issue(grant).await.unwrap();
    bench.clock.set(start + Ttl::from_mins(9));
    assert!(bench.manager.validate_active(&issued.bearer).await.is_ok());
}
