//! The store as a whole: its report, and its guarantees under concurrent load.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use keyfob::store::{
    Advance, Consume, EpochField, EpochScope, Epochs, LastUse, NewRecord, Replace, Replaced,
    Revoke, StampRule,
};
use keyfob::{TokenId, Ttl};

use super::fixture::Fixture;

/// A report names the store and its time.
pub(super) async fn a_report_names_the_store(fixture: Fixture) {
    let report = fixture.store().report().await.expect("the store answers");
    assert!(!report.description.is_empty(), "the report describes the store");
    let minute = Ttl::from_mins(1);
    let now = fixture.now();
    let near = report.now < now + minute && now < report.now + minute;
    assert!(near, "the store's time {:?} is near {now:?}", report.now);
    let sorted = report.findings.is_sorted_by_key(|finding| finding.severity);
    assert!(sorted, "the most severe finding comes first");
}

/// The namespace of a store never changes.
pub(super) async fn a_namespace_does_not_change(fixture: Fixture) {
    let namespace = fixture.store().namespace().clone();
    fixture.insert(fixture.record(fixture.lane(0))).await;
    fixture.advance(EpochScope::All).await;
    let now = fixture.store().namespace();
    assert_eq!(now.lanes(), namespace.lanes(), "the number of lanes is fixed");
    assert!(now.key() == namespace.key(), "the key is fixed");
}

/// Closing loses no data and can be repeated.
pub(super) async fn closing_is_harmless(fixture: Fixture) {
    fixture.insert(fixture.record(fixture.lane(0))).await;
    fixture.store().close().await;
    fixture.store().close().await;
}

/// One token that all workers use, and whether its revocation was acknowledged.
struct Target {
    id: TokenId,
    field: EpochField,
    ended: AtomicBool,
}

const TARGETS: u16 = 12;

async fn targets(fixture: &Fixture) -> Arc<Vec<Target>> {
    let mut targets = Vec::new();
    for n in 0..TARGETS {
        let lane = fixture.lane(n % 3);
        let field = fixture.subject_epoch(&format!("user {n}"));
        let epochs = Epochs { subject: Some(field), ..Epochs::default() };
        let record = NewRecord { epochs, uses_left: Some(100_000), ..fixture.record(lane) };
        targets.push(Target { id: record.id, field, ended: AtomicBool::new(false) });
        fixture.insert(record).await;
    }
    Arc::new(targets)
}

/// Loads a token. If its revocation was acknowledged before the load, it must not be clear.
async fn look(fixture: &Fixture, target: &Target) {
    let ended = target.ended.load(Ordering::SeqCst);
    let loaded = fixture.loaded(target.id).await;
    assert!(!(ended && loaded.is_clear()), "{} is clear after its revocation", target.id);
}

/// Sends every kind of write to all tokens until all are revoked.
async fn work(fixture: Fixture, targets: Arc<Vec<Target>>, worker: usize) -> usize {
    let mut done = 0;
    while targets.iter().any(|target| !target.ended.load(Ordering::SeqCst)) {
        for (n, target) in targets.iter().enumerate() {
            let id = target.id;
            match (n + worker + done) % 4 {
                0 => {
                    let read = fixture.loaded(id).await;
                    let child = NewRecord {
                        epochs: Epochs { subject: Some(target.field), ..Epochs::default() },
                        stamp: StampRule::Seen(read.stamp),
                        ..fixture.record(id.lane())
                    };
                    let child_id = child.id;
                    let replace = Replace {
                        minted: vec![child],
                        ..fixture.replacement(id, read.version, b"worked on")
                    };
                    let ended = target.ended.load(Ordering::SeqCst);
                    let replaced = fixture.store().replace(fixture.operation(), replace).await;
                    let replaced = replaced.expect("the store answers");
                    let stored = matches!(replaced, Replaced::Stored(_));
                    assert!(!(ended && stored), "{id} was replaced after its revocation");
                    let minted = fixture.load(child_id).await.is_some();
                    assert_eq!(minted, stored, "{id}: minted if and only if replaced");
                }
                1 => {
                    let at = fixture.now();
                    fixture
                        .store()
                        .touch(&[LastUse::new(id, at)])
                        .await
                        .expect("the store answers");
                }
                2 => {
                    let ended = target.ended.load(Ordering::SeqCst);
                    let spent = fixture.store().consume(fixture.operation(), Consume { id }).await;
                    let taken = matches!(spent, Ok(keyfob::store::Consumed::Left(_)));
                    assert!(!(ended && taken), "{id} was consumed after its revocation");
                }
                _ => {}
            }
            look(&fixture, target).await;
            tokio::task::yield_now().await;
        }
        done += 1;
    }
    done
}

/// After a revocation or an advance is acknowledged, no load returns clear and no write succeeds.
pub(super) async fn no_revoked_record_becomes_active_again(fixture: Fixture) {
    let targets = targets(&fixture).await;
    let workers: Vec<_> =
        (0..4).map(|n| tokio::spawn(work(fixture.clone(), Arc::clone(&targets), n))).collect();
    for (n, target) in targets.iter().enumerate() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        let (id, operation) = (target.id, fixture.operation());
        if n % 2 == 0 {
            let revoke: Revoke = fixture.revocation(id);
            fixture.store().revoke(operation, revoke).await.expect("the store answers");
        } else {
            let scope = EpochScope::Lane(id.lane(), target.field);
            let advance = Advance::new(scope, fixture.now());
            fixture.store().advance(operation, advance).await.expect("the store answers");
        }
        target.ended.store(true, Ordering::SeqCst);
        look(&fixture, target).await;
    }
    let mut done = 0;
    for worker in workers {
        done += worker.await.expect("the task did not panic");
    }
    assert!(done > 0, "the workers wrote in the meantime");
    for target in targets.iter() {
        look(&fixture, target).await;
    }
}
