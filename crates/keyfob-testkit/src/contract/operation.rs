//! Operations: after its deadline a write does nothing, and an answer is not forgotten before.

use keyfob::store::{
    Advance, Consume, Consumed, EpochScope, Insert, Inserted, NewRecord, Operation, OperationId,
    Order, RecordVersion, Replace, Replaced, Revoke, Revoked, StoreError,
};
use keyfob::{TokenId, Ttl};

use super::scene::{Scene, texts};

/// An operation whose time is over.
fn late(scene: &Scene) -> Operation {
    let deadline = scene.now().saturating_sub(Ttl::from_secs(5));
    Operation { deadline, ..scene.operation() }
}

fn assert_late<T: std::fmt::Debug>(answer: Result<T, StoreError>, id: OperationId, verb: &str) {
    match answer {
        Err(StoreError::DeadlinePassed { operation }) => {
            assert_eq!(operation, id, "{verb}: the error names the operation");
        }
        other => panic!("{verb}: a late write must be refused, not {other:?}"),
    }
}

fn assert_same_or_late<T: std::fmt::Debug>(
    answer: Result<T, StoreError>,
    same: impl FnOnce(&T) -> bool,
) {
    let fine = match &answer {
        Ok(answer) => same(answer),
        Err(error) => matches!(error, StoreError::DeadlinePassed { .. }),
    };
    assert!(fine, "the same answer or a late one, not {answer:?}");
}

async fn stored(scene: &Scene) -> TokenId {
    let record = NewRecord { uses_left: Some(2), ..scene.record(scene.lane(0)) };
    let id = record.id;
    scene.insert(record).await;
    id
}

