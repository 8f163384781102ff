//! Advance: one write revokes all earlier records of a field, and no later record.

use keyfob::store::{
    Advance, Advanced, EpochScope, Epochs, Inserted, Lane, MarkScope, NewRecord, RevocationMark,
    Revoke, StoreError, Verdict,
};
use keyfob::{TokenId, Ttl};

use super::fixture::{Fixture, texts};

async fn stored(fixture: &Fixture, lane: Lane, epochs: &Epochs) -> TokenId {
    let record = NewRecord { epochs: epochs.clone(), ..fixture.record(lane) };
    let id = record.id;
    fixture.insert(record).await;
    id
}

/// In one lane: earlier records are revoked, later records stay valid, other records do not change.
async fn one_lane(
    fixture: Fixture,
    covered: Epochs,
    field: keyfob::store::EpochField,
    through: MarkScope,
) {
    let (lane, elsewhere) = (fixture.lane(0), fixture.lane(1));
    let stranger = Epochs { subject: Some(fixture.subject_epoch("stranger")), ..Epochs::default() };
    let before = stored(&fixture, lane, &covered).await;
    let other = stored(&fixture, lane, &stranger).await;
    let bare = stored(&fixture, lane, &Epochs::default()).await;
    let remote = stored(&fixture, elsewhere, &covered).await;
    let old = fixture.stamp(lane).await;
    let at = fixture.now().saturating_sub(Ttl::from_secs(3));
    let note = b"why\0\xff".to_vec();
    let scope = EpochScope::Lane(lane, field);
    let advance =
        Advance { note: note.clone(), events: texts(&["advanced"]), ..Advance::new(scope, at) };
    let advanced =
        fixture.store().advance(fixture.operation(), advance).await.expect("the store answers");
    assert_eq!(advanced, Advanced { lanes: 1 }, "one lane was advanced");
    assert!(fixture.stamp(lane).await > old, "the sequence counts up");
    let after = stored(&fixture, lane, &covered).await;
    let mark = RevocationMark { through, at, note };
    let verdict = fixture.loaded(before).await.verdict;
    assert_eq!(
        verdict,
        Verdict::Revoked(mark),
        "an earlier record is revoked, with time and reason"
    );
    fixture.assert_clear(after, "a later record stays valid").await;
    fixture.assert_clear(other, "the record has another field").await;
    fixture.assert_clear(bare, "the record does not have the field").await;
    if lane != elsewhere {
        fixture.assert_clear(remote, "the record is in another lane").await;
    }
    assert_eq!(fixture.events().await, texts(&["advanced"]), "the advance wrote one event");
    fixture.advance(scope).await;
    fixture.assert_revoked(after, through, "the next advance covers the record").await;
}

/// The epoch of a subject.
pub(super) async fn of_a_subject(fixture: Fixture) {
    let field = fixture.subject_epoch("user");
    let covered = Epochs {
        subject: Some(field),
        client: Some(fixture.client_epoch("client")),
        ..Epochs::default()
    };
    one_lane(fixture, covered, field, MarkScope::Subject).await;
}

/// The epoch of an ancestor, at any index.
pub(super) async fn of_an_ancestor(fixture: Fixture) {
    let ancestor = || fixture.ancestor_epoch(fixture.id(fixture.lane(0)));
    let ancestors: Vec<_> = (0..Epochs::MAX_ANCESTORS).map(|_| ancestor()).collect();
    let field = ancestors[5];
    let covered = Epochs { ancestors, ..Epochs::default() };
    one_lane(fixture, covered, field, MarkScope::Ancestor(5)).await;
}

