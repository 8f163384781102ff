//! Limits of which several nodes take permits in batches.

use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::ManualClock;
use keyfob::limit::{Charge, LeasedLimits, LimitKey, LimitStore, Meter};
use keyfob::{LocalLimits, Timestamp, Ttl};
use keyfob_testkit::limits::{self, fresh_key, once};
use tokio::time::Instant;

use super::Watched;

const LEASE: Ttl = Ttl::from_secs(1);

/// A shared store and nodes over it, whose time is that of the paused runtime.
struct Stage {
    shared: Arc<Watched>,
    nodes: Vec<Arc<dyn LimitStore>>,
    clock: ManualClock,
}

impl Stage {
    fn new(nodes: usize) -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
        let shared = Watched::over(LocalLimits::with(1_000, clock.clone()));
        let node = |_| -> Arc<dyn LimitStore> {
            let shared: Arc<dyn LimitStore> = Arc::clone(&shared) as _;
            Arc::new(LeasedLimits::new(shared, LEASE).unwrap())
        };
        Self { nodes: (0..nodes).map(node).collect(), shared, clock }
    }

    async fn pass(&self, time: Ttl) {
        self.clock.advance(time);
        tokio::time::advance(time.as_duration()).await;
    }

    async fn admits(&self, node: usize, key: LimitKey, meter: Meter) -> bool {
        let charge = [Charge::exactly(key, meter, 1)];
        self.nodes[node].charge(&charge).await.unwrap().admitted
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_contract_holds() {
    let shared: Arc<dyn LimitStore> = Arc::new(LocalLimits::new());
    let node = || -> Arc<dyn LimitStore> {
        Arc::new(LeasedLimits::new(Arc::clone(&shared), Ttl::from_mins(1)).unwrap())
    };
    limits::check_limit_store(&node()).await;
    // The rate gives nothing in a lease, so that there is nothing to take in advance: it is exact.
    limits::racers_get_the_burst_and_no_more(&[node(), node()], once(1_000), 4).await;
}

#[tokio::test(start_paused = true)]
async fn a_hot_key_costs_a_few_calls_of_the_store_in_a_lease() {
    let stage = Stage::new(1);
    let (key, meter) = (fresh_key(), Meter::new("10000/s".parse().unwrap(), 10_000).unwrap());
    for _ in 0..5_000 {
        assert!(stage.admits(0, key, meter).await);
        stage.pass(Ttl::from_millis(1).unwrap()).await;
    }
    // Five leases of a thousand calls each.
    let calls = stage.shared.calls();
    assert!((5..=25).contains(&calls), "{calls}");
}

#[tokio::test(start_paused = true)]
async fn a_cold_key_takes_no_more_than_it_uses() {
    let stage = Stage::new(1);
    let (key, meter) = (fresh_key(), Meter::new("100/s".parse().unwrap(), 100).unwrap());
    for _ in 0..10 {
        assert!(stage.admits(0, key, meter).await);
        stage.pass(LEASE).await;
        let looked = stage.shared.charge(&[Charge::look(key, meter)]).await.unwrap();
        assert_eq!(meter.room(looked.tallies[0].level), 100);
        assert!(stage.admits(0, key, meter).await);
        let looked = stage.shared.charge(&[Charge::look(key, meter)]).await.unwrap();
        assert!(meter.room(looked.tallies[0].level) >= 98, "{looked:?}");
        stage.pass(Ttl::from_secs(5)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn two_nodes_exceed_the_limit_by_at_most_the_rate_of_a_lease() {
    let stage = Stage::new(2);
    let (rate, burst) = (200, 50);
    let (key, meter) = (fresh_key(), Meter::new("200/s".parse().unwrap(), burst).unwrap());
    let begun = Instant::now();
    let mut moments = Vec::new();
    // The nodes are greedy by turns, so that each comes with a hand that the other's demand refilled.
    for round in 0..8_000u64 {
        let node = (round / 170) as usize % 2;
        for _ in 0..=(round % 3) {
            if stage.admits(node, key, meter).await {
                moments.push(begun.elapsed().as_millis() as u64);
            }
        }
        stage.pass(Ttl::from_millis(1).unwrap()).await;
    }
    // Of every window of time, however long.
    let mut worst = 0;
    for (first, start) in moments.iter().enumerate() {
        for (last, end) in moments.iter().enumerate().skip(first) {
            let (count, time) = ((last - first + 1) as u64, end - start);
            let limit = u64::from(burst) + time * rate / 1_000;
            worst = worst.max(count.saturating_sub(limit));
        }
    }
    let bound = rate * LEASE.as_millis() / 1_000;
    assert!(worst <= bound, "{worst} more than the limit, of at most {bound}");
    let total = moments.len() as u64;
    assert!((1_300..=1_650).contains(&total), "the rate is used: {total}");
    let calls = stage.shared.calls();
    assert!(calls < 400, "{calls} calls of the store, of 16,000");
}

/// How far above the burst two nodes come, in permits, that fill their hands by demand, keep them for
/// some time, and then give out all that they can get.
async fn beyond_the_burst(kept: Ttl) -> u64 {
    let (rate, burst) = (200, 400);
    let (key, meter) = (fresh_key(), Meter::new("200/s".parse().unwrap(), burst).unwrap());
    let stage = Stage::new(2);
    // What the permits of every window of time come to: they drain at the rate, and the highest
    // that they stand is the most that any window had beyond what its length gives.
    let (mut stands, mut highest) = (0u64, 0);
    // Batches double, so that just beyond a power of two almost as much is kept as was given out.
    for demand in [[64, 32], [130, 70], [200, 200], [33, 65]] {
        for (node, demand) in demand.into_iter().enumerate() {
            for _ in 0..demand {
                stands += u64::from(stage.admits(node, key, meter).await) * 1_000;
            }
        }
        highest = highest.max(stands);
        stage.pass(kept).await;
        stands = stands.saturating_sub(rate * kept.as_millis());
        for node in [0, 1] {
            while stage.admits(node, key, meter).await {
                stands += 1_000;
            }
        }
        highest = highest.max(stands);
        let rest = Ttl::from_secs(3);
        stage.pass(rest).await;
        stands = stands.saturating_sub(rate * rest.as_millis());
    }
    highest.div_ceil(1_000).saturating_sub(u64::from(burst))
}

#[tokio::test(start_paused = true)]
async fn held_permits_exceed_the_burst_by_at_most_the_rate_of_a_lease() {
    let bound = 200;
    for kept in [100, 500, 900, 999] {
        let beyond = beyond_the_burst(Ttl::from_millis(kept).unwrap()).await;
        assert!(beyond <= bound, "{beyond} beyond the burst, kept for {kept} ms");
    }
    // The bound is not idle. Whoever takes in advance has to have had as much demand before, so that
    // about half of it can be reached.
    let beyond = beyond_the_burst(Ttl::from_millis(999).unwrap()).await;
    assert!(beyond >= bound * 2 / 5, "{beyond}");
    // A moment later they have lapsed.
    for kept in [1_000, 1_001, 1_500, 3_000] {
        assert_eq!(beyond_the_burst(Ttl::from_millis(kept).unwrap()).await, 0, "{kept} ms");
    }
}

#[tokio::test(start_paused = true)]
async fn expired_permits_become_available_again() {
    let stage = Stage::new(1);
    let (key, meter) = (fresh_key(), Meter::new("100/s".parse().unwrap(), 100).unwrap());
    for _ in 0..40 {
        assert!(stage.admits(0, key, meter).await);
    }
    stage.pass(Ttl::from_secs(3)).await;
    let mut admitted = 0;
    while stage.admits(0, key, meter).await {
        admitted += 1;
    }
    assert_eq!(admitted, 100);
}

#[tokio::test(start_paused = true)]
async fn a_refusing_key_is_not_charged_on_every_call_and_reports_the_retry_time() {
    let stage = Stage::new(1);
    let (key, meter) = (fresh_key(), Meter::new("100/s".parse().unwrap(), 20).unwrap());
    while stage.admits(0, key, meter).await {}
    let before = stage.shared.calls();
    for _ in 0..1_000 {
        assert!(!stage.admits(0, key, meter).await);
    }
    assert_eq!(stage.shared.calls(), before);
    let refused = stage.nodes[0].charge(&[Charge::exactly(key, meter, 1)]).await.unwrap();
    let tally = refused.tallies[0];
    let wait = tally.pause.max(meter.wait(tally.level, 1, tally.now).unwrap()).unwrap();
    assert!(wait <= Ttl::from_millis(125).unwrap(), "an eighth of a lease at most: {wait}");
    stage.pass(wait).await;
    assert!(stage.admits(0, key, meter).await, "whoever waits for so long is admitted");
}

#[tokio::test]
async fn concurrent_charges_of_a_new_key_ask_the_store_once() {
    let shared = Watched::over(LocalLimits::new());
    let over: Arc<dyn LimitStore> = Arc::clone(&shared) as _;
    let node = Arc::new(LeasedLimits::new(over, Ttl::from_mins(1)).unwrap());
    let (key, meter) = (fresh_key(), Meter::new("1000/s".parse().unwrap(), 100_000).unwrap());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..1_000 {
        let node = Arc::clone(&node);
        tasks.spawn(async move {
            node.charge(&[Charge::exactly(key, meter, 1)]).await.unwrap().admitted
        });
    }
    while let Some(admitted) = tasks.join_next().await {
        assert!(admitted.unwrap());
    }
    // Batches of 1, 2, 4 and so on.
    assert!(shared.calls() <= 10, "{}", shared.calls());
}

#[tokio::test]
async fn held_permits_are_usable_while_the_store_fails() {
    let shared = Watched::over(LocalLimits::new());
    let over: Arc<dyn LimitStore> = Arc::clone(&shared) as _;
    let node = LeasedLimits::new(over, Ttl::from_mins(1)).unwrap();
    let (key, meter) = (fresh_key(), Meter::new("1000/s".parse().unwrap(), 1_000).unwrap());
    let charge = [Charge::exactly(key, meter, 1)];
    for _ in 0..4 {
        assert!(node.charge(&charge).await.unwrap().admitted);
    }
    shared.fail(true);
    // Of batches of 1, 2 and 4.
    for _ in 0..3 {
        assert!(node.charge(&charge).await.unwrap().admitted);
    }
    assert_eq!(node.charge(&charge).await.unwrap_err().code(), "store_unavailable");
    shared.fail(false);
    assert!(node.charge(&charge).await.unwrap().admitted);
}

#[test]
fn a_lease_is_at_most_a_minute() {
    let over = || -> Arc<dyn LimitStore> { Arc::new(LocalLimits::new()) };
    assert!(LeasedLimits::new(over(), Ttl::from_mins(1)).is_ok());
    assert_eq!(LeasedLimits::new(over(), Ttl::from_secs(61)).unwrap_err().what(), "lease");
    assert_eq!(Duration::from_secs(60), LeasedLimits::MAX_LEASE.as_duration());
}
