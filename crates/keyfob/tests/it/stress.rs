//! The stress test on the memory store: many tasks, no faults.

use std::sync::Arc;
use std::time::Duration;

use keyfob::random::OsRandom;
use keyfob::{KeyRing, MemoryStore, Timestamp, TokenManager};
use keyfob_testkit::stress::{StressTest, run_stress_test};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_stay_revoked_and_others_stay_active() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let length = Duration::from_millis(800);
    let config = StressTest { tasks: 200, length, seed: 1, revocation_delay: Duration::ZERO };
    let report = run_stress_test(&[manager], config, async {}).await;
    assert!(report.issued > 100 && report.minted > 10 && report.revoked > 10, "{report:?}");
    assert!(
        report.active_at_end > 0 && report.refused_at_end > 0 && report.failed == 0,
        "{report:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn revoked_tokens_stay_revoked_in_a_sealed_store() {
    let ring = KeyRing::generate(Timestamp::default(), &OsRandom).unwrap();
    let store = Arc::new(MemoryStore::new().unwrap());
    let manager = TokenManager::builder(store).keys(&ring).build();
    let length = Duration::from_millis(800);
    let config = StressTest { tasks: 200, length, seed: 2, revocation_delay: Duration::ZERO };
    let report = run_stress_test(&[manager], config, async {}).await;
    assert!(report.issued > 100 && report.minted > 10 && report.revoked > 10, "{report:?}");
    assert!(
        report.active_at_end > 0 && report.refused_at_end > 0 && report.failed == 0,
        "{report:?}"
    );
}
