//! Operations: after its deadline a write does nothing. Its answer is kept until then.

use keyfob::store::{
    Advance, Consume, Consumed, EpochScope, Insert, Inserted, NewRecord, Operation, OperationId,
    Order, RecordVersion, Replace, Replaced, Revoke, Revoked, StoreError,
};
use keyfob::{TokenId, Ttl};

use super::fixture::{Fixture, texts};

/// Returns an operation whose deadline has passed.
fn late(fixture: &Fixture) -> Operation {
    let deadline = fixture.now().saturating_sub(Ttl::from_secs(5));
    Operation { deadline, ..fixture.operation() }
}

fn assert_late<T: std::fmt::Debug>(answer: Result<T, StoreError>, id: OperationId, method: &str) {
    match answer {
        Err(StoreError::DeadlinePassed { operation }) => {
            assert_eq!(operation, id, "{method}: the error names the operation");
        }
        other => panic!("{method}: a late write must be refused, not {other:?}"),
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

async fn stored(fixture: &Fixture) -> TokenId {
    let record = NewRecord { uses_left: Some(2), ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    id
}

/// A late insert stores nothing.
pub(super) async fn a_late_insert_does_nothing(fixture: Fixture) {
    let tag = fixture.tag("late");
    let record = NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let (id, operation) = (record.id, late(&fixture));
    let insert = Insert { records: vec![record], events: texts(&["late"]) };
    assert_late(fixture.store().insert(operation, insert).await, operation.id, "insert");
    assert!(fixture.load(id).await.is_none(), "nothing was stored");
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "nothing is listed");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A late replacement changes nothing.
pub(super) async fn a_late_replacement_does_nothing(fixture: Fixture) {
    let id = stored(&fixture).await;
    let (minted, operation) = (fixture.record(id.lane()), late(&fixture));
    let mint = minted.id;
    let replace = Replace {
        minted: vec![minted],
        events: texts(&["late"]),
        ..fixture.replacement(id, RecordVersion(1), b"late")
    };
    assert_late(fixture.store().replace(operation, replace).await, operation.id, "replace");
    assert_eq!(fixture.loaded(id).await.version, RecordVersion(1), "nothing was replaced");
    assert!(fixture.load(mint).await.is_none(), "nothing was minted");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A late consume takes no use.
pub(super) async fn a_late_consume_does_nothing(fixture: Fixture) {
    let id = stored(&fixture).await;
    let operation = late(&fixture);
    assert_late(fixture.store().consume(operation, Consume { id }).await, operation.id, "consume");
    assert_eq!(fixture.loaded(id).await.uses_left, Some(2), "no use was taken");
}

/// A late revocation revokes nothing.
pub(super) async fn a_late_revocation_does_nothing(fixture: Fixture) {
    let id = stored(&fixture).await;
    let (operation, stamp) = (late(&fixture), fixture.stamp(id.lane()).await);
    let cascade = Some(fixture.ancestor_epoch(id));
    let revoke = Revoke { cascade, events: texts(&["late"]), ..fixture.revocation(id) };
    assert_late(fixture.store().revoke(operation, revoke).await, operation.id, "revoke");
    fixture.assert_clear(id, "nothing was revoked").await;
    assert_eq!(fixture.stamp(id.lane()).await, stamp, "no epoch was advanced");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A late advance changes no epoch in any lane.
pub(super) async fn a_late_advance_does_nothing(fixture: Fixture) {
    let id = stored(&fixture).await;
    let (lane, field) = (id.lane(), fixture.client_epoch("client"));
    let stamp = fixture.stamp(lane).await;
    for scope in [EpochScope::Lane(lane, field), EpochScope::EveryLane(field), EpochScope::All] {
        let operation = late(&fixture);
        let advance = Advance { events: texts(&["late"]), ..Advance::new(scope, fixture.now()) };
        assert_late(fixture.store().advance(operation, advance).await, operation.id, "advance");
    }
    fixture.assert_clear(id, "nothing was revoked").await;
    assert_eq!(fixture.stamp(lane).await, stamp, "no epoch was advanced");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A repeated operation after the deadline has no second effect.
pub(super) async fn a_repetition_after_the_deadline_does_nothing(fixture: Fixture) {
    let lane = fixture.lane(0);
    let deadline = fixture.now() + fixture.brief();
    let operation = || Operation { deadline, ..fixture.operation() };
    let id = stored(&fixture).await;
    let record = fixture.record(lane);
    let (consume, replace, advance, insert) = (operation(), operation(), operation(), operation());
    let new = Insert { records: vec![record.clone()], events: texts(&["new"]) };
    let change = fixture.replacement(id, RecordVersion(1), b"two");
    let scope = EpochScope::Lane(lane, fixture.subject_epoch("user"));
    let advancing = Advance::new(scope, fixture.now());
    let store = fixture.store();
    // With a real clock, the first call may be too late; then it must return an error.
    let first = store.consume(consume, Consume { id }).await;
    let spent = matches!(first, Ok(Consumed::Left(1)));
    assert!(spent || fixture.now() >= deadline, "the first call is in time: {first:?}");
    let replaced = store.replace(replace, change.clone()).await.is_ok();
    let advanced = store.advance(advance, advancing.clone()).await.is_ok();
    let inserted = store.insert(insert, new.clone()).await.is_ok();
    let stamp = fixture.stamp(lane).await;
    let before = fixture.loaded(id).await;
    fixture.wait_until(deadline + Ttl::from_secs(1)).await;
    let again = store.consume(consume, Consume { id }).await;
    assert_same_or_late(again, |again| spent && *again == Consumed::Left(1));
    let again = store.replace(replace, change).await;
    assert_same_or_late(again, |again| replaced && *again == Replaced::Stored(RecordVersion(2)));
    let again = store.advance(advance, advancing).await;
    assert_same_or_late(again, |again| advanced && again.lanes == 1);
    let again = store.insert(insert, new).await;
    assert_same_or_late(again, |again| inserted && matches!(again, Inserted::Stored(_)));
    let after = fixture.loaded(id).await;
    assert_eq!(after.uses_left, before.uses_left, "no second use was taken");
    assert_eq!(after.version, before.version, "the record was not replaced again");
    assert_eq!(fixture.stamp(lane).await, stamp, "no epoch was advanced again");
    let happened = if inserted { texts(&["new"]) } else { texts(&[]) };
    assert_eq!(fixture.events().await, happened, "no event was written twice");
}

/// A cascade on a revoked token is also one write: a repetition covers nothing new.
pub(super) async fn a_repeated_cascade_covers_once(fixture: Fixture) {
    let id = stored(&fixture).await;
    fixture.revoke(id).await;
    let operation = fixture.operation();
    let revoke = Revoke { cascade: Some(fixture.ancestor_epoch(id)), ..fixture.revocation(id) };
    let first = fixture.store().revoke(operation, revoke.clone()).await.expect("the store answers");
    let Revoked::Before(first) = first else { panic!("it was revoked before, not {first:?}") };
    let stamp = fixture.stamp(id.lane()).await;
    let again = fixture.store().revoke(operation, revoke).await.expect("the store answers");
    let Revoked::Before(again) = again else { panic!("the same answer, not {again:?}") };
    assert_eq!(again, first, "the same answer");
    assert_eq!(fixture.stamp(id.lane()).await, stamp, "the epoch was advanced once");
}

/// Concurrent operations do not share answers.
pub(super) async fn operations_are_independent(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(100), ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    let operations: Vec<_> = (0..40).map(|_| fixture.operation()).collect();
    let mut answers = Vec::new();
    for operation in &operations {
        answers.push(
            fixture.store().consume(*operation, Consume { id }).await.expect("the store answers"),
        );
    }
    for (operation, answer) in operations.iter().zip(answers) {
        let again =
            fixture.store().consume(*operation, Consume { id }).await.expect("the store answers");
        assert_eq!(again, answer, "each operation has its own answer");
    }
    assert_eq!(fixture.loaded(id).await.uses_left, Some(60), "each operation took one use");
}
