//! Insert: all or none, once per operation, under an id that is nobody else's.

use keyfob::Ttl;
use keyfob::store::{Insert, Inserted, NewRecord, Order, RecordVersion, StoreError, Verdict};

use super::scene::{Scene, same_local_bytes, texts};

/// A new record gets the present stamp and is clear.
pub async fn a_new_record_has_the_present_stamp(scene: Scene) {
    let record = scene.record(scene.lane(0));
    let id = record.id;
    let present = scene.stamp(id.lane()).await;
    let stamp = scene.insert(record).await;
    assert_eq!(stamp, present, "the stamp that the lane showed is the stamp that it gives");
    let loaded = scene.loaded(id).await;
    assert_eq!(loaded.stamp, stamp, "the record keeps the stamp that the insert answered");
    assert_eq!(loaded.version, RecordVersion(1), "the first version");
    assert_eq!(loaded.verdict, Verdict::Clear, "nothing is against a new record");
}

/// Another record with the id: nothing of the second insert is stored.
pub async fn a_taken_id_stores_nothing(scene: Scene) {
    let tag = scene.tag("second");
    let first = scene.record(scene.lane(0));
    scene.insert(first.clone()).await;
    let second = NewRecord { body: b"second".to_vec(), terms: vec![tag], ..first.clone() };
    let insert = Insert { records: vec![second], events: texts(&["second"]) };
    let inserted = scene.store().insert(scene.operation(), insert).await.expect("an answer");
    assert_eq!(inserted, Inserted::IdTaken, "the id is another record's");
    assert_eq!(scene.loaded(first.id).await.body, first.body, "the first record stays");
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "no index entry of what was not stored");
    assert_eq!(scene.events().await, texts(&[]), "no event of what was not stored");
}

/// The leading bytes of an id are what is unique within a lane.
pub async fn an_id_is_taken_by_its_local_bytes(scene: Scene) {
    let first = scene.record(scene.lane(1));
    scene.insert(first.clone()).await;
    let second = NewRecord { id: same_local_bytes(first.id), ..first.clone() };
    let twin = second.id;
    let inserted = scene.try_insert(vec![second]).await.expect("an answer");
    assert_eq!(inserted, Inserted::IdTaken, "the leading bytes of the id are taken");
    assert!(scene.load(twin).await.is_none(), "the second id is unknown");
    assert_eq!(scene.loaded(first.id).await.body, first.body, "the first record stays");
}

/// They are unique within a lane only.
pub async fn local_bytes_may_repeat_in_another_lane(scene: Scene) {
    let (one, other) = (scene.lane(0), scene.lane(1));
    let first = scene.record(one);
    let mut bytes = *first.id.as_bytes();
    bytes[10..12].copy_from_slice(&(other.number() << 6).to_be_bytes());
    let id = keyfob::TokenId::from_bytes(bytes);
    assert_eq!(id.lane(), other, "the id was made for the other lane");
    scene.insert(first.clone()).await;
    if one != other {
        scene.insert(NewRecord { id, body: b"other".to_vec(), ..first.clone() }).await;
        assert_eq!(scene.loaded(id).await.body, b"other", "each lane has its own record");
    }
    assert_eq!(scene.loaded(first.id).await.body, first.body, "each lane has its own record");
}

/// Several records of a lane are stored together.
pub async fn several_records_are_stored_together(scene: Scene) {
    let tag = scene.tag("batch");
    let record = || NewRecord { terms: vec![tag], ..scene.record(scene.lane(2)) };
    let records: Vec<_> = (0..5).map(|_| record()).collect();
    let mut ids: Vec<_> = records.iter().map(|record| record.id).collect();
    let insert = Insert { records, events: texts(&["one", "two"]) };
    let inserted = scene.store().insert(scene.operation(), insert).await.expect("an answer");
    assert!(matches!(inserted, Inserted::Stored(_)), "five new records, not {inserted:?}");
    for id in &ids {
        scene.assert_clear(*id, "each record of the batch is there").await;
    }
    ids.sort_by(|one, other| other.cmp(one));
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 2)).await;
    assert_eq!(listed, ids, "each record of the batch is listed");
    assert_eq!(scene.events().await, texts(&["one", "two"]), "the events, in order");
}

