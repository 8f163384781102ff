//! Revoke: the first revocation is kept with its reason. A cascade also revokes the descendants.

use keyfob::store::{
    EpochScope, Epochs, Inserted, MarkScope, NewRecord, Order, RecordVersion, RevocationMark,
    Revoke, Revoked, StampRule, StoreError, Verdict,
};
use keyfob::{TokenId, Ttl};

use super::fixture::{Fixture, texts};

async fn send(fixture: &Fixture, revoke: Revoke) -> Revoked {
    fixture.store().revoke(fixture.operation(), revoke).await.expect("revoke succeeds")
}

fn assert_now(revoked: &Revoked, message: &str) {
    assert!(matches!(revoked, Revoked::Now), "{message}: expected Now, not {revoked:?}");
}

fn assert_before(revoked: &Revoked, mark: &RevocationMark, message: &str) {
    match revoked {
        Revoked::Before(before) => assert_eq!(before, mark, "{message}"),
        other => panic!("{message}: expected Before, not {other:?}"),
    }
}

/// The tombstone has the time and the reason, byte for byte. The record stays and is listed.
pub(super) async fn a_tombstone_has_the_time_and_the_note(fixture: Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let longest = vec![0xfe; Revoke::MAX_NOTE];
    for note in [vec![], vec![0], every_byte, longest] {
        let tag = fixture.tag(&format!("{} bytes", note.len()));
        let record = NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(0)) };
        let id = record.id;
        fixture.insert(record.clone()).await;
        let at = fixture
            .now()
            .saturating_sub(Ttl::from_millis(1_234).expect("the duration is in range"));
        let revoke = Revoke { at, note: note.clone(), ..fixture.revocation(id) };
        assert_now(&send(&fixture, revoke).await, "the record was not revoked before");
        let loaded = fixture.loaded(id).await;
        let mark = RevocationMark { through: MarkScope::Token, at, note };
        assert_eq!(loaded.verdict, Verdict::Revoked(mark), "the tombstone has the given values");
        assert_eq!(loaded.body, record.body, "the body is the same");
        assert_eq!(loaded.version, RecordVersion(1), "a revocation does not change the version");
        assert_eq!(loaded.keep_until, record.keep_until, "the end of retention is the same");
        let listed = fixture.list(fixture.query(tag, Order::NewestFirst, 10)).await;
        assert_eq!(listed.len(), 1, "the record is still listed");
        assert_eq!(listed[0].verdict, loaded.verdict, "a query shows the same verdict");
    }
}

/// The first revocation is kept, and only its events are appended.
pub(super) async fn the_first_tombstone_is_kept(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record).await;
    let at = fixture.now();
    let first = Revoke { note: b"first".to_vec(), ..fixture.revocation(id) };
    assert_now(&send(&fixture, Revoke { events: texts(&["one"]), ..first }).await, "the first");
    let mark = RevocationMark { through: MarkScope::Token, at, note: b"first".to_vec() };
    let mark =
        RevocationMark { at: fixture.assert_revoked(id, mark.through, "revoked").await.at, ..mark };
    for earlier in [false, true] {
        let at = if earlier { at.saturating_sub(Ttl::from_hours(1)) } else { fixture.now() };
        let events = texts(&["two"]);
        let second = Revoke { at, note: b"second".to_vec(), events, ..fixture.revocation(id) };
        assert_before(&send(&fixture, second).await, &mark, "the first revocation is kept");
        let after = fixture.assert_revoked(id, MarkScope::Token, "revoked").await;
        assert_eq!(after, mark, "the first revocation is kept");
    }
    assert_eq!(
        fixture.events().await,
        texts(&["one"]),
        "only the first revocation writes an event"
    );
}

/// A record that an epoch covers is reported as already revoked by that epoch.
pub(super) async fn a_record_revoked_by_an_epoch_was_revoked_before(fixture: Fixture) {
    let lane = fixture.lane(0);
    let field = fixture.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let record = NewRecord { epochs, ..fixture.record(lane) };
    let id = record.id;
    fixture.insert(record).await;
    let at = fixture.now();
    let note = b"all of them".to_vec();
    let scope = EpochScope::Lane(lane, field);
    let advance =
        keyfob::store::Advance { note: note.clone(), ..keyfob::store::Advance::new(scope, at) };
    fixture.store().advance(fixture.operation(), advance).await.expect("the store answers");
    let mark = RevocationMark { through: MarkScope::Subject, at, note };
    let revoke = Revoke { note: b"it alone".to_vec(), ..fixture.revocation(id) };
    let revoked = send(&fixture, Revoke { events: texts(&["revoked"]), ..revoke }).await;
    assert_before(&revoked, &mark, "the epoch came first");
    let after = fixture.assert_revoked(id, MarkScope::Subject, "revoked").await;
    assert_eq!(after, mark, "time and reason are those of the epoch");
    assert_eq!(fixture.events().await, texts(&[]), "a later revocation writes no event");
}

