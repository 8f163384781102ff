//! Revoke: the first one is kept, with its why; what descends from it falls with it.

use keyfob::store::{
    EpochScope, Epochs, Inserted, MarkScope, NewRecord, Order, RecordVersion, RevocationMark,
    Revoke, Revoked, StampRule, StoreError, Verdict,
};
use keyfob::{TokenId, Ttl};

use super::scene::{Scene, texts};

async fn send(scene: &Scene, revoke: Revoke) -> Revoked {
    scene.store().revoke(scene.operation(), revoke).await.expect("a revocation is answered")
}

fn assert_now(revoked: &Revoked, why: &str) {
    assert!(matches!(revoked, Revoked::Now), "{why}: expected Now, not {revoked:?}");
}

fn assert_before(revoked: &Revoked, mark: &RevocationMark, why: &str) {
    match revoked {
        Revoked::Before(before) => assert_eq!(before, mark, "{why}"),
        other => panic!("{why}: expected Before, not {other:?}"),
    }
}

/// The tombstone holds when and why, byte for byte; the record stays, and is listed.
pub async fn a_tombstone_says_when_and_why(scene: Scene) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let longest = vec![0xfe; Revoke::MAX_NOTE];
    for note in [vec![], vec![0], every_byte, longest] {
        let tag = scene.tag(&format!("{} bytes", note.len()));
        let record = NewRecord { terms: vec![tag], ..scene.record(scene.lane(0)) };
        let id = record.id;
        scene.insert(record.clone()).await;
        let at = scene.now().saturating_sub(Ttl::from_millis(1_234).expect("a duration"));
        let revoke = Revoke { at, note: note.clone(), ..scene.revocation(id) };
        assert_now(&send(&scene, revoke).await, "it was not revoked before");
        let loaded = scene.loaded(id).await;
        let mark = RevocationMark { through: MarkScope::Token, at, note };
        assert_eq!(loaded.verdict, Verdict::Revoked(mark), "the tombstone as it was given");
        assert_eq!(loaded.body, record.body, "the body is the same");
        assert_eq!(loaded.version, RecordVersion(1), "a revocation is no replacement");
        assert_eq!(loaded.keep_until, record.keep_until, "it is kept as long as before");
        let listed = scene.list(scene.query(tag, Order::NewestFirst, 10)).await;
        assert_eq!(listed.len(), 1, "it is still listed");
        assert_eq!(listed[0].verdict, loaded.verdict, "a query shows the same verdict");
    }
}

/// The first revocation is kept, and only its events are appended.
pub async fn the_first_is_kept(scene: Scene) {
    let record = scene.record(scene.lane(0));
    let id = record.id;
    scene.insert(record).await;
    let at = scene.now();
    let first = Revoke { note: b"first".to_vec(), ..scene.revocation(id) };
    assert_now(&send(&scene, Revoke { events: texts(&["one"]), ..first }).await, "the first");
    let mark = RevocationMark { through: MarkScope::Token, at, note: b"first".to_vec() };
    let mark =
        RevocationMark { at: scene.assert_revoked(id, mark.through, "revoked").await.at, ..mark };
    for earlier in [false, true] {
        let at = if earlier { at.saturating_sub(Ttl::from_hours(1)) } else { scene.now() };
        let events = texts(&["two"]);
        let second = Revoke { at, note: b"second".to_vec(), events, ..scene.revocation(id) };
        assert_before(&send(&scene, second).await, &mark, "the first stands");
        let stands = scene.assert_revoked(id, MarkScope::Token, "revoked").await;
        assert_eq!(stands, mark, "the first is kept");
    }
    assert_eq!(scene.events().await, texts(&["one"]), "only the first is an event");
}

