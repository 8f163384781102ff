//! Insert: all records or none, once per operation, with unused ids.

use keyfob::Ttl;
use keyfob::store::{Insert, Inserted, NewRecord, Order, RecordVersion, StoreError, Verdict};

use super::fixture::{Fixture, same_local_bytes, texts};

/// A new record gets the current stamp and is clear.
pub(super) async fn a_new_record_gets_the_current_stamp(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    let present = fixture.stamp(id.lane()).await;
    let stamp = fixture.insert(record).await;
    assert_eq!(stamp, present, "the insert returns the current stamp of the lane");
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.stamp, stamp, "the record has the stamp that the insert returned");
    assert_eq!(loaded.version, RecordVersion(1), "the first version");
    assert_eq!(loaded.verdict, Verdict::Clear, "a new record is valid");
}

/// Another record with the id: nothing of the second insert is stored.
pub(super) async fn a_taken_id_stores_nothing(fixture: Fixture) {
    let tag = fixture.tag("second");
    let first = fixture.record(fixture.lane(0));
    fixture.insert(first.clone()).await;
    let second = NewRecord { body: b"second".to_vec(), terms: vec![tag], ..first.clone() };
    let insert = Insert { records: vec![second], events: texts(&["second"]) };
    let inserted =
        fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
    assert_eq!(inserted, Inserted::IdTaken, "another record has the id");
    assert_eq!(fixture.loaded(first.id).await.body, first.body, "the first record stays");
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "no index entry of a refused record");
    assert_eq!(fixture.events().await, texts(&[]), "no event of a refused record");
}

/// The leading bytes of an id are unique within a lane.
pub(super) async fn an_id_is_taken_by_its_local_bytes(fixture: Fixture) {
    let first = fixture.record(fixture.lane(1));
    fixture.insert(first.clone()).await;
    let second = NewRecord { id: same_local_bytes(first.id), ..first.clone() };
    let twin = second.id;
    let inserted = fixture.try_insert(vec![second]).await.expect("the store answers");
    assert_eq!(inserted, Inserted::IdTaken, "the leading bytes of the id are taken");
    assert!(fixture.load(twin).await.is_none(), "the second id is unknown");
    assert_eq!(fixture.loaded(first.id).await.body, first.body, "the first record stays");
}

/// The leading bytes are unique within one lane only.
pub(super) async fn local_bytes_may_repeat_in_another_lane(fixture: Fixture) {
    let (one, other) = (fixture.lane(0), fixture.lane(1));
    let first = fixture.record(one);
    let mut bytes = *first.id.as_bytes();
    bytes[10..12].copy_from_slice(&(other.number() << 6).to_be_bytes());
    let id = keyfob::TokenId::from_bytes(bytes);
    assert_eq!(id.lane(), other, "the id was made for the other lane");
    fixture.insert(first.clone()).await;
    if one != other {
        fixture.insert(NewRecord { id, body: b"other".to_vec(), ..first.clone() }).await;
        assert_eq!(fixture.loaded(id).await.body, b"other", "each lane has its own record");
    }
    assert_eq!(fixture.loaded(first.id).await.body, first.body, "each lane has its own record");
}

/// Several records of a lane are stored together.
pub(super) async fn several_records_are_stored_together(fixture: Fixture) {
    let tag = fixture.tag("batch");
    let record = || NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(2)) };
    let records: Vec<_> = (0..5).map(|_| record()).collect();
    let mut ids: Vec<_> = records.iter().map(|record| record.id).collect();
    let insert = Insert { records, events: texts(&["one", "two"]) };
    let inserted =
        fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
    assert!(matches!(inserted, Inserted::Stored(_)), "five new records, not {inserted:?}");
    for id in &ids {
        fixture.assert_clear(*id, "each record of the batch is stored").await;
    }
    ids.sort_by(|one, other| other.cmp(one));
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 2)).await;
    assert_eq!(listed, ids, "each record of the batch is listed");
    assert_eq!(fixture.events().await, texts(&["one", "two"]), "the events, in order");
}

