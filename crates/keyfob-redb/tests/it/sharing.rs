//! Several processes use one file, one after the other.

use keyfob::store::prelude::*;
use std::time::{Duration, Instant};

use keyfob::Ttl;
use keyfob::store::{InvalidationListener, Revoked, StoreError};
use keyfob_redb::{Access, RedbStore};

use crate::fixture::{self, Fixture};

/// A store that releases the file between calls.
fn shared(fixture: &Fixture) -> RedbStore {
    let options = fixture.options().shared(true).wait_for_lock(Duration::from_secs(20));
    options.open(fixture.path()).unwrap()
}

#[tokio::test]
async fn a_store_that_stays_lets_others_revoke() {
    let fixture = Fixture::new();
    let watching = shared(&fixture);
    let record = fixture.record(&watching, "user");
    let id = record.id;
    fixture.insert(&watching, vec![record]).await;
    let patient = fixture.options().wait_for_lock(Duration::from_secs(20));
    let other = patient.open(fixture.path()).expect("the file is free in between");
    let revoked = other.revoke(fixture.operation(), fixture.revocation(id)).await.unwrap();
    assert_eq!(revoked, Revoked::Now);
    drop(other);
    let loaded = watching.load(id).await.unwrap().unwrap();
    assert!(!loaded.verdict.is_clear(), "the store reads the writes of the other process");
    assert_eq!(fixture::events(&watching).await.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_store_without_a_pause_lets_others_revoke_too() {
    let fixture = Fixture::new();
    let busy = shared(&fixture);
    let records: Vec<_> = (0..5).map(|_| fixture.record(&busy, "user")).collect();
    let ids: Vec<_> = records.iter().map(|record| record.id).collect();
    fixture.insert(&busy, records).await;
    let is_over = std::sync::atomic::AtomicBool::new(false);
    let working = async {
        while !is_over.load(std::sync::atomic::Ordering::Relaxed) {
            let record = fixture.record(&busy, "user");
            fixture.insert(&busy, vec![record]).await;
            tokio::task::yield_now().await;
        }
    };
    let revoking = async {
        for id in ids {
            let options = fixture.options().shared(true).wait_for_lock(Duration::from_secs(20));
            let path = fixture.path();
            let opened = tokio::task::spawn_blocking(move || options.open(path));
            let other = opened.await.unwrap().expect("the file is free in between");
            other.revoke(fixture.operation(), fixture.revocation(id)).await.unwrap();
        }
        is_over.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    tokio::join!(working, revoking);
    fixture::assert_consistent(&busy).await;
}

#[tokio::test]
async fn a_shared_store_is_never_trusted_by_a_cache() {
    let fixture = Fixture::new();
    let store = shared(&fixture);
    let listener = InvalidationListener::new(store.namespace().lanes(), Ttl::from_secs(1));
    store.watch(&listener);
    let lane = fixture.record(&store, "user").id.lane();
    assert!(!listener.is_trusted(lane), "another process may revoke at any time");
}

#[tokio::test]
async fn several_readers_share_a_file_and_a_writer_waits_for_them() {
    let fixture = Fixture::new();
    drop(fixture.store());
    let reading = || fixture.options().access(Access::Read).open(fixture.path());
    let (one, two) = (reading().unwrap(), reading().unwrap());
    let refused = fixture.options().open(fixture.path());
    assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
    drop((one, two));
    fixture.store();
}

#[tokio::test]
async fn a_shared_store_does_not_wait_for_one_that_keeps_the_file() {
    let fixture = Fixture::new();
    let shared = || {
        // The test would not end if it waited for that long.
        let options = fixture.options().shared(true).wait_for_lock(Duration::from_secs(3_600));
        options.open(fixture.path())
    };
    let keeper = fixture.store();
    for _ in 0..2 {
        let refused = shared();
        assert!(matches!(refused, Err(StoreError::InUse { .. })), "{refused:?}");
    }
    drop(keeper);
    // Without the keeper, shared stores wait for each other.
    let (one, two) = (
        shared().unwrap(),
        tokio::task::spawn_blocking({
            let options = fixture.options().shared(true).wait_for_lock(Duration::from_secs(3_600));
            let path = fixture.path();
            move || options.open(path)
        }),
    );
    two.await.unwrap().unwrap();
    drop(one);
    // A store that keeps the file waits for another one: a service is started again.
    let keeper = fixture.store();
    let options = fixture.options().wait_for_lock(Duration::from_secs(20));
    let path = fixture.path();
    let next = tokio::task::spawn_blocking(move || options.open(path));
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(!next.is_finished());
    drop(keeper);
    next.await.unwrap().unwrap();
}

#[tokio::test]
async fn another_store_in_the_place_of_a_shared_one_is_refused() {
    let fixture = Fixture::new();
    let watching = shared(&fixture);
    let id = fixture.record(&watching, "user").id;
    let other = Fixture::new();
    drop(other.store());
    std::fs::rename(other.path(), fixture.path()).unwrap();
    let start = Instant::now();
    loop {
        match watching.load(id).await {
            Ok(None) if start.elapsed() < Duration::from_secs(20) => {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            Err(StoreError::NotAStore { detail, .. }) => {
                break assert!(detail.contains("another store"), "{detail}");
            }
            other => panic!("{other:?}"),
        }
    }
}
