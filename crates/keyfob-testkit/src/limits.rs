//! The contract of a limit store, as assertions that hold for every implementation.
//!
//! The rates are so low that no permit is refilled during a test, so time does not matter.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use keyfob::limit::{Charge, Charged, LimitKey, LimitStore, Meter};
use keyfob::random::{OsRandom, Random};
use keyfob::{Rate, Ttl};
use tokio::task::JoinSet;

/// Returns a key that no other test uses.
///
/// # Panics
/// If the system has no randomness.
pub fn fresh_key() -> LimitKey {
    let mut bytes = [0; 16];
    OsRandom.fill(&mut bytes).unwrap_or_else(|error| panic!("{error}"));
    LimitKey::from_bytes(bytes)
}

/// Returns a meter that admits `burst` permits and then none for an hour.
///
/// # Panics
/// If `burst` is zero.
pub fn once(burst: u32) -> Meter {
    let hour = Rate::new(1, Ttl::from_hours(1));
    hour.and_then(|rate| Meter::new(rate, burst)).unwrap_or_else(|error| panic!("{error}"))
}

/// Checks that a limit store keeps its contract.
///
/// # Panics
/// If it breaks the contract.
pub async fn check_limit_store(store: &Arc<dyn LimitStore>) {
    the_burst_is_admitted_and_no_more(store).await;
    all_or_none(store).await;
    a_look_takes_no_permits(store).await;
    permits_above_the_minimum_are_optional(store).await;
    too_many_charges_are_refused(store).await;
    used_permits_stay_used_at_another_rate(store).await;
    two_rates_at_the_same_time_admit_no_more_than_the_larger(store).await;
    racers_get_the_burst_and_no_more(std::slice::from_ref(store), once(100), 8).await;
    racers_for_several_get_no_more_than_the_smallest(store).await;
}

async fn charge(store: &Arc<dyn LimitStore>, charges: &[Charge]) -> Charged {
    let charged = store.charge(charges).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(charged.tallies.len(), charges.len(), "one outcome for each charge");
    charged
}

/// Returns the number of consecutive calls for one permit that are admitted.
async fn count_admitted(store: &Arc<dyn LimitStore>, key: LimitKey, meter: Meter) -> u32 {
    let mut admitted = 0;
    while charge(store, &[Charge::exactly(key, meter, 1)]).await.admitted {
        admitted += 1;
        assert!(admitted <= meter.burst(), "more than the burst");
    }
    admitted
}

async fn the_burst_is_admitted_and_no_more(store: &Arc<dyn LimitStore>) {
    let (key, meter) = (fresh_key(), once(5));
    let first = charge(store, &[Charge::exactly(key, meter, 2)]).await;
    assert!(first.admitted);
    assert_eq!((first.tallies[0].taken, meter.room(first.tallies[0].level)), (2, 3));
    assert!(
        !charge(store, &[Charge::exactly(key, meter, 4)]).await.admitted,
        "more permits than are left"
    );
    assert_eq!(count_admitted(store, key, meter).await, 3);
    let last = charge(store, &[Charge::exactly(key, meter, 1)]).await;
    let outcome = last.tallies[0];
    assert!(!last.admitted && outcome.taken == 0, "{last:?}");
    let wait = meter.wait(outcome.level, 1, outcome.now).ok().flatten().map_or(0, Ttl::as_millis);
    assert!((3_500_000..=3_600_000).contains(&wait), "expected about an hour, got {wait} ms");
    assert_eq!(
        count_admitted(store, fresh_key(), meter).await,
        5,
        "another key has its full burst"
    );
}

async fn all_or_none(store: &Arc<dyn LimitStore>) {
    // Many pairs, so that some are in the same slot or lane and some are not.
    for _ in 0..16 {
        let (wide, narrow) = (fresh_key(), fresh_key());
        let both = [Charge::exactly(wide, once(6), 1), Charge::exactly(narrow, once(2), 1)];
        for _ in 0..2 {
            assert!(charge(store, &both).await.admitted);
        }
        for _ in 0..3 {
            let refused = charge(store, &both).await;
            assert!(!refused.admitted);
            assert!(refused.tallies.iter().all(|outcome| outcome.taken == 0));
        }
        assert_eq!(count_admitted(store, wide, once(6)).await, 4, "a refused call is not charged");
    }
}

async fn a_look_takes_no_permits(store: &Arc<dyn LimitStore>) {
    let (key, meter) = (fresh_key(), once(3));
    for _ in 0..5 {
        let looked = charge(store, &[Charge::look(key, meter)]).await;
        assert!(looked.admitted);
        assert_eq!(meter.room(looked.tallies[0].level), 3);
    }
    assert_eq!(count_admitted(store, key, meter).await, 3);
    let looked = charge(store, &[Charge::look(key, meter)]).await;
    assert_eq!(meter.room(looked.tallies[0].level), 0);
}

