//! Limits in this process.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::limit::{Charge, LimitStore, Meter};
use keyfob::{LocalLimits, Timestamp, Ttl};
use keyfob_testkit::limits::{self, fresh_key, once};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds() {
    let store: Arc<dyn LimitStore> = Arc::new(LocalLimits::new());
    limits::check_limit_store(&store).await;
    limits::racers_get_the_burst_and_no_more(&[store], once(5_000), 8).await;
}

#[tokio::test]
async fn debt_drains_over_time_and_ignores_clock_jumps() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let store = LocalLimits::with(1_000, clock.clone());
    let meter = Meter::new("10/1m".parse().unwrap(), 3).unwrap();
    let charge = [Charge::exactly(fresh_key(), meter, 1)];
    let charge = || async { store.charge(&charge).await.unwrap().admitted };
    for admitted in [true, true, true, false] {
        assert_eq!(charge().await, admitted);
    }
    clock.advance(Ttl::from_secs(6));
    for admitted in [true, false] {
        assert_eq!(charge().await, admitted);
    }
    // An hour back: the level does not drop, and no request waits for an hour.
    clock.set(Timestamp::from_millis(1_795_000_000_000 - 3_600_000));
    assert!(!charge().await);
    clock.advance(Ttl::from_secs(6));
    for admitted in [true, false] {
        assert_eq!(charge().await, admitted);
    }
    // Forward again: the full burst, and no more.
    clock.set(Timestamp::from_millis(1_795_000_000_000));
    for admitted in [true, true, true, false] {
        assert_eq!(charge().await, admitted);
    }
}

#[tokio::test]
async fn a_flood_of_keys_uses_bounded_memory_and_evicts_the_highest_levels_last() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let store = LocalLimits::with(2_048, clock);
    let meter = once(4);
    let debtors: Vec<_> = std::iter::repeat_with(fresh_key).take(100).collect();
    for key in &debtors {
        assert!(store.charge(&[Charge::exactly(*key, meter, 4)]).await.unwrap().admitted);
    }
    for _ in 0..20_000 {
        assert!(store.charge(&[Charge::exactly(fresh_key(), meter, 1)]).await.unwrap().admitted);
    }
    for key in debtors {
        assert!(!store.charge(&[Charge::exactly(key, meter, 1)]).await.unwrap().admitted);
    }
}