/// In every lane: earlier records are revoked, later records stay valid.
async fn every_lane(fixture: Fixture, covered: Epochs, scope: EpochScope, through: MarkScope) {
    let mut before = Vec::new();
    for lane in fixture.lanes() {
        before.push(stored(&fixture, lane, &covered).await);
    }
    let (at, note) = (fixture.now(), b"why".to_vec());
    let advance =
        Advance { note: note.clone(), events: texts(&["one", "two"]), ..Advance::new(scope, at) };
    let advanced =
        fixture.store().advance(fixture.operation(), advance).await.expect("the store answers");
    let lanes = fixture.store().namespace().lanes().get();
    assert_eq!(advanced, Advanced { lanes }, "every lane was advanced");
    for id in before {
        let mark = RevocationMark { through, at, note: note.clone() };
        let verdict = fixture.loaded(id).await.verdict;
        assert_eq!(verdict, Verdict::Revoked(mark), "an earlier record is revoked");
    }
    for lane in fixture.lanes() {
        let after = stored(&fixture, lane, &covered).await;
        fixture.assert_clear(after, "a later record stays valid").await;
    }
    assert_eq!(
        fixture.events().await,
        texts(&["one", "two"]),
        "each event once, not once per lane"
    );
}

/// The epoch of a client.
pub(super) async fn of_a_client(fixture: Fixture) {
    let field = fixture.client_epoch("client");
    let covered = Epochs {
        client: Some(field),
        subject: Some(fixture.subject_epoch("user")),
        ..Epochs::default()
    };
    let other = Epochs { client: Some(fixture.client_epoch("other")), ..Epochs::default() };
    let mut others = Vec::new();
    for lane in fixture.lanes() {
        others.push(stored(&fixture, lane, &other).await);
    }
    every_lane(fixture.clone(), covered, EpochScope::EveryLane(field), MarkScope::Client).await;
    for id in others {
        fixture.assert_clear(id, "the record has another client").await;
    }
}

/// The epoch of everything.
pub(super) async fn of_everything(fixture: Fixture) {
    every_lane(fixture, Epochs::default(), EpochScope::All, MarkScope::All).await;
}

/// A repeated advance does not cover records that were stored since the first call.
pub(super) async fn the_same_operation_covers_once(fixture: Fixture) {
    let lane = fixture.lane(0);
    let (subject, client) = (fixture.subject_epoch("user"), fixture.client_epoch("client"));
    let covered = Epochs { subject: Some(subject), client: Some(client), ..Epochs::default() };
    let mut happened = Vec::new();
    for scope in [EpochScope::Lane(lane, subject), EpochScope::EveryLane(client), EpochScope::All] {
        let operation = fixture.operation();
        let body = format!("{scope:?}").into_bytes();
        let events = vec![body.clone()];
        let advance = Advance { events, ..Advance::new(scope, fixture.now()) };
        let send = || fixture.store().advance(operation, advance.clone());
        let before = stored(&fixture, lane, &covered).await;
        let first = send().await.expect("the store answers");
        let after = stored(&fixture, lane, &covered).await;
        let stamp = fixture.stamp(lane).await;
        assert_eq!(send().await.expect("the store answers"), first, "the same answer");
        assert_eq!(fixture.stamp(lane).await, stamp, "the sequence is unchanged");
        assert!(
            !fixture.loaded(before).await.is_clear(),
            "a record from before the first call is revoked"
        );
        fixture.assert_clear(after, "a record from after the first call stays valid").await;
        happened.push(body);
        let mut events = fixture.events().await;
        // Entries of one millisecond in different lanes have no order between them.
        events.sort();
        happened.sort();
        assert_eq!(events, happened, "the event was written once");
    }
}