async fn permits_above_the_minimum_are_optional(store: &Arc<dyn LimitStore>) {
    let (key, meter) = (fresh_key(), once(10));
    let wanted = Charge { key, meter, min_permits: 2, max_permits: 7 };
    let mut taken = Vec::new();
    loop {
        let charged = charge(store, &[wanted]).await;
        if !charged.admitted {
            break;
        }
        taken.push(charged.tallies[0].taken);
    }
    assert!(taken.iter().all(|taken| (2..=7).contains(taken)), "{taken:?}");
    let total: u32 = taken.iter().sum();
    assert!((9..=10).contains(&total), "{taken:?}");
    assert_eq!(count_admitted(store, key, meter).await, 10 - total);
}

async fn too_many_charges_are_refused(store: &Arc<dyn LimitStore>) {
    let keys = || std::iter::repeat_with(|| Charge::exactly(fresh_key(), once(1), 1));
    let max_keys: Vec<_> = keys().take(Charge::MAX_KEYS).collect();
    assert!(charge(store, &max_keys).await.admitted);
    let more: Vec<_> = keys().take(Charge::MAX_KEYS + 1).collect();
    let error = store.charge(&more).await.expect_err("too many charges are refused");
    assert_eq!(error.code(), "store_misconfigured");
}

fn per_hour(permits: u32) -> Meter {
    let rate = Rate::new(permits, Ttl::from_hours(1));
    rate.and_then(|rate| Meter::new(rate, permits)).unwrap_or_else(|error| panic!("{error}"))
}

async fn used_permits_stay_used_at_another_rate(store: &Arc<dyn LimitStore>) {
    let key = fresh_key();
    assert_eq!(count_admitted(store, key, per_hour(10)).await, 10);
    assert_eq!(count_admitted(store, key, per_hour(11)).await, 1, "ten are used");
    assert_eq!(count_admitted(store, key, per_hour(5)).await, 0, "more than the new limit is used");
    assert_eq!(count_admitted(store, key, per_hour(13)).await, 2, "eleven are used");
    let looked = charge(store, &[Charge::look(key, per_hour(20))]).await;
    assert_eq!(per_hour(20).room(looked.tallies[0].level), 7);
}

async fn two_rates_at_the_same_time_admit_no_more_than_the_larger(store: &Arc<dyn LimitStore>) {
    let key = fresh_key();
    let mut admitted = 0;
    for number in 0..60 {
        // Two nodes during a deployment: neither resets what the other one has counted.
        let meter = if number % 2 == 0 { per_hour(12) } else { per_hour(7) };
        admitted += u32::from(charge(store, &[Charge::exactly(key, meter, 1)]).await.admitted);
    }
    assert_eq!(admitted, 12);
}

/// Lets many tasks charge one key through each of the stores. Together they get exactly the burst.
///
/// # Panics
/// If they get more or fewer permits.
pub async fn racers_get_the_burst_and_no_more(
    stores: &[Arc<dyn LimitStore>],
    meter: Meter,
    tasks: usize,
) {
    let key = fresh_key();
    let admitted = Arc::new(AtomicU64::new(0));
    let mut racers = JoinSet::new();
    for store in stores.iter().cycle().take(tasks * stores.len()) {
        let (store, admitted) = (Arc::clone(store), Arc::clone(&admitted));
        racers.spawn(async move {
            for _ in 0..meter.burst() {
                if charge(&store, &[Charge::exactly(key, meter, 1)]).await.admitted {
                    admitted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(done) = racers.join_next().await {
        done.unwrap_or_else(|error| panic!("{error}"));
    }
    assert_eq!(admitted.load(Ordering::Relaxed), u64::from(meter.burst()));
}

async fn racers_for_several_get_no_more_than_the_smallest(store: &Arc<dyn LimitStore>) {
    let keys: Vec<_> = (0..4).map(|_| fresh_key()).collect();
    let bursts = [40, 25, 60, 40];
    let admitted = Arc::new(AtomicU64::new(0));
    let mut racers = JoinSet::new();
    for _ in 0..8 {
        let charges: Vec<_> = keys
            .iter()
            .zip(bursts)
            .map(|(key, burst)| Charge::exactly(*key, once(burst), 1))
            .collect();
        let (store, admitted) = (Arc::clone(store), Arc::clone(&admitted));
        racers.spawn(async move {
            for _ in 0..20 {
                if charge(&store, &charges).await.admitted {
                    admitted.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
    }
    while let Some(done) = racers.join_next().await {
        done.unwrap_or_else(|error| panic!("{error}"));
    }
    let admitted = admitted.load(Ordering::Relaxed) as u32;
    // If keys are in different lanes, a call may briefly hold a permit of one key although another
    // key refuses the call.
    assert!((1..=25).contains(&admitted), "{admitted}");
    let left = count_admitted(store, keys[2], once(60)).await;
    // The part of a permit that drained while it was held is not given back.
    let rest = 60 - admitted;
    assert!((rest - 1..=rest).contains(&left), "{admitted} and then {left}");
}
