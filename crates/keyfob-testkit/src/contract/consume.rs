//! Consume: each use is taken by exactly one caller.

use keyfob::TokenId;
use keyfob::store::{Consume, Consumed, EpochScope, Epochs, NewRecord, RecordVersion, Replaced};

use super::fixture::Fixture;

async fn consume(fixture: &Fixture, id: TokenId) -> Consumed {
    fixture.store().consume(fixture.operation(), Consume { id }).await.expect("consume succeeds")
}

/// Uses count down to zero. The rest of the record does not change.
pub(super) async fn uses_count_down(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(2), ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record.clone()).await;
    assert_eq!(consume(&fixture, id).await, Consumed::Left(1), "the first use");
    assert_eq!(fixture.loaded(id).await.uses_left, Some(1), "a load shows the remaining uses");
    assert_eq!(consume(&fixture, id).await, Consumed::Left(0), "the last use");
    for _ in 0..2 {
        assert_eq!(consume(&fixture, id).await, Consumed::Exhausted, "no use is left");
    }
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.uses_left, Some(0), "the count stays at zero");
    assert_eq!(loaded.body, record.body, "the body is the same");
    assert_eq!(loaded.keep_until, record.keep_until, "the end of retention is the same");
    assert!(loaded.is_clear(), "exhausted is not revoked");
}

/// A replacement increases the version; a use does not.
pub(super) async fn a_use_does_not_change_the_version(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(9), ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    consume(&fixture, id).await;
    assert_eq!(
        fixture.loaded(id).await.version,
        RecordVersion(1),
        "a use does not change the version"
    );
    let replace = fixture.replacement(id, RecordVersion(1), b"new");
    let replaced =
        fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(
        replaced,
        Replaced::Stored(RecordVersion(2)),
        "the version that was read is current"
    );
    assert_eq!(fixture.loaded(id).await.uses_left, Some(8), "a replacement gives no use back");
    assert_eq!(consume(&fixture, id).await, Consumed::Left(7), "a replacement takes no use");
}

/// Exactly as many concurrent callers succeed as there are uses. Each gets a different number.
pub(super) async fn concurrent_callers_get_exactly_the_available_uses(fixture: Fixture) {
    race_for(&fixture, 20).await;
}

/// Exactly one of many concurrent callers gets the last use.
pub(super) async fn one_of_many_concurrent_callers_gets_the_last_use(fixture: Fixture) {
    for _ in 0..5 {
        race_for(&fixture, 1).await;
    }
}

async fn race_for(fixture: &Fixture, uses: u32) {
    let record = NewRecord { uses_left: Some(uses), ..fixture.record(fixture.lane(1)) };
    let id = record.id;
    fixture.insert(record).await;
    let racers = (0..8).map(|_| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            let mut answers = Vec::new();
            for _ in 0..5 {
                answers.push(consume(&fixture, id).await);
            }
            answers
        })
    });
    let mut left = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        for answer in racer.await.expect("the task did not panic") {
            match answer {
                Consumed::Left(number) => left.push(number),
                other => {
                    assert_eq!(other, Consumed::Exhausted, "the other callers find no use left");
                }
            }
        }
    }
    left.sort_unstable();
    assert_eq!(left, (0..uses).collect::<Vec<_>>(), "each use was taken by one caller");
}

/// A repeated consume takes no second use.
pub(super) async fn the_same_operation_takes_one_use(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(5), ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    let operation = fixture.operation();
    let send = || fixture.store().consume(operation, Consume { id });
    assert_eq!(send().await.expect("the store answers"), Consumed::Left(4), "a use is taken");
    assert_eq!(
        send().await.expect("the store answers"),
        Consumed::Left(4),
        "the same answer immediately"
    );
    assert_eq!(consume(&fixture, id).await, Consumed::Left(3), "another operation takes another");
    assert_eq!(
        send().await.expect("the store answers"),
        Consumed::Left(4),
        "the same answer later"
    );
    fixture.revoke(id).await;
    assert_eq!(
        send().await.expect("the store answers"),
        Consumed::Left(4),
        "the same answer after a revocation"
    );
    assert_eq!(fixture.loaded(id).await.uses_left, Some(3), "two uses were taken in all");
}

/// A consume is refused if the record is revoked, unknown or has no use limit.
pub(super) async fn a_record_without_uses_is_refused(fixture: Fixture) {
    let lane = fixture.lane(0);
    let field = fixture.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let counted =
        || NewRecord { uses_left: Some(1), epochs: epochs.clone(), ..fixture.record(lane) };
    let (revoked, covered, uncounted) = (counted(), counted(), fixture.record(lane));
    let ids = [revoked.id, covered.id, uncounted.id];
    fixture.insert_all(vec![revoked, covered, uncounted]).await;
    fixture.revoke(ids[0]).await;
    fixture.advance(EpochScope::Lane(lane, field)).await;
    assert_eq!(consume(&fixture, ids[0]).await, Consumed::Refused, "the record is revoked");
    assert_eq!(consume(&fixture, ids[1]).await, Consumed::Refused, "the subject is revoked");
    assert_eq!(consume(&fixture, ids[2]).await, Consumed::Refused, "the record has no use limit");
    assert_eq!(
        consume(&fixture, fixture.id(lane)).await,
        Consumed::Refused,
        "the record is unknown"
    );
    assert_eq!(fixture.loaded(ids[0]).await.uses_left, Some(1), "a refusal takes nothing");
    assert_eq!(fixture.loaded(ids[1]).await.uses_left, Some(1), "a refusal takes nothing");
}
