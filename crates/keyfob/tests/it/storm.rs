//! The storm on the store in memory: no faults, many tasks.

use std::sync::Arc;
use std::time::Duration;

use keyfob::random::OsRandom;
use keyfob::{KeyRing, MemoryStore, Timestamp, TokenManager};
use keyfob_testkit::stress::{StressTest, run_stress_test};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_revoked_stays_dead_and_the_rest_lives() {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let length = Duration::from_millis(800);
    let storm = StressTest { tasks: 200, length, seed: 1, grace: Duration::ZERO };
    let report = run_stress_test(&[manager], storm, async {}).await;
    assert!(report.issued > 100 && report.minted > 10 && report.revoked > 10, "{report:?}");
    assert!(report.alive > 0 && report.dead > 0 && report.failed == 0, "{report:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_is_so_in_a_sealed_store() {
    let ring = KeyRing::generate(Timestamp::default(), &OsRandom).unwrap();
    let store = Arc::new(MemoryStore::new().unwrap());
    let manager = TokenManager::builder(store).keys(&ring).build();
    let length = Duration::from_millis(800);
    let storm = StressTest { tasks: 200, length, seed: 2, grace: Duration::ZERO };
    let report = run_stress_test(&[manager], storm, async {}).await;
    assert!(report.issued > 100 && report.minted > 10 && report.revoked > 10, "{report:?}");
    assert!(report.alive > 0 && report.dead > 0 && report.failed == 0, "{report:?}");
}
