//! Metrics of the invalidation feed.

use keyfob::store::{
    Counting, Documents, EventLog, Invalidation, InvalidationListener, Invalidations, LaneCount,
    Maintenance, MonotonicInstant, RecordStore, Resealing, TermIndex,
};
use std::sync::Arc;
use std::time::Duration;

use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::{
    CacheConfig, Kind, MemoryStore, Metrics, RevokeRequest, Store, Timestamp, TokenManager, Ttl,
};
use keyfob_testkit::instrumented_store::InstrumentedStore;
use keyfob_testkit::recorder::MemoryRecorder;

use super::{bench, bench_with, subject};

#[tokio::test]
async fn a_feed_within_the_process_is_trusted_and_its_invalidations_are_counted() {
    let bench = bench();
    assert_eq!(bench.value("feed_lanes", ["trusted"]), 8.0);
    assert_eq!(bench.value("feed_confirmed_age_seconds", []), 0.0);
    let issued = bench.issue(Kind::Access).await;
    bench.manager.revoke(issued.token.id, RevokeRequest::default()).await.unwrap();
    let invalidations = |what| bench.value("feed_invalidations_total", [what]);
    let (records, fields) = (invalidations("record"), invalidations("field"));
    assert!(records >= 1.0 && fields >= 1.0, "the token and its descendants are invalidated");
    bench.manager.revoke_subject(&subject(), RevokeRequest::default()).await.unwrap();
    assert!(invalidations("field") > fields && invalidations("record") == records);
    bench.manager.revoke_all(RevokeRequest::default()).await.unwrap();
    assert!(invalidations("lane") >= 8.0);
}

#[tokio::test]
async fn a_feed_without_confirmation_is_reported_as_untrusted() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let lanes = LaneCount::new(4).unwrap();
    let inner = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).unwrap();
    let store = Arc::new(InstrumentedStore::new(Arc::new(inner)).without_invalidations());
    let kept = MemoryRecorder::default();
    let manager = TokenManager::builder(store).metrics(Metrics::on(&kept)).build();
    tokio::time::sleep(Duration::from_millis(20)).await;
    manager.cache_report();
    assert_eq!(kept.value("keyfob_feed_lanes", ["distrusted"]), 4.0);
    assert_eq!(kept.value("keyfob_feed_lanes", ["trusted"]), 0.0);
    assert!(kept.value("keyfob_feed_confirmed_age_seconds", []) >= 0.02);
    assert_eq!(
        kept.value("keyfob_feed_trust_lost_total", []),
        0.0,
        "a feed that was never trusted cannot lose trust"
    );
}

/// A store that gives access to its listener.
#[derive(Debug)]
struct Heard(
    InstrumentedStore,
    std::sync::Mutex<Option<Arc<InvalidationListener>>>,
    Option<Metrics>,
);

impl keyfob::store::StoreWrapper for Heard {
    fn inner(&self) -> &dyn Store {
        &self.0
    }
}

#[async_trait::async_trait]
impl RecordStore for Heard {
    keyfob::store::forward_store! { namespace insert load replace consume touch revoke advance stamp time_of }
}

#[async_trait::async_trait]
impl TermIndex for Heard {
    keyfob::store::forward_store! { query heads count }
}

#[async_trait::async_trait]
impl EventLog for Heard {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait::async_trait]
impl Counting for Heard {
    keyfob::store::forward_store! { tallies }
}

#[async_trait::async_trait]
impl Resealing for Heard {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait::async_trait]
impl Documents for Heard {
    keyfob::store::forward_store! { read_document write_document list_documents }
}

#[async_trait::async_trait]
impl Invalidations for Heard {
    fn watch(&self, watcher: &Arc<InvalidationListener>) {
        *self.1.lock().unwrap() = Some(Arc::clone(watcher));
    }
}

#[async_trait::async_trait]
impl Maintenance for Heard {
    keyfob::store::forward_store! { report close }

    fn metrics(&self) -> Option<Metrics> {
        self.2.clone()
    }
}