/// A late insert stores nothing.
pub async fn a_late_insert_does_nothing(scene: Scene) {
    let tag = scene.tag("late");
    let record = NewRecord { terms: vec![tag], ..scene.record(scene.lane(0)) };
    let (id, operation) = (record.id, late(&scene));
    let insert = Insert { records: vec![record], events: texts(&["late"]) };
    assert_late(scene.store().insert(operation, insert).await, operation.id, "insert");
    assert!(scene.load(id).await.is_none(), "nothing was stored");
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "nothing is listed");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// A late replacement changes nothing.
pub async fn a_late_replacement_does_nothing(scene: Scene) {
    let id = stored(&scene).await;
    let (minted, operation) = (scene.record(id.lane()), late(&scene));
    let mint = minted.id;
    let replace = Replace {
        minted: vec![minted],
        events: texts(&["late"]),
        ..scene.replacement(id, RecordVersion(1), b"late")
    };
    assert_late(scene.store().replace(operation, replace).await, operation.id, "replace");
    assert_eq!(scene.loaded(id).await.version, RecordVersion(1), "nothing was replaced");
    assert!(scene.load(mint).await.is_none(), "nothing was minted");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// A late spend takes nothing.
pub async fn a_late_spend_does_nothing(scene: Scene) {
    let id = stored(&scene).await;
    let operation = late(&scene);
    assert_late(scene.store().consume(operation, Consume { id }).await, operation.id, "spend");
    assert_eq!(scene.loaded(id).await.uses_left, Some(2), "no use was taken");
}

/// A late revocation revokes nothing.
pub async fn a_late_revocation_does_nothing(scene: Scene) {
    let id = stored(&scene).await;
    let (operation, stamp) = (late(&scene), scene.stamp(id.lane()).await);
    let cascade = Some(scene.ancestor_epoch(id));
    let revoke = Revoke { cascade, events: texts(&["late"]), ..scene.revocation(id) };
    assert_late(scene.store().revoke(operation, revoke).await, operation.id, "revoke");
    scene.assert_clear(id, "nothing was revoked").await;
    assert_eq!(scene.stamp(id.lane()).await, stamp, "no epoch moved");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// A late advance moves no epoch, in no lane.
pub async fn a_late_advance_does_nothing(scene: Scene) {
    let id = stored(&scene).await;
    let (lane, field) = (id.lane(), scene.client_epoch("client"));
    let stamp = scene.stamp(lane).await;
    for scope in [EpochScope::Lane(lane, field), EpochScope::EveryLane(field), EpochScope::All] {
        let operation = late(&scene);
        let advance = Advance { events: texts(&["late"]), ..Advance::new(scope, scene.now()) };
        assert_late(scene.store().advance(operation, advance).await, operation.id, "advance");
    }
    scene.assert_clear(id, "nothing was revoked").await;
    assert_eq!(scene.stamp(lane).await, stamp, "no epoch moved");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// What is sent again after its deadline has no second effect.
pub async fn a_repetition_after_the_deadline_does_nothing(scene: Scene) {
    let lane = scene.lane(0);
    let deadline = scene.now() + scene.brief();
    let operation = || Operation { deadline, ..scene.operation() };
    let id = stored(&scene).await;
    let record = scene.record(lane);
    let (consume, replace, advance, insert) = (operation(), operation(), operation(), operation());
    let new = Insert { records: vec![record.clone()], events: texts(&["new"]) };
    let change = scene.replacement(id, RecordVersion(1), b"two");
    let scope = EpochScope::Lane(lane, scene.subject_epoch("user"));
    let advancing = Advance::new(scope, scene.now());
    let store = scene.store();
    // Under real time a first sending may itself come too late; then it must say so.
    let first = store.consume(consume, Consume { id }).await;
    let spent = matches!(first, Ok(Consumed::Left(1)));
    assert!(spent || scene.now() >= deadline, "the first sending is in time: {first:?}");
    let replaced = store.replace(replace, change.clone()).await.is_ok();
    let advanced = store.advance(advance, advancing.clone()).await.is_ok();
    let inserted = store.insert(insert, new.clone()).await.is_ok();
    let stamp = scene.stamp(lane).await;
    let before = scene.loaded(id).await;
    scene.wait_until(deadline + Ttl::from_secs(1)).await;
    let again = store.consume(consume, Consume { id }).await;
    assert_same_or_late(again, |again| spent && *again == Consumed::Left(1));
    let again = store.replace(replace, change).await;
    assert_same_or_late(again, |again| replaced && *again == Replaced::Stored(RecordVersion(2)));
    let again = store.advance(advance, advancing).await;
    assert_same_or_late(again, |again| advanced && again.lanes == 1);
    let again = store.insert(insert, new).await;
    assert_same_or_late(again, |again| inserted && matches!(again, Inserted::Stored(_)));
    let after = scene.loaded(id).await;
    assert_eq!(after.uses_left, before.uses_left, "no second use was taken");
    assert_eq!(after.version, before.version, "it was not replaced again");
    assert_eq!(scene.stamp(lane).await, stamp, "no epoch moved again");
    let happened = if inserted { texts(&["new"]) } else { texts(&[]) };
    assert_eq!(scene.events().await, happened, "no event came again");
}

/// A cascade on what is revoked already is one write too: sent again, it covers nothing new.
pub async fn a_repeated_cascade_covers_once(scene: Scene) {
    let id = stored(&scene).await;
    scene.revoke(id).await;
    let operation = scene.operation();
    let revoke = Revoke { cascade: Some(scene.ancestor_epoch(id)), ..scene.revocation(id) };
    let first = scene.store().revoke(operation, revoke.clone()).await.expect("an answer");
    let Revoked::Before(first) = first else { panic!("it was revoked before, not {first:?}") };
    let stamp = scene.stamp(id.lane()).await;
    let again = scene.store().revoke(operation, revoke).await.expect("an answer");
    let Revoked::Before(again) = again else { panic!("the same answer, not {again:?}") };
    assert_eq!(again, first, "the same answer");
    assert_eq!(scene.stamp(id.lane()).await, stamp, "the epoch moved once");
}

/// Many operations in flight are told apart.
pub async fn operations_are_told_apart(scene: Scene) {
    let record = NewRecord { uses_left: Some(100), ..scene.record(scene.lane(0)) };
    let id = record.id;
    scene.insert(record).await;
    let operations: Vec<_> = (0..40).map(|_| scene.operation()).collect();
    let mut answers = Vec::new();
    for operation in &operations {
        answers.push(scene.store().consume(*operation, Consume { id }).await.expect("an answer"));
    }
    for (operation, answer) in operations.iter().zip(answers) {
        let again = scene.store().consume(*operation, Consume { id }).await.expect("an answer");
        assert_eq!(again, answer, "each operation has its own answer");
    }
    assert_eq!(scene.loaded(id).await.uses_left, Some(60), "each took one use");
}