/// An operation that is sent many times concurrently advances once.
pub(super) async fn an_operation_sent_concurrently_takes_effect_once(fixture: Fixture) {
    let field = fixture.client_epoch("client");
    for scope in [EpochScope::EveryLane(field), EpochScope::Lane(fixture.lane(0), field)] {
        let operation = fixture.operation();
        let happened = fixture.events().await.len();
        let advance =
            Advance { events: texts(&["advanced"]), ..Advance::new(scope, fixture.now()) };
        let senders = (0..6).map(|_| {
            let (fixture, advance) = (fixture.clone(), advance.clone());
            tokio::spawn(async move { fixture.store().advance(operation, advance).await })
        });
        let mut answers = Vec::new();
        for sender in senders.collect::<Vec<_>>() {
            answers.push(sender.await.expect("the task did not panic").expect("the store answers"));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer: {answers:?}");
        assert_eq!(fixture.events().await.len(), happened + 1, "the event was written once");
    }
}

/// A note that is too long is refused, and no epoch moves.
pub(super) async fn a_note_that_is_too_long_is_refused(fixture: Fixture) {
    let lane = fixture.lane(0);
    let id = stored(&fixture, lane, &Epochs::default()).await;
    let stamp = fixture.stamp(lane).await;
    let note = vec![1; Revoke::MAX_NOTE + 1];
    let advance = Advance { note, ..Advance::new(EpochScope::All, fixture.now()) };
    let refused = fixture.store().advance(fixture.operation(), advance).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "refused, not {refused:?}");
    assert_eq!(fixture.stamp(lane).await, stamp, "the sequence is unchanged");
    fixture.assert_clear(id, "nothing was revoked").await;
}

/// The longest note comes back byte for byte.
pub(super) async fn the_longest_note_comes_back(fixture: Fixture) {
    let id = stored(&fixture, fixture.lane(0), &Epochs::default()).await;
    let note: Vec<u8> = (0..Revoke::MAX_NOTE).map(|n| (n % 251) as u8).collect();
    let advance = Advance { note: note.clone(), ..Advance::new(EpochScope::All, fixture.now()) };
    fixture.store().advance(fixture.operation(), advance).await.expect("the store answers");
    let mark = fixture.assert_revoked(id, MarkScope::All, "everything was revoked").await;
    assert_eq!(mark.note, note, "the note as it was given");
}

/// When an advance is acknowledged, every record acknowledged before its start is revoked.
pub(super) async fn all_acknowledged_records_are_revoked(fixture: Fixture) {
    let client = fixture.client_epoch("client");
    let covered = Epochs { client: Some(client), ..Epochs::default() };
    for scope in [EpochScope::EveryLane(client), EpochScope::All] {
        let (acknowledged, mut stored_ids) = tokio::sync::mpsc::unbounded_channel();
        let writers = fixture.lanes().into_iter().take(4).map(|lane| {
            let (fixture, covered) = (fixture.clone(), covered.clone());
            let acknowledged = acknowledged.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    // The receiver is dropped after the advance has begun.
                    if acknowledged.send(stored(&fixture, lane, &covered).await).is_err() {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
            })
        });
        let writers: Vec<_> = writers.collect();
        let mut before = Vec::new();
        while before.len() < 10 {
            before.push(stored_ids.recv().await.expect("the writers write"));
        }
        while let Ok(id) = stored_ids.try_recv() {
            before.push(id);
        }
        drop(stored_ids);
        fixture.advance(scope).await;
        for id in &before {
            assert!(
                !fixture.loaded(*id).await.is_clear(),
                "{id} was acknowledged before the advance and must be revoked"
            );
        }
        for writer in writers {
            writer.await.expect("the task did not panic");
        }
        for id in before {
            assert!(!fixture.loaded(id).await.is_clear(), "{id} must stay revoked");
        }
    }
}

/// An empty lane can be advanced, and later records stay valid.
pub(super) async fn an_empty_lane_can_be_advanced(fixture: Fixture) {
    let lane = fixture.lane(2);
    let field = fixture.subject_epoch("user");
    let covered = Epochs { subject: Some(field), ..Epochs::default() };
    fixture.advance(EpochScope::Lane(lane, field)).await;
    let inserted = fixture
        .try_insert(vec![NewRecord { epochs: covered.clone(), ..fixture.record(lane) }])
        .await
        .expect("the store answers");
    assert!(matches!(inserted, Inserted::Stored(_)), "a later record is stored: {inserted:?}");
    let id = stored(&fixture, lane, &covered).await;
    fixture.assert_clear(id, "a later record stays valid").await;
}
