//! Advance: one write revokes all that a field covers, and nothing that came after it.

use keyfob::store::{
    Advance, Advanced, EpochScope, Epochs, Inserted, MarkScope, NewRecord, RevocationMark, Revoke,
    StoreError, Verdict,
};
use keyfob::{Lane, TokenId, Ttl};

use super::scene::{Scene, texts};

async fn stored(scene: &Scene, lane: Lane, epochs: &Epochs) -> TokenId {
    let record = NewRecord { epochs: epochs.clone(), ..scene.record(lane) };
    let id = record.id;
    scene.insert(record).await;
    id
}

/// In one lane: what was stamped before dies, what is stamped after lives, others are not touched.
async fn one_lane(scene: Scene, covered: Epochs, field: keyfob::EpochField, through: MarkScope) {
    let (lane, elsewhere) = (scene.lane(0), scene.lane(1));
    let stranger = Epochs { subject: Some(scene.subject_epoch("stranger")), ..Epochs::default() };
    let before = stored(&scene, lane, &covered).await;
    let other = stored(&scene, lane, &stranger).await;
    let bare = stored(&scene, lane, &Epochs::default()).await;
    let remote = stored(&scene, elsewhere, &covered).await;
    let old = scene.stamp(lane).await;
    let at = scene.now().saturating_sub(Ttl::from_secs(3));
    let note = b"why\0\xff".to_vec();
    let scope = EpochScope::Lane(lane, field);
    let advance =
        Advance { note: note.clone(), events: texts(&["advanced"]), ..Advance::new(scope, at) };
    let advanced = scene.store().advance(scene.operation(), advance).await.expect("an answer");
    assert_eq!(advanced, Advanced { lanes: 1 }, "one lane was concerned");
    assert!(scene.stamp(lane).await > old, "the sequence counts up");
    let after = stored(&scene, lane, &covered).await;
    let mark = RevocationMark { through, at, note };
    let verdict = scene.loaded(before).await.verdict;
    assert_eq!(verdict, Verdict::Revoked(mark), "it was stamped before, and says when and why");
    scene.assert_clear(after, "it was stamped after").await;
    scene.assert_clear(other, "it answers to another field").await;
    scene.assert_clear(bare, "it answers to no such field").await;
    if lane != elsewhere {
        scene.assert_clear(remote, "it lies in another lane").await;
    }
    assert_eq!(scene.events().await, texts(&["advanced"]), "one event");
    scene.advance(scope).await;
    scene.assert_revoked(after, through, "the next advance covers it").await;
}

/// The epoch of a subject.
pub async fn of_a_subject(scene: Scene) {
    let field = scene.subject_epoch("user");
    let covered = Epochs {
        subject: Some(field),
        client: Some(scene.client_epoch("client")),
        ..Epochs::default()
    };
    one_lane(scene, covered, field, MarkScope::Subject).await;
}

/// The epoch of an ancestor, at any place.
pub async fn of_an_ancestor(scene: Scene) {
    let ancestor = || scene.ancestor_epoch(scene.id(scene.lane(0)));
    let ancestors: Vec<_> = (0..Epochs::MAX_ANCESTORS).map(|_| ancestor()).collect();
    let field = ancestors[5];
    let covered = Epochs { ancestors, ..Epochs::default() };
    one_lane(scene, covered, field, MarkScope::Ancestor(5)).await;
}

/// In every lane: what was stamped before dies wherever it lies.
async fn every_lane(scene: Scene, covered: Epochs, scope: EpochScope, through: MarkScope) {
    let mut before = Vec::new();
    for lane in scene.lanes() {
        before.push(stored(&scene, lane, &covered).await);
    }
    let (at, note) = (scene.now(), b"why".to_vec());
    let advance =
        Advance { note: note.clone(), events: texts(&["one", "two"]), ..Advance::new(scope, at) };
    let advanced = scene.store().advance(scene.operation(), advance).await.expect("an answer");
    let lanes = scene.store().namespace().lanes().get();
    assert_eq!(advanced, Advanced { lanes }, "every lane was concerned");
    for id in before {
        let mark = RevocationMark { through, at, note: note.clone() };
        let verdict = scene.loaded(id).await.verdict;
        assert_eq!(verdict, Verdict::Revoked(mark), "it was stamped before");
    }
    for lane in scene.lanes() {
        let after = stored(&scene, lane, &covered).await;
        scene.assert_clear(after, "it was stamped after").await;
    }
    assert_eq!(scene.events().await, texts(&["one", "two"]), "once, not once a lane");
}

/// The epoch of a client.
pub async fn of_a_client(scene: Scene) {
    let field = scene.client_epoch("client");
    let covered = Epochs {
        client: Some(field),
        subject: Some(scene.subject_epoch("user")),
        ..Epochs::default()
    };
    let other = Epochs { client: Some(scene.client_epoch("other")), ..Epochs::default() };
    let mut others = Vec::new();
    for lane in scene.lanes() {
        others.push(stored(&scene, lane, &other).await);
    }
    every_lane(scene.clone(), covered, EpochScope::EveryLane(field), MarkScope::Client).await;
    for id in others {
        scene.assert_clear(id, "it is another client's").await;
    }
}

/// The epoch of everything.
pub async fn of_everything(scene: Scene) {
    every_lane(scene, Epochs::default(), EpochScope::All, MarkScope::All).await;
}

