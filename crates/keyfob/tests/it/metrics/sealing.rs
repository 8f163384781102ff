//! Metrics of sealing.

use std::sync::Arc;

use keyfob::clock::Clock;
use keyfob::random::OsRandom;
use keyfob::seal::{KeyRing, KeyVersion, NewKey};
use keyfob::{Grant, Kind, Metrics, RevokeRequest, TokenManager};
use keyfob_testkit::recorder::MemoryRecorder;

use super::{Bench, bench, bench_with};

impl Bench {
    /// Another manager over the same store, with another ring.
    fn with_ring(&self, ring: &KeyRing) -> (TokenManager, MemoryRecorder) {
        let kept = MemoryRecorder::default();
        let builder = TokenManager::builder(Arc::clone(&self.store)).keys(ring);
        (builder.clock(self.clock.clone()).metrics(Metrics::on(&kept)).build(), kept)
    }
}

#[tokio::test]
async fn sealings_and_records_per_key_are_counted() {
    let bench = bench();
    bench.issue(Kind::Access).await;
    let now = bench.clock.now();
    let mut ring = KeyRing::generate(now, &OsRandom).unwrap().allowing_plaintext();
    let (manager, kept) = bench.with_ring(&ring);
    let of = |name: &str, value| kept.value(&format!("keyfob_seal_{name}"), [value]);
    let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
    manager.validate_active(&issued.bearer).await.unwrap();
    assert_eq!(of("operations_total", "sealed"), 2.0, "a record and an event were sealed");
    assert_eq!(of("operations_total", "opened"), 1.0);
    manager.count_by_key().await.unwrap();
    assert_eq!((of("records", "active"), of("records", "bare")), (1.0, 1.0));

    let second = ring.add(NewKey::Sealing, now, &OsRandom).unwrap();
    ring.activate(second).unwrap();
    manager.set_keys(&ring).unwrap();
    assert_eq!(kept.value("keyfob_seal_active_key", []), f64::from(second.value()));
    manager.count_by_key().await.unwrap();
    assert_eq!((of("records", "older"), of("records", "bare")), (1.0, 1.0));
    manager.reseal().unwrap().run(|_| {}).await.unwrap();
    assert_eq!(kept.value("keyfob_seal_resealed_total", []), 2.0);
    assert_eq!((of("records", "active"), of("records", "older")), (2.0, 0.0));
    assert_eq!(of("operations_total", "read_bare"), 1.0, "reseal read one plaintext record");
    assert_eq!(kept.value("keyfob_store_calls_total", ["reseal", "ok"]), 2.0);
}

#[tokio::test]
async fn failed_opens_are_counted_by_cause() {
    let bench = bench();
    let now = bench.clock.now();
    let ring = KeyRing::generate(now, &OsRandom).unwrap().allowing_plaintext();
    let (manager, _) = bench.with_ring(&ring);
    let sealed = manager.issue(Grant::new(Kind::Access)).await.unwrap();
    let bare = bench.issue(Kind::Access).await;

    let mut other = KeyRing::generate(now, &OsRandom).unwrap().allowing_plaintext();
    other.retire(KeyVersion::PLAINTEXT).unwrap();
    let (manager, kept) = bench.with_ring(&other);
    let of = |value| kept.value("keyfob_seal_refused_total", [value]);
    manager.validate_active(&sealed.bearer).await.unwrap_err();
    assert_eq!(of("not_opened"), 1.0, "the ring has a different key with the same version");
    manager.validate_active(&bare.bearer).await.unwrap_err();
    assert_eq!(of("not_sealed"), 1.0);
    assert_eq!(kept.value("keyfob_validations_total", ["undecided", "access"]), 2.0);
    manager.revoke(sealed.token.id, RevokeRequest::default()).await.unwrap();
    assert_eq!(kept.value("keyfob_revocations_total", ["token"]), 1.0, "a revocation needs no key");
}

#[tokio::test]
async fn a_missing_key_is_counted_as_such() {
    let bench = bench_with(|builder| builder);
    let now = bench.clock.now();
    let mut ring = KeyRing::generate(now, &OsRandom).unwrap().allowing_plaintext();
    let small = ring.clone();
    let second = ring.add(NewKey::Sealing, now, &OsRandom).unwrap();
    ring.activate(second).unwrap();
    let (manager, _) = bench.with_ring(&ring);
    let issued = manager.issue(Grant::new(Kind::Access)).await.unwrap();
    let (manager, kept) = bench.with_ring(&small);
    manager.validate_active(&issued.bearer).await.unwrap_err();
    assert_eq!(kept.value("keyfob_seal_refused_total", ["key_missing"]), 1.0);
}