/// The same operation gets the same answer, also after others.
pub(super) async fn the_same_operation_gets_the_same_answer(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record).await;
    let operation = fixture.operation();
    let revoke = Revoke { events: texts(&["revoked"]), ..fixture.revocation(id) };
    let again = || fixture.store().revoke(operation, revoke.clone());
    assert_now(&again().await.expect("the store answers"), "the first call");
    assert_now(&again().await.expect("the store answers"), "the second call");
    let mark = fixture.assert_revoked(id, MarkScope::Token, "revoked").await;
    assert_before(&fixture.revoke(id).await, &mark, "another operation finds the record revoked");
    assert_now(&again().await.expect("the store answers"), "the third call");
    assert_eq!(fixture.events().await, texts(&["revoked"]), "the event was written once");
}

/// A missing record is not revoked, and no tombstone is left for a later record with this id.
pub(super) async fn a_missing_record_is_not_revoked(fixture: Fixture) {
    let lane = fixture.lane(0);
    let record = fixture.record(lane);
    let (id, field) = (record.id, fixture.ancestor_epoch(record.id));
    let revoke =
        Revoke { cascade: Some(field), events: texts(&["revoked"]), ..fixture.revocation(id) };
    let revoked = send(&fixture, revoke).await;
    assert!(matches!(revoked, Revoked::Missing), "there is no such record: {revoked:?}");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
    fixture.insert(record).await;
    fixture.assert_clear(id, "a later record is valid").await;
}

/// A note that is too long is refused, and nothing is revoked.
pub(super) async fn a_note_that_is_too_long_is_refused(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record).await;
    let note = vec![1; Revoke::MAX_NOTE + 1];
    let revoke = Revoke { note, events: texts(&["revoked"]), ..fixture.revocation(id) };
    match fixture.store().revoke(fixture.operation(), revoke).await {
        Err(StoreError::TooLarge { max, .. }) => {
            assert_eq!(max, Revoke::MAX_NOTE, "the error names the limit");
        }
        other => panic!("a note above the limit must be refused, not {other:?}"),
    }
    fixture.assert_clear(id, "nothing was revoked").await;
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A parent, its descendants at different depths, and an unrelated record.
struct Relatives {
    parent: TokenId,
    child: TokenId,
    grandchild: TokenId,
    unrelated: TokenId,
}

async fn relatives(fixture: &Fixture) -> Relatives {
    let lane = fixture.lane(0);
    let parent = fixture.record(lane);
    let child = fixture.record(lane);
    let (root, middle) = (fixture.ancestor_epoch(parent.id), fixture.ancestor_epoch(child.id));
    let descends = |ancestors| Epochs { ancestors, ..Epochs::default() };
    let child = NewRecord { epochs: descends(vec![root]), ..child };
    let grandchild = NewRecord { epochs: descends(vec![middle, root]), ..fixture.record(lane) };
    let unrelated = NewRecord {
        epochs: descends(vec![fixture.ancestor_epoch(fixture.id(lane))]),
        ..fixture.record(lane)
    };
    let relatives = Relatives {
        parent: parent.id,
        child: child.id,
        grandchild: grandchild.id,
        unrelated: unrelated.id,
    };
    fixture.insert_all(vec![parent, child, grandchild, unrelated]).await;
    relatives
}