/// One record that cannot be stored keeps out those that came with it.
pub async fn all_are_stored_or_none(scene: Scene) {
    let tag = scene.tag("batch");
    let lane = scene.lane(2);
    let record = || NewRecord { terms: vec![tag], ..scene.record(lane) };
    let taken = scene.record(lane);
    scene.insert(taken.clone()).await;
    for place in 0..3 {
        let mut records: Vec<_> = (0..3).map(|_| record()).collect();
        records[place].id = taken.id;
        let ids: Vec<_> = records.iter().map(|record| record.id).collect();
        let insert = Insert { records, events: texts(&["batch"]) };
        let inserted = scene.store().insert(scene.operation(), insert).await.expect("an answer");
        assert_eq!(inserted, Inserted::IdTaken, "the id at place {place} is taken");
        for id in ids.into_iter().filter(|id| *id != taken.id) {
            assert!(scene.load(id).await.is_none(), "{id} came with a taken id");
        }
    }
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "nothing is listed");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
    assert_eq!(scene.loaded(taken.id).await.body, taken.body, "the first record stays");
}

/// The same operation gets the same answer, and its effect is there once.
pub async fn the_same_operation_gets_the_same_answer(scene: Scene) {
    let tag = scene.tag("once");
    let lane = scene.lane(0);
    let operation = scene.operation();
    let record = NewRecord { terms: vec![tag], ..scene.record(lane) };
    let id = record.id;
    let insert = Insert { records: vec![record], events: texts(&["issued"]) };
    let first = scene.store().insert(operation, insert.clone()).await.expect("an answer");
    let field = scene.subject_epoch("somebody");
    scene.advance(keyfob::store::EpochScope::Lane(lane, field)).await;
    let again = scene.store().insert(operation, insert).await.expect("an answer");
    assert_eq!(again, first, "the answer and its stamp do not change when the lane moves on");
    assert_eq!(scene.events().await, texts(&["issued"]), "its event is there once");
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [id], "it is listed once");
}

/// The same operation, sent again after the record went on without it.
pub async fn a_late_repetition_leaves_the_record_alone(scene: Scene) {
    let operation = scene.operation();
    let record = scene.record(scene.lane(0));
    let id = record.id;
    let insert = Insert { records: vec![record], events: texts(&["issued"]) };
    let first = scene.store().insert(operation, insert.clone()).await.expect("an answer");
    let replace = scene.replacement(id, RecordVersion(1), b"later");
    scene.store().replace(scene.operation(), replace).await.expect("an answer");
    let again = scene.store().insert(operation, insert.clone()).await.expect("an answer");
    assert_eq!(again, first, "the same answer after a replacement");
    scene.revoke(id).await;
    let again = scene.store().insert(operation, insert).await.expect("an answer");
    assert_eq!(again, first, "the same answer after a revocation");
    let loaded = scene.loaded(id).await;
    assert_eq!(loaded.body, b"later", "the replacement stays");
    assert!(!loaded.is_clear(), "the revocation stays");
    assert_eq!(scene.events().await, texts(&["issued"]), "its event is there once");
}

/// A record whose time is over already is stored nowhere.
pub async fn a_record_past_its_time_is_stored_nowhere(scene: Scene) {
    let tag = scene.tag("past");
    let past = scene.now().saturating_sub(Ttl::from_secs(1));
    let record = NewRecord { keep_until: past, terms: vec![tag], ..scene.record(scene.lane(0)) };
    let id = record.id;
    let inserted = scene.try_insert(vec![record]).await.expect("an answer");
    assert!(matches!(inserted, Inserted::Stored(_)), "its time is no error: {inserted:?}");
    assert!(scene.load(id).await.is_none(), "nothing is kept past its time");
    let listed = scene.list_ids(scene.query(tag, Order::NextToExpire, 10)).await;
    assert_eq!(listed, [], "nothing is listed past its time");
}