/// What an epoch covers was revoked before, in that way.
pub async fn what_an_epoch_covers_was_revoked_before(scene: Scene) {
    let lane = scene.lane(0);
    let field = scene.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let record = NewRecord { epochs, ..scene.record(lane) };
    let id = record.id;
    scene.insert(record).await;
    let at = scene.now();
    let note = b"all of them".to_vec();
    let scope = EpochScope::Lane(lane, field);
    let advance =
        keyfob::store::Advance { note: note.clone(), ..keyfob::store::Advance::new(scope, at) };
    scene.store().advance(scene.operation(), advance).await.expect("an answer");
    let mark = RevocationMark { through: MarkScope::Subject, at, note };
    let revoke = Revoke { note: b"it alone".to_vec(), ..scene.revocation(id) };
    let revoked = send(&scene, Revoke { events: texts(&["revoked"]), ..revoke }).await;
    assert_before(&revoked, &mark, "the epoch came first");
    let stands = scene.assert_revoked(id, MarkScope::Subject, "revoked").await;
    assert_eq!(stands, mark, "the epoch's when and why stand");
    assert_eq!(scene.events().await, texts(&[]), "it was revoked before: no event");
}

/// The same operation gets the same answer, also after others.
pub async fn the_same_operation_gets_the_same_answer(scene: Scene) {
    let record = scene.record(scene.lane(0));
    let id = record.id;
    scene.insert(record).await;
    let operation = scene.operation();
    let revoke = Revoke { events: texts(&["revoked"]), ..scene.revocation(id) };
    let again = || scene.store().revoke(operation, revoke.clone());
    assert_now(&again().await.expect("an answer"), "the first sending");
    assert_now(&again().await.expect("an answer"), "the second sending");
    let mark = scene.assert_revoked(id, MarkScope::Token, "revoked").await;
    assert_before(&scene.revoke(id).await, &mark, "another operation finds it revoked");
    assert_now(&again().await.expect("an answer"), "the third sending");
    assert_eq!(scene.events().await, texts(&["revoked"]), "its event is there once");
}

/// There is nothing to revoke where there is no record, and no tombstone is left for a later one.
pub async fn what_is_missing_is_not_revoked(scene: Scene) {
    let lane = scene.lane(0);
    let record = scene.record(lane);
    let (id, field) = (record.id, scene.ancestor_epoch(record.id));
    let revoke =
        Revoke { cascade: Some(field), events: texts(&["revoked"]), ..scene.revocation(id) };
    let revoked = send(&scene, revoke).await;
    assert!(matches!(revoked, Revoked::Missing), "there is no such record: {revoked:?}");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
    scene.insert(record).await;
    scene.assert_clear(id, "it was stored after").await;
}

