//! Leased limits: several nodes take permits in batches.

use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::ManualClock;
use keyfob::limit::{Charge, LeasedLimits, LimitKey, LimitStore, Meter};
use keyfob::{LocalLimits, Timestamp, Ttl};
use keyfob_testkit::limits::{self, fresh_key, once};
use tokio::time::Instant;

use super::CountedLimits;

const LEASE: Ttl = Ttl::from_secs(1);

/// A shared limit store and its nodes, on the clock of the paused runtime.
struct Stage {
    shared: Arc<CountedLimits>,
    nodes: Vec<Arc<dyn LimitStore>>,
    clock: ManualClock,
}

impl Stage {
    fn new(nodes: usize) -> Self {
        let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
        let shared = CountedLimits::over(LocalLimits::with(1_000, clock.clone()));
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
    // The rate refills nothing within a lease, so no permit is taken in advance and the limit is
    // exact.
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
    // The nodes take turns with a high demand, so each has held permits that were taken for the
    // demand of the other.
    for round in 0..8_000u64 {
        let node = (round / 170) as usize % 2;
        for _ in 0..=(round % 3) {
            if stage.admits(node, key, meter).await {
                moments.push(begun.elapsed().as_millis() as u64);
            }
        }
        stage.pass(Ttl::from_millis(1).unwrap()).await;
    }
    // Checks every interval of any length.
    let mut max_excess = 0;
    for (first, start) in moments.iter().enumerate() {
        for (last, end) in moments.iter().enumerate().skip(first) {
            let (count, time) = ((last - first + 1) as u64, end - start);
            let limit = u64::from(burst) + time * rate / 1_000;
            max_excess = max_excess.max(count.saturating_sub(limit));
        }
    }
    let bound = rate * LEASE.as_millis() / 1_000;
    assert!(max_excess <= bound, "{max_excess} more than the limit, of at most {bound}");
    let total = moments.len() as u64;
    assert!((1_300..=1_650).contains(&total), "the total is near the rate: {total}");
    let calls = stage.shared.calls();
    assert!(calls < 400, "{calls} calls of the store, of 16,000");
}

/// Returns how far two nodes exceed the burst, in permits. They take permits by demand, hold them
/// for some time, and then admit as many requests as possible.
async fn excess_over_burst(held_for: Ttl) -> u64 {
    let (rate, burst) = (200, 400);
    let (key, meter) = (fresh_key(), Meter::new("200/s".parse().unwrap(), burst).unwrap());
    let stage = Stage::new(2);
    // The level of admitted permits, which drains at the rate. Its maximum is the largest excess of
    // any interval over the rate.
    let (mut level, mut highest) = (0u64, 0);
    // Batches double, so just above a power of two almost as many permits are held as were used.
    for demand in [[64, 32], [130, 70], [200, 200], [33, 65]] {
        for (node, demand) in demand.into_iter().enumerate() {
            for _ in 0..demand {
                level += u64::from(stage.admits(node, key, meter).await) * 1_000;
            }
        }
        highest = highest.max(level);
        stage.pass(held_for).await;
        level = level.saturating_sub(rate * held_for.as_millis());
        for node in [0, 1] {
            while stage.admits(node, key, meter).await {
                level += 1_000;
            }
        }
        highest = highest.max(level);
        let rest = Ttl::from_secs(3);
        stage.pass(rest).await;
        level = level.saturating_sub(rate * rest.as_millis());
    }
    highest.div_ceil(1_000).saturating_sub(u64::from(burst))
}

#[tokio::test(start_paused = true)]
async fn held_permits_exceed_the_burst_by_at_most_the_rate_of_a_lease() {
    let bound = 200;
    for held_for in [100, 500, 900, 999] {
        let excess = excess_over_burst(Ttl::from_millis(held_for).unwrap()).await;
        assert!(excess <= bound, "{excess} above the burst, held for {held_for} ms");
    }
    // The limit is tight. A node that takes permits in advance had the same demand before, so about
    // half of the limit is reachable.
    let excess = excess_over_burst(Ttl::from_millis(999).unwrap()).await;
    assert!(excess >= bound * 2 / 5, "{excess}");
    // Shortly after, the held permits have expired.
    for held_for in [1_000, 1_001, 1_500, 3_000] {
        assert_eq!(
            excess_over_burst(Ttl::from_millis(held_for).unwrap()).await,
            0,
            "{held_for} ms"
        );
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
    assert!(
        wait <= Ttl::from_millis(125).unwrap(),
        "the wait is at most an eighth of a lease: {wait}"
    );
    stage.pass(wait).await;
    assert!(stage.admits(0, key, meter).await, "a request after this wait is admitted");
}

#[tokio::test]
async fn concurrent_charges_of_a_new_key_ask_the_store_once() {
    let shared = CountedLimits::over(LocalLimits::new());
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
    // The batches are 1, 2, 4 and so on.
    assert!(shared.calls() <= 10, "{}", shared.calls());
}

#[tokio::test]
async fn held_permits_are_usable_while_the_store_fails() {
    let shared = CountedLimits::over(LocalLimits::new());
    let over: Arc<dyn LimitStore> = Arc::clone(&shared) as _;
    let node = LeasedLimits::new(over, Ttl::from_mins(1)).unwrap();
    let (key, meter) = (fresh_key(), Meter::new("1000/s".parse().unwrap(), 1_000).unwrap());
    let charge = [Charge::exactly(key, meter, 1)];
    for _ in 0..4 {
        assert!(node.charge(&charge).await.unwrap().admitted);
    }
    shared.fail(true);
    // The batches were 1, 2 and 4.
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