/// If one record cannot be stored, none of the insert is stored.
pub(super) async fn an_insert_stores_all_records_or_none(fixture: Fixture) {
    let tag = fixture.tag("batch");
    let lane = fixture.lane(2);
    let record = || NewRecord { terms: vec![tag], ..fixture.record(lane) };
    let taken = fixture.record(lane);
    fixture.insert(taken.clone()).await;
    for place in 0..3 {
        let mut records: Vec<_> = (0..3).map(|_| record()).collect();
        records[place].id = taken.id;
        let ids: Vec<_> = records.iter().map(|record| record.id).collect();
        let insert = Insert { records, events: texts(&["batch"]) };
        let inserted =
            fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
        assert_eq!(inserted, Inserted::IdTaken, "the id at place {place} is taken");
        for id in ids.into_iter().filter(|id| *id != taken.id) {
            assert!(fixture.load(id).await.is_none(), "{id} was in an insert with a taken id");
        }
    }
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "nothing is listed");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
    assert_eq!(fixture.loaded(taken.id).await.body, taken.body, "the first record stays");
}

/// The same operation gets the same answer and has one effect.
pub(super) async fn the_same_operation_gets_the_same_answer(fixture: Fixture) {
    let tag = fixture.tag("once");
    let lane = fixture.lane(0);
    let operation = fixture.operation();
    let record = NewRecord { terms: vec![tag], ..fixture.record(lane) };
    let id = record.id;
    let insert = Insert { records: vec![record], events: texts(&["issued"]) };
    let first = fixture.store().insert(operation, insert.clone()).await.expect("the store answers");
    let field = fixture.subject_epoch("other");
    fixture.advance(keyfob::store::EpochScope::Lane(lane, field)).await;
    let again = fixture.store().insert(operation, insert).await.expect("the store answers");
    assert_eq!(again, first, "the answer and its stamp do not change after the lane advanced");
    assert_eq!(fixture.events().await, texts(&["issued"]), "the event was written once");
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [id], "the record is listed once");
}

/// The same operation, sent again after the record changed.
pub(super) async fn a_late_repetition_changes_nothing(fixture: Fixture) {
    let operation = fixture.operation();
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    let insert = Insert { records: vec![record], events: texts(&["issued"]) };
    let first = fixture.store().insert(operation, insert.clone()).await.expect("the store answers");
    let replace = fixture.replacement(id, RecordVersion(1), b"later");
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    let again = fixture.store().insert(operation, insert.clone()).await.expect("the store answers");
    assert_eq!(again, first, "the same answer after a replacement");
    fixture.revoke(id).await;
    let again = fixture.store().insert(operation, insert).await.expect("the store answers");
    assert_eq!(again, first, "the same answer after a revocation");
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.body, b"later", "the replacement stays");
    assert!(!loaded.is_clear(), "the revocation stays");
    assert_eq!(fixture.events().await, texts(&["issued"]), "the event was written once");
}