/// What is larger than a record may be is refused, and nothing of it is stored.
pub async fn a_body_that_is_too_large_is_refused(scene: Scene) {
    let small = scene.record(scene.lane(0));
    let body = vec![7; NewRecord::MAX_BODY + 1];
    let large = NewRecord { body, ..scene.record(scene.lane(0)) };
    let ids = [small.id, large.id];
    let insert = Insert { records: vec![small, large], events: texts(&["issued"]) };
    let refused = scene.store().insert(scene.operation(), insert).await;
    match refused {
        Err(StoreError::TooLarge { max, .. }) => {
            assert_eq!(max, NewRecord::MAX_BODY, "the error names the limit");
        }
        other => panic!("a body above the limit must be refused, not {other:?}"),
    }
    for id in ids {
        assert!(scene.load(id).await.is_none(), "nothing is stored with what is too large");
    }
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// Once a record is forgotten its id is free, and nothing of it clings to the next one.
pub async fn an_id_is_free_once_its_record_is_forgotten(scene: Scene) {
    let (old, new) = (scene.tag("old"), scene.tag("new"));
    let keep_until = scene.now() + scene.brief();
    let first = NewRecord {
        keep_until,
        terms: vec![old],
        uses_left: Some(3),
        ..scene.record(scene.lane(0))
    };
    let id = first.id;
    scene.insert(first.clone()).await;
    let used = keyfob::store::LastUse::new(id, scene.now());
    scene.store().touch(&[used]).await.expect("an answer");
    scene.revoke(id).await;
    scene.wait_until(keep_until).await;
    let keep_until = scene.now() + Ttl::from_hours(1);
    let second = NewRecord { keep_until, terms: vec![new], uses_left: None, ..first };
    scene.insert(NewRecord { body: b"second".to_vec(), ..second }).await;
    let loaded = scene.loaded(id).await;
    assert_eq!(loaded.verdict, Verdict::Clear, "the tombstone was the first record's");
    assert_eq!(loaded.last_used, None, "the last use was the first record's");
    assert_eq!(loaded.uses_left, None, "the uses were the first record's");
    assert_eq!((loaded.version, &loaded.body[..]), (RecordVersion(1), &b"second"[..]), "all new");
    assert_eq!(loaded.keep_until, keep_until, "it is kept as long as it says");
    let listed = scene.list_ids(scene.query(new, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [id], "it is listed under its own term");
}

/// Of many who want one id, one gets it.
pub async fn of_racers_for_an_id_one_wins(scene: Scene) {
    for round in 0..8 {
        let record = scene.record(scene.lane(round));
        let racers = (0..8u8).map(|racer| {
            let (scene, record) = (scene.clone(), record.clone());
            tokio::spawn(async move {
                let inserted = scene.try_insert(vec![NewRecord { body: vec![racer], ..record }]);
                (racer, inserted.await.expect("an answer"))
            })
        });
        let mut winners = Vec::new();
        for racer in racers.collect::<Vec<_>>() {
            match racer.await.expect("a racer") {
                (racer, Inserted::Stored(_)) => winners.push(racer),
                (_, other) => assert_eq!(other, Inserted::IdTaken, "the others find it taken"),
            }
        }
        assert_eq!(winners.len(), 1, "one racer stores its record, not {winners:?}");
        assert_eq!(scene.loaded(record.id).await.body, winners, "the winner's record stands");
    }
}

/// One operation that is sent many times at once has its effect once.
pub async fn one_operation_sent_at_once_is_done_once(scene: Scene) {
    let operation = scene.operation();
    let insert = Insert { records: vec![scene.record(scene.lane(0))], events: texts(&["issued"]) };
    let senders = (0..8).map(|_| {
        let (scene, insert) = (scene.clone(), insert.clone());
        tokio::spawn(async move { scene.store().insert(operation, insert).await })
    });
    let mut answers = Vec::new();
    for sender in senders.collect::<Vec<_>>() {
        answers.push(sender.await.expect("a sender").expect("an answer"));
    }
    assert!(matches!(answers[0], Inserted::Stored(_)), "it is stored: {answers:?}");
    assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer: {answers:?}");
    assert_eq!(scene.events().await, texts(&["issued"]), "its event is there once");
}