/// An advance that is sent again covers nothing that came in between.
pub async fn the_same_operation_covers_once(scene: Scene) {
    let lane = scene.lane(0);
    let (subject, client) = (scene.subject_epoch("user"), scene.client_epoch("client"));
    let covered = Epochs { subject: Some(subject), client: Some(client), ..Epochs::default() };
    let mut happened = Vec::new();
    for scope in [EpochScope::Lane(lane, subject), EpochScope::EveryLane(client), EpochScope::All] {
        let operation = scene.operation();
        let body = format!("{scope:?}").into_bytes();
        let events = vec![body.clone()];
        let advance = Advance { events, ..Advance::new(scope, scene.now()) };
        let send = || scene.store().advance(operation, advance.clone());
        let before = stored(&scene, lane, &covered).await;
        let first = send().await.expect("an answer");
        let after = stored(&scene, lane, &covered).await;
        let stamp = scene.stamp(lane).await;
        assert_eq!(send().await.expect("an answer"), first, "the same answer");
        assert_eq!(scene.stamp(lane).await, stamp, "the sequence stands");
        assert!(!scene.loaded(before).await.is_clear(), "it was stored before the first sending");
        scene.assert_clear(after, "it was stored after the first sending").await;
        happened.push(body);
        let mut events = scene.events().await;
        // Entries of one millisecond in different lanes have no order between them.
        events.sort();
        happened.sort();
        assert_eq!(events, happened, "its event is there once");
    }
}

/// One operation that is sent many times at once advances once.
pub async fn one_operation_sent_at_once_is_done_once(scene: Scene) {
    let field = scene.client_epoch("client");
    for scope in [EpochScope::EveryLane(field), EpochScope::Lane(scene.lane(0), field)] {
        let operation = scene.operation();
        let happened = scene.events().await.len();
        let advance = Advance { events: texts(&["advanced"]), ..Advance::new(scope, scene.now()) };
        let senders = (0..6).map(|_| {
            let (scene, advance) = (scene.clone(), advance.clone());
            tokio::spawn(async move { scene.store().advance(operation, advance).await })
        });
        let mut answers = Vec::new();
        for sender in senders.collect::<Vec<_>>() {
            answers.push(sender.await.expect("a sender").expect("an answer"));
        }
        assert!(answers.iter().all(|answer| *answer == answers[0]), "one answer: {answers:?}");
        assert_eq!(scene.events().await.len(), happened + 1, "its event is there once");
    }
}

/// A note that is too long is refused, and no epoch moves.
pub async fn a_note_that_is_too_long_is_refused(scene: Scene) {
    let lane = scene.lane(0);
    let id = stored(&scene, lane, &Epochs::default()).await;
    let stamp = scene.stamp(lane).await;
    let note = vec![1; Revoke::MAX_NOTE + 1];
    let advance = Advance { note, ..Advance::new(EpochScope::All, scene.now()) };
    let refused = scene.store().advance(scene.operation(), advance).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "refused, not {refused:?}");
    assert_eq!(scene.stamp(lane).await, stamp, "the sequence stands");
    scene.assert_clear(id, "nothing was revoked").await;
}

/// The longest note comes back byte for byte.
pub async fn the_longest_note_comes_back(scene: Scene) {
    let id = stored(&scene, scene.lane(0), &Epochs::default()).await;
    let note: Vec<u8> = (0..Revoke::MAX_NOTE).map(|n| (n % 251) as u8).collect();
    let advance = Advance { note: note.clone(), ..Advance::new(EpochScope::All, scene.now()) };
    scene.store().advance(scene.operation(), advance).await.expect("an answer");
    let mark = scene.assert_revoked(id, MarkScope::All, "everything was revoked").await;
    assert_eq!(mark.note, note, "the note as it was given");
}

/// Whatever was acknowledged before an advance began is dead when it is acknowledged.
pub async fn what_was_acknowledged_before_is_dead(scene: Scene) {
    let client = scene.client_epoch("client");
    let covered = Epochs { client: Some(client), ..Epochs::default() };
    for scope in [EpochScope::EveryLane(client), EpochScope::All] {
        let (acknowledged, mut stored_ids) = tokio::sync::mpsc::unbounded_channel();
        let writers = scene.lanes().into_iter().take(4).map(|lane| {
            let (scene, covered) = (scene.clone(), covered.clone());
            let acknowledged = acknowledged.clone();
            tokio::spawn(async move {
                for _ in 0..20 {
                    // The reader is gone once the advance has begun.
                    if acknowledged.send(stored(&scene, lane, &covered).await).is_err() {
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
        scene.advance(scope).await;
        for id in &before {
            assert!(!scene.loaded(*id).await.is_clear(), "{id} was acknowledged before");
        }
        for writer in writers {
            writer.await.expect("a writer");
        }
        for id in before {
            assert!(!scene.loaded(id).await.is_clear(), "{id} was not brought back");
        }
    }
}

/// A lane that holds nothing yet can be advanced, and what comes after lives.
pub async fn an_empty_lane_can_be_advanced(scene: Scene) {
    let lane = scene.lane(2);
    let field = scene.subject_epoch("user");
    let covered = Epochs { subject: Some(field), ..Epochs::default() };
    scene.advance(EpochScope::Lane(lane, field)).await;
    let inserted = scene
        .try_insert(vec![NewRecord { epochs: covered.clone(), ..scene.record(lane) }])
        .await
        .expect("an answer");
    assert!(matches!(inserted, Inserted::Stored(_)), "it comes after: {inserted:?}");
    let id = stored(&scene, lane, &covered).await;
    scene.assert_clear(id, "it was stamped after").await;
}