/// A record that has already expired is not stored.
pub(super) async fn an_expired_record_is_not_stored(fixture: Fixture) {
    let tag = fixture.tag("past");
    let past = fixture.now().saturating_sub(Ttl::from_secs(1));
    let record =
        NewRecord { keep_until: past, terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    let inserted = fixture.try_insert(vec![record]).await.expect("the store answers");
    assert!(
        matches!(inserted, Inserted::Stored(_)),
        "an expired record is not an error: {inserted:?}"
    );
    assert!(fixture.load(id).await.is_none(), "an expired record is not stored");
    let listed = fixture.list_ids(fixture.query(tag, Order::NextToExpire, 10)).await;
    assert_eq!(listed, [], "an expired record is not listed");
}

/// A body above the maximum size is refused. Nothing is stored.
pub(super) async fn a_body_that_is_too_large_is_refused(fixture: Fixture) {
    let small = fixture.record(fixture.lane(0));
    let body = vec![7; NewRecord::MAX_BODY + 1];
    let large = NewRecord { body, ..fixture.record(fixture.lane(0)) };
    let ids = [small.id, large.id];
    let insert = Insert { records: vec![small, large], events: texts(&["issued"]) };
    let refused = fixture.store().insert(fixture.operation(), insert).await;
    match refused {
        Err(StoreError::TooLarge { max, .. }) => {
            assert_eq!(max, NewRecord::MAX_BODY, "the error names the limit");
        }
        other => panic!("a body above the limit must be refused, not {other:?}"),
    }
    for id in ids {
        assert!(
            fixture.load(id).await.is_none(),
            "no record is stored together with a too large one"
        );
    }
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// When a record has expired, its id is free. The next record with this id has nothing of the old
/// one.
pub(super) async fn an_id_is_free_after_its_record_expired(fixture: Fixture) {
    let (old, new) = (fixture.tag("old"), fixture.tag("new"));
    let keep_until = fixture.now() + fixture.brief();
    let first = NewRecord {
        keep_until,
        terms: vec![old],
        uses_left: Some(3),
        ..fixture.record(fixture.lane(0))
    };
    let id = first.id;
    fixture.insert(first.clone()).await;
    let used = keyfob::store::LastUse::new(id, fixture.now());
    fixture.store().touch(&[used]).await.expect("the store answers");
    fixture.revoke(id).await;
    fixture.wait_until(keep_until).await;
    let keep_until = fixture.now() + Ttl::from_hours(1);
    let second = NewRecord { keep_until, terms: vec![new], uses_left: None, ..first };
    fixture.insert(NewRecord { body: b"second".to_vec(), ..second }).await;
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.verdict, Verdict::Clear, "the tombstone was the first record's");
    assert_eq!(loaded.last_used, None, "the last use was the first record's");
    assert_eq!(loaded.uses_left, None, "the uses were the first record's");
    assert_eq!(
        (loaded.version, &loaded.body[..]),
        (RecordVersion(1), &b"second"[..]),
        "version and body are those of the new record"
    );
    assert_eq!(loaded.keep_until, keep_until, "the end of retention is that of the new record");
    let listed = fixture.list_ids(fixture.query(new, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [id], "the record is listed under its own term");
}

/// Of concurrent inserts with one id, exactly one succeeds.
pub(super) async fn one_of_many_concurrent_inserts_gets_the_id(fixture: Fixture) {
    for round in 0..8 {
        let record = fixture.record(fixture.lane(round));
        let racers = (0..8u8).map(|racer| {
            let (fixture, record) = (fixture.clone(), record.clone());
            tokio::spawn(async move {
                let inserted = fixture.try_insert(vec![NewRecord { body: vec![racer], ..record }]);
                (racer, inserted.await.expect("the store answers"))
            })
        });
        let mut winners = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.expect("the task did not panic") {
                (racer, Inserted::Stored(_)) => winners.push(racer),
                (_, other) => {
                    assert_eq!(other, Inserted::IdTaken, "the other inserts find the id taken");
                }
            }
        }
        assert_eq!(winners.len(), 1, "exactly one insert succeeds, not {winners:?}");
        assert_eq!(
            fixture.loaded(record.id).await.body,
            winners,
            "the stored record is that of the winner"
        );
    }
}

/// An operation that is sent many times concurrently has one effect.
pub(super) async fn an_operation_sent_concurrently_takes_effect_once(fixture: Fixture) {
    let operation = fixture.operation();
    let insert =
        Insert { records: vec![fixture.record(fixture.lane(0))], events: texts(&["issued"]) };
    let senders = (0..8).map(|_| {
        let (fixture, insert) = (fixture.clone(), insert.clone());
        tokio::spawn(async move { fixture.store().insert(operation, insert).await })
    });
    let mut answers = Vec::new();
    for sender in senders.collect::<Vec<_>>() {
        answers.push(sender.await.expect("the task did not panic").expect("the store answers"));
    }
    assert!(matches!(answers[0], Inserted::Stored(_)), "the record is stored: {answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer: {answers:?}");
    assert_eq!(fixture.events().await, texts(&["issued"]), "the event was written once");
}