/// A note that is too long is refused, and nothing is revoked.
pub async fn a_note_that_is_too_long_is_refused(scene: Scene) {
    let record = scene.record(scene.lane(0));
    let id = record.id;
    scene.insert(record).await;
    let note = vec![1; Revoke::MAX_NOTE + 1];
    let revoke = Revoke { note, events: texts(&["revoked"]), ..scene.revocation(id) };
    match scene.store().revoke(scene.operation(), revoke).await {
        Err(StoreError::TooLarge { max, .. }) => {
            assert_eq!(max, Revoke::MAX_NOTE, "the error names the limit");
        }
        other => panic!("a note above the limit must be refused, not {other:?}"),
    }
    scene.assert_clear(id, "nothing was revoked").await;
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// A parent, its children at different places, and one that is no kin of theirs.
struct Kin {
    parent: TokenId,
    child: TokenId,
    grandchild: TokenId,
    stranger: TokenId,
}

async fn kin(scene: &Scene) -> Kin {
    let lane = scene.lane(0);
    let parent = scene.record(lane);
    let child = scene.record(lane);
    let (root, middle) = (scene.ancestor_epoch(parent.id), scene.ancestor_epoch(child.id));
    let descends = |ancestors| Epochs { ancestors, ..Epochs::default() };
    let child = NewRecord { epochs: descends(vec![root]), ..child };
    let grandchild = NewRecord { epochs: descends(vec![middle, root]), ..scene.record(lane) };
    let stranger = NewRecord {
        epochs: descends(vec![scene.ancestor_epoch(scene.id(lane))]),
        ..scene.record(lane)
    };
    let kin = Kin {
        parent: parent.id,
        child: child.id,
        grandchild: grandchild.id,
        stranger: stranger.id,
    };
    scene.insert_all(vec![parent, child, grandchild, stranger]).await;
    kin
}

/// A cascade covers all that descends from the record, and nothing else.
pub async fn a_cascade_covers_the_descendants(scene: Scene) {
    let kin = kin(&scene).await;
    let (at, note) = (scene.now(), b"stolen".to_vec());
    let cascade = Some(scene.ancestor_epoch(kin.parent));
    let revoke =
        Revoke { note, cascade, events: texts(&["revoked"]), ..Revoke::new(kin.parent, at) };
    assert_now(&send(&scene, revoke).await, "it was not revoked before");
    let own = scene.assert_revoked(kin.parent, MarkScope::Token, "it is revoked itself").await;
    assert_eq!((own.at, &own.note[..]), (at, &b"stolen"[..]), "its when and why");
    for (id, place) in [(kin.child, 0), (kin.grandchild, 1)] {
        let mark = scene.assert_revoked(id, MarkScope::Ancestor(place), "it descends").await;
        assert_eq!((mark.at, &mark.note[..]), (at, &b"stolen"[..]), "the same when and why");
    }
    scene.assert_clear(kin.stranger, "it descends from another").await;
    assert_eq!(scene.events().await, texts(&["revoked"]), "one event for all of them");
}

/// Without a cascade the descendants live on.
pub async fn without_a_cascade_the_descendants_live_on(scene: Scene) {
    let kin = kin(&scene).await;
    assert_now(&scene.revoke(kin.parent).await, "it was not revoked before");
    scene.assert_clear(kin.child, "only the parent was revoked").await;
    scene.assert_clear(kin.grandchild, "only the parent was revoked").await;
}

/// A cascade has its effect even where the token was revoked before.
pub async fn a_cascade_works_on_what_is_revoked_already(scene: Scene) {
    let kin = kin(&scene).await;
    scene.revoke(kin.parent).await;
    let mark = scene.assert_revoked(kin.parent, MarkScope::Token, "revoked").await;
    let cascade = Some(scene.ancestor_epoch(kin.parent));
    let revoke = Revoke { cascade, events: texts(&["revoked"]), ..scene.revocation(kin.parent) };
    assert_before(&send(&scene, revoke).await, &mark, "the first stands");
    scene.assert_revoked(kin.child, MarkScope::Ancestor(0), "it descends from it").await;
    scene.assert_revoked(kin.grandchild, MarkScope::Ancestor(1), "it descends from it").await;
    assert_eq!(scene.events().await, texts(&[]), "it was revoked before: no event");
}

/// What would be minted from a token after its cascade is not stored.
pub async fn nothing_is_minted_after_a_cascade(scene: Scene) {
    let lane = scene.lane(0);
    let parent = scene.record(lane);
    let (id, field) = (parent.id, scene.ancestor_epoch(parent.id));
    let seen = scene.insert(parent).await;
    let revoke = Revoke { cascade: Some(field), ..scene.revocation(id) };
    assert_now(&send(&scene, revoke).await, "it was not revoked before");
    let epochs = Epochs { ancestors: vec![field], ..Epochs::default() };
    let child = NewRecord { epochs, stamp: StampRule::Seen(seen), ..scene.record(lane) };
    let late = child.id;
    let inserted = scene.try_insert(vec![child]).await.expect("an answer");
    assert_eq!(inserted, Inserted::Superseded, "its parent was revoked after the stamp was read");
    assert!(scene.load(late).await.is_none(), "it was not stored");
}

/// Of many who revoke at once, one is the first.
pub async fn of_racers_one_is_the_first(scene: Scene) {
    let record = scene.record(scene.lane(1));
    let id = record.id;
    scene.insert(record).await;
    let racers = (0..8u8).map(|racer| {
        let scene = scene.clone();
        tokio::spawn(async move {
            let events = vec![vec![racer]];
            let revoke = Revoke { note: vec![racer], events, ..scene.revocation(id) };
            (racer, send(&scene, revoke).await)
        })
    });
    let mut answers = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        answers.push(racer.await.expect("a racer"));
    }
    let mark = scene.assert_revoked(id, MarkScope::Token, "revoked").await;
    let mut first = Vec::new();
    for (racer, answer) in answers {
        match answer {
            Revoked::Now => first.push(racer),
            other => assert_before(&other, &mark, "the others see the first"),
        }
    }
    assert_eq!(first, mark.note, "one was the first, and its note stands");
    assert_eq!(scene.events().await, vec![first], "only the first is an event");
}