/// A cascade covers exactly the descendants of the record.
pub(super) async fn a_cascade_covers_the_descendants(fixture: Fixture) {
    let relatives = relatives(&fixture).await;
    let (at, note) = (fixture.now(), b"stolen".to_vec());
    let cascade = Some(fixture.ancestor_epoch(relatives.parent));
    let revoke =
        Revoke { note, cascade, events: texts(&["revoked"]), ..Revoke::new(relatives.parent, at) };
    assert_now(&send(&fixture, revoke).await, "the record was not revoked before");
    let own = fixture
        .assert_revoked(relatives.parent, MarkScope::Token, "the parent itself is revoked")
        .await;
    assert_eq!(
        (own.at, &own.note[..]),
        (at, &b"stolen"[..]),
        "the parent has the time and the reason"
    );
    for (id, place) in [(relatives.child, 0), (relatives.grandchild, 1)] {
        let mark =
            fixture.assert_revoked(id, MarkScope::Ancestor(place), "a descendant is revoked").await;
        assert_eq!(
            (mark.at, &mark.note[..]),
            (at, &b"stolen"[..]),
            "a descendant has the same time and reason"
        );
    }
    fixture.assert_clear(relatives.unrelated, "an unrelated record is valid").await;
    assert_eq!(fixture.events().await, texts(&["revoked"]), "the cascade writes one event");
}

/// Without a cascade the descendants stay valid.
pub(super) async fn without_a_cascade_descendants_stay_active(fixture: Fixture) {
    let relatives = relatives(&fixture).await;
    assert_now(&fixture.revoke(relatives.parent).await, "the record was not revoked before");
    fixture.assert_clear(relatives.child, "only the parent was revoked").await;
    fixture.assert_clear(relatives.grandchild, "only the parent was revoked").await;
}

/// A cascade also works on a token that is already revoked.
pub(super) async fn a_cascade_works_on_a_revoked_record(fixture: Fixture) {
    let relatives = relatives(&fixture).await;
    fixture.revoke(relatives.parent).await;
    let mark = fixture.assert_revoked(relatives.parent, MarkScope::Token, "revoked").await;
    let cascade = Some(fixture.ancestor_epoch(relatives.parent));
    let revoke =
        Revoke { cascade, events: texts(&["revoked"]), ..fixture.revocation(relatives.parent) };
    assert_before(&send(&fixture, revoke).await, &mark, "the first revocation is kept");
    fixture
        .assert_revoked(relatives.child, MarkScope::Ancestor(0), "a descendant is revoked")
        .await;
    fixture
        .assert_revoked(relatives.grandchild, MarkScope::Ancestor(1), "a descendant is revoked")
        .await;
    assert_eq!(fixture.events().await, texts(&[]), "a later revocation writes no event");
}

/// A record minted from a token after its cascade is not stored.
pub(super) async fn nothing_is_minted_after_a_cascade(fixture: Fixture) {
    let lane = fixture.lane(0);
    let parent = fixture.record(lane);
    let (id, field) = (parent.id, fixture.ancestor_epoch(parent.id));
    let seen = fixture.insert(parent).await;
    let revoke = Revoke { cascade: Some(field), ..fixture.revocation(id) };
    assert_now(&send(&fixture, revoke).await, "the record was not revoked before");
    let epochs = Epochs { ancestors: vec![field], ..Epochs::default() };
    let child = NewRecord { epochs, stamp: StampRule::Seen(seen), ..fixture.record(lane) };
    let late = child.id;
    let inserted = fixture.try_insert(vec![child]).await.expect("the store answers");
    assert_eq!(inserted, Inserted::Superseded, "its parent was revoked after the stamp was read");
    assert!(fixture.load(late).await.is_none(), "the record is not stored");
}

/// Of concurrent revocations, exactly one is the first.
pub(super) async fn one_of_many_concurrent_revocations_is_first(fixture: Fixture) {
    let record = fixture.record(fixture.lane(1));
    let id = record.id;
    fixture.insert(record).await;
    let racers = (0..8u8).map(|racer| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            let events = vec![vec![racer]];
            let revoke = Revoke { note: vec![racer], events, ..fixture.revocation(id) };
            (racer, send(&fixture, revoke).await)
        })
    });
    let mut answers = Vec::new();
    for racer in racers.collect::<Vec<_>>() {
        answers.push(racer.await.expect("the task did not panic"));
    }
    let mark = fixture.assert_revoked(id, MarkScope::Token, "revoked").await;
    let mut first = Vec::new();
    for (racer, answer) in answers {
        match answer {
            Revoked::Now => first.push(racer),
            other => assert_before(&other, &mark, "the other calls return the first revocation"),
        }
    }
    assert_eq!(first, mark.note, "the note is that of the first revocation");
    assert_eq!(fixture.events().await, vec![first], "only the first revocation writes an event");
}
