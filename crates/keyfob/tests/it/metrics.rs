//! Metrics: each event is counted exactly once.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob::{
    ClientId, Grant, Issued, Kind, MemoryStore, Metrics, Subject, Timestamp, TokenManager,
    TokenManagerBuilder,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;
use keyfob_testkit::recorder::MemoryRecorder;

mod documented;
mod feed;
mod limits;
mod lives;
mod sealing;
mod validations;

/// A manager with a metrics recorder.
struct Bench {
    manager: TokenManager,
    kept: MemoryRecorder,
    clock: ManualClock,
    store: Arc<InstrumentedStore>,
}

fn bench() -> Bench {
    bench_with(|builder| builder)
}

fn bench_with(set_up: impl FnOnce(TokenManagerBuilder) -> TokenManagerBuilder) -> Bench {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let (lanes, seed) = (LaneCount::new(8).unwrap(), SeededRandom::new(1));
    let inner = MemoryStore::with(lanes, Arc::new(clock.clone()), &seed).unwrap();
    let store = Arc::new(InstrumentedStore::new(Arc::new(inner)));
    let kept = MemoryRecorder::default();
    let builder = TokenManager::builder(store.clone()).clock(clock.clone());
    let builder = builder.random(SeededRandom::new(2)).metrics(Metrics::on(&kept));
    Bench { manager: set_up(builder).build(), kept, clock, store }
}

impl Bench {
    async fn issue(&self, kind: Kind) -> Issued {
        let grant = Grant::new(kind).subject("user123").client("web").scopes("read write");
        self.manager.issue(grant).await.unwrap()
    }

    /// Publishes all counts and returns the value of a series.
    fn value<const LABELS: usize>(&self, name: &str, labels: [&str; LABELS]) -> f64 {
        self.manager.cache_report();
        self.kept.value(&format!("keyfob_{name}"), labels)
    }

    /// Returns the sum of all series of a name.
    fn sum(&self, name: &str) -> f64 {
        self.manager.cache_report();
        self.kept.sum(&format!("keyfob_{name}"))
    }
}

fn subject() -> Subject {
    Subject::new("user123").unwrap()
}

fn client() -> ClientId {
    ClientId::new("web").unwrap()
}

#[tokio::test]
async fn no_label_has_a_value_from_a_caller_and_no_series_appears_later() {
    let bench = bench();
    let before = bench.kept.series();
    for kind in Kind::ALL {
        let issued = bench.issue(kind).await;
        let _refused_or_not = bench.manager.validate_active(&issued.bearer).await;
        bench.manager.derive(&issued.bearer, Grant::new(Kind::Access)).await.ok();
    }
    bench.manager.shutdown().await;
    assert_eq!(bench.kept.series(), before);
    assert!(before.iter().all(|series| !series.contains("user123") && !series.contains("web")));
    let catalog = Metrics::catalog();
    let expected: usize = catalog
        .iter()
        .map(|metric| metric.labels.iter().map(|label| label.values.len()).product::<usize>())
        .sum();
    assert_eq!(before.len(), expected, "two series have one name and the same labels");
}