#[tokio::test]
async fn a_manager_uses_the_metrics_that_its_store_was_given_unless_it_is_given_others() {
    let [of_store, of_manager] = [MemoryRecorder::default(), MemoryRecorder::default()];
    let metrics = Some(Metrics::on(&of_store));
    let inner = InstrumentedStore::new(Arc::new(MemoryStore::new().unwrap()));
    let store = Arc::new(Heard(inner, std::sync::Mutex::default(), metrics));
    let issue = async |manager: TokenManager| {
        manager.issue(keyfob::Grant::new(keyfob::Kind::Session)).await.unwrap();
    };
    let issued = |kept: &MemoryRecorder| kept.value("keyfob_tokens_issued_total", ["session"]);
    issue(TokenManager::new(store.clone())).await;
    assert_eq!(issued(&of_store), 1.0);
    issue(TokenManager::builder(store).metrics(Metrics::on(&of_manager)).build()).await;
    assert_eq!((issued(&of_store), issued(&of_manager)), (1.0, 1.0));
}

#[tokio::test]
async fn trust_that_runs_out_is_counted_for_each_lane() {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let lanes = LaneCount::new(4).unwrap();
    let inner = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).unwrap();
    let heard =
        Arc::new(Heard(InstrumentedStore::new(Arc::new(inner)), std::sync::Mutex::default(), None));
    let kept = MemoryRecorder::default();
    let bound = Ttl::from_millis(60).unwrap();
    let manager = TokenManager::builder(heard.clone())
        .cache(CacheConfig::default().with_max_staleness(bound))
        .metrics(Metrics::on(&kept))
        .build();
    let watcher = heard.1.lock().unwrap().clone().unwrap();
    let source = watcher.add_source(lanes.lanes());
    source.confirm(MonotonicInstant::now());
    manager.cache_report();
    assert_eq!(kept.value("keyfob_feed_lanes", ["trusted"]), 4.0);
    watcher.invalidate(keyfob::store::Lane::new(0), Invalidation::All);
    assert_eq!(kept.value("keyfob_feed_invalidations_total", ["lane"]), 1.0);
    tokio::time::sleep(Duration::from_millis(80)).await;
    for _ in 0..2 {
        manager.cache_report();
        assert_eq!(kept.value("keyfob_feed_lanes", ["distrusted"]), 4.0);
        assert_eq!(kept.value("keyfob_feed_trust_lost_total", []), 4.0);
    }
    assert!(kept.value("keyfob_feed_confirmed_age_seconds", []) >= 0.08);
    source.confirm(MonotonicInstant::now());
    drop(source);
    manager.cache_report();
    assert_eq!(kept.value("keyfob_feed_trust_lost_total", []), 8.0);
}

#[tokio::test]
async fn evictions_and_shared_loads_are_counted() {
    let bench = bench_with(|builder| builder.cache(CacheConfig::default().with_max_tokens(16)));
    for _ in 0..64 {
        let issued = bench.issue(Kind::Access).await;
        bench.manager.validate_active(&issued.bearer).await.unwrap();
    }
    let evicted = bench.value("cache_evictions_total", []);
    let entries = bench.value("cache_entries", []);
    assert_eq!(evicted + entries, bench.value("cache_fills_total", []));
    assert_eq!(bench.value("cache_most_entries", []), 16.0);

    let issued = bench.issue(Kind::Access).await;
    bench.store.answer_late([Duration::from_millis(20)]);
    let check = || bench.manager.validate_active(&issued.bearer);
    let (one, other, third) = tokio::join!(check(), check(), check());
    assert!(one.is_ok() && other.is_ok() && third.is_ok());
    assert_eq!(bench.value("cache_shared_loads_total", []), 2.0);
}

#[tokio::test]
async fn a_flood_is_counted() {
    let bench = bench();
    let other = TokenManager::new(MemoryStore::new().unwrap());
    for _ in 0..1_100 {
        let strange = other.issue(keyfob::Grant::new(Kind::Access)).await.unwrap().bearer;
        bench.manager.validate_active(&strange).await.unwrap_err();
    }
    assert_eq!(bench.value("cache_foreign_ids_total", []), 1_100.0);
    assert_eq!(bench.value("cache_flood_holds_total", []), 0.0, "no load had to wait");
}

#[tokio::test]
async fn a_change_of_the_clock_is_counted() {
    let bench = bench();
    bench.manager.cache_report();
    assert_eq!(bench.sum("clock_jumps_total"), 0.0);
    bench.clock.advance(Ttl::from_mins(5));
    assert_eq!(bench.value("clock_jumps_total", ["forward"]), 1.0);
    bench.clock.set(Timestamp::from_millis(1_795_000_000_000));
    assert_eq!(bench.value("clock_jumps_total", ["back"]), 1.0);
    assert_eq!(bench.sum("clock_jumps_total"), 2.0);
}
