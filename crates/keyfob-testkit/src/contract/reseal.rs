//! Resealing: the same record in another encoding.

use std::collections::HashSet;

use keyfob::seal::KeyVersion;
use keyfob::store::{
    Epochs, Loaded, NewRecord, Order, RecordVersion, Replaced, Reseal, Resealed, Revoke,
    StoreError, Term,
};
use keyfob::{TokenId, Ttl};

use super::fixture::{Fixture, same_local_bytes, texts};

/// Returns a reseal that only changes the body.
fn reseal(id: TokenId, read: RecordVersion, body: &[u8]) -> Reseal {
    let (added_terms, former_terms) = (Vec::new(), Vec::new());
    Reseal { id, read, body: body.to_vec(), key: KeyVersion::PLAINTEXT, added_terms, former_terms }
}

async fn send(fixture: &Fixture, reseal: Reseal) -> Resealed {
    let resealed = fixture.store().reseal(fixture.operation(), reseal).await;
    resealed.expect("reseal succeeds")
}

/// The parts of a record that a reseal does not change.
fn rest(loaded: &Loaded) -> impl PartialEq + std::fmt::Debug + use<> {
    let Loaded { id, stamp, keep_until, uses_left, last_used, epochs, verdict, .. } =
        loaded.clone();
    (id, stamp, keep_until, uses_left, last_used, epochs, verdict)
}

/// Body and terms change, and the version increases. Stamp, times, uses and epochs stay. There is
/// no event.
pub(super) async fn only_the_encoding_changes(fixture: Fixture) {
    let (subject, lane) = fixture.subject("resealed");
    let (old, new, stays) = (fixture.tag("old"), fixture.tag("new"), fixture.tag("stays"));
    let epochs = Epochs { subject: Some(fixture.subject_epoch("resealed")), ..Epochs::default() };
    let terms = vec![old, stays, subject];
    let record = NewRecord { terms, epochs, uses_left: Some(3), ..fixture.record(lane) };
    let id = record.id;
    fixture.insert(record).await;
    let before = fixture.loaded(id).await;
    let change = Reseal {
        added_terms: vec![new],
        former_terms: vec![old],
        ..reseal(id, before.version, b"another form")
    };
    assert_eq!(send(&fixture, change).await, Resealed::Done);
    let after = fixture.loaded(id).await;
    assert_eq!(after.body, b"another form");
    assert_eq!(rest(&after), rest(&before));
    for (term, listed) in [(old, vec![]), (new, vec![id]), (stays, vec![id]), (subject, vec![id])] {
        for order in [Order::NewestFirst, Order::NextToExpire] {
            assert_eq!(fixture.list_ids(fixture.query(term, order, 10)).await, listed, "{term:?}");
        }
    }
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
    assert_eq!(after.version, RecordVersion(before.version.0 + 1));
    for (read, outcome) in [
        (before.version, Replaced::Stale),
        (after.version, Replaced::Stored(RecordVersion(after.version.0 + 1))),
    ] {
        let replace = fixture.replacement(id, read, b"changed");
        let replaced = fixture.store().replace(fixture.operation(), replace).await;
        assert_eq!(
            replaced.expect("the store answers"),
            outcome,
            "a writer with the old version must read again"
        );
    }
}

/// A reseal does not overwrite a newer change.
pub(super) async fn a_different_version_is_stale(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record).await;
    let replace = fixture.replacement(id, RecordVersion(1), b"two");
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    for read in [RecordVersion(1), RecordVersion(3)] {
        assert_eq!(send(&fixture, reseal(id, read, b"one again")).await, Resealed::Stale);
    }
    assert_eq!(fixture.loaded(id).await.body, b"two", "the record is unchanged");
}

/// A reseal creates no record.
pub(super) async fn a_missing_record_is_never_created(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let (id, body) = (record.id, record.body.clone());
    fixture.insert(record).await;
    for missing in [fixture.id(fixture.lane(0)), same_local_bytes(id)] {
        let change = reseal(missing, RecordVersion(1), b"from nothing");
        assert_eq!(send(&fixture, change).await, Resealed::Missing);
        assert!(fixture.load(missing).await.is_none(), "no record was created");
    }
    assert_eq!(fixture.loaded(id).await.body, body, "the existing record is unchanged");
}

/// A revoked record is resealed too, and stays revoked, with its note.
pub(super) async fn a_revoked_record_stays_revoked(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record).await;
    let revoke = Revoke { note: b"logout".to_vec(), ..fixture.revocation(id) };
    fixture.store().revoke(fixture.operation(), revoke).await.expect("the store answers");
    let before = fixture.loaded(id).await;
    assert!(!before.is_clear());
    assert_eq!(send(&fixture, reseal(id, before.version, b"another form")).await, Resealed::Done);
    let after = fixture.loaded(id).await;
    assert_eq!((after.body.as_slice(), rest(&after)), (&b"another form"[..], rest(&before)));
}

/// A repeated reseal is stale.
pub(super) async fn a_repetition_is_stale(fixture: Fixture) {
    let (old, new) = (fixture.tag("old"), fixture.tag("new"));
    let record = NewRecord { terms: vec![old], ..fixture.record(fixture.lane(1)) };
    let id = record.id;
    fixture.insert(record).await;
    let operation = fixture.operation();
    for outcome in [Resealed::Done, Resealed::Stale, Resealed::Stale] {
        let change = Reseal {
            added_terms: vec![new],
            former_terms: vec![old],
            ..reseal(id, RecordVersion(1), b"another form")
        };
        let resealed = fixture.store().reseal(operation, change).await.expect("the store answers");
        assert_eq!(resealed, outcome);
        let loaded = fixture.loaded(id).await;
        assert_eq!((loaded.body.as_slice(), loaded.version.0), (&b"another form"[..], 2));
        assert_eq!(fixture.list_ids(fixture.query(new, Order::NewestFirst, 9)).await, [id]);
        assert_eq!(fixture.list_ids(fixture.query(old, Order::NewestFirst, 9)).await, []);
    }
}

/// A reseal after its deadline does nothing.
pub(super) async fn a_late_reseal_does_nothing(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let (id, body) = (record.id, record.body.clone());
    fixture.insert(record).await;
    let mut operation = fixture.operation();
    operation.deadline = fixture.now().saturating_sub(Ttl::from_secs(5));
    let late = fixture.store().reseal(operation, reseal(id, RecordVersion(1), b"late")).await;
    assert!(matches!(late, Err(StoreError::DeadlinePassed { .. })), "refused, not {late:?}");
    assert_eq!(fixture.loaded(id).await.body, body, "the record is unchanged");
}

/// A body above the maximum size is refused.
pub(super) async fn a_body_that_is_too_large_is_refused(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let (id, body) = (record.id, record.body.clone());
    fixture.insert(record).await;
    let large = vec![7; NewRecord::MAX_BODY + 1];
    let change = reseal(id, RecordVersion(1), &large);
    let refused = fixture.store().reseal(fixture.operation(), change).await;
    assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "refused, not {refused:?}");
    assert_eq!(fixture.loaded(id).await.body, body, "the record is unchanged");
}

/// Hundreds of records move from one term to another. Each is listed once under the new term and
/// not under the old one.
pub(super) async fn a_former_term_lists_no_record(fixture: Fixture) {
    let (narrow, lane) = fixture.subject("before");
    let (broad, after) =
        (fixture.tag("before"), [fixture.tag("after"), fixture.subject("after").0]);
    let mut ids = Vec::new();
    for n in 0..300 {
        let keep_until = fixture.now() + Ttl::from_secs(3600 * (1 + n % 7 * 50));
        let record = NewRecord { keep_until, terms: vec![narrow, broad], ..fixture.record(lane) };
        ids.push(record.id);
        fixture.insert(record).await;
    }
    for id in &ids {
        let change = Reseal {
            added_terms: after.to_vec(),
            former_terms: vec![narrow, broad],
            ..reseal(*id, RecordVersion(1), b"moved")
        };
        assert_eq!(send(&fixture, change).await, Resealed::Done);
    }
    let expected: HashSet<TokenId> = ids.into_iter().collect();
    let listed = async |term: Term, order| fixture.list_ids(fixture.query(term, order, 40)).await;
    for order in [Order::NewestFirst, Order::NextToExpire] {
        for term in after {
            let found = listed(term, order).await;
            assert_eq!(found.len(), 300, "{term:?}, {order:?}: each record is listed once");
            assert_eq!(found.into_iter().collect::<HashSet<_>>(), expected);
        }
        for term in [narrow, broad] {
            assert_eq!(listed(term, order).await, [], "{term:?}, {order:?}: no record is listed");
        }
    }
}

/// In any order of reseals and replacements, no replacement is undone.
pub(super) async fn no_replacement_is_undone(fixture: Fixture) {
    let record = NewRecord { body: vec![1], ..fixture.record(fixture.lane(1)) };
    let id = record.id;
    fixture.insert(record).await;
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let resealers = [(); 3].map(|()| {
        let (fixture, stopped) = (fixture.clone(), stopped.clone());
        tokio::spawn(async move {
            while !*stopped.borrow() {
                let loaded = fixture.loaded(id).await;
                // The same record in another encoding: its content is the first byte.
                let form = [loaded.body[0], loaded.body.len() as u8];
                send(&fixture, reseal(id, loaded.version, &form)).await;
                tokio::time::sleep(std::time::Duration::from_micros(300)).await;
            }
        })
    });
    for number in 2..=60u8 {
        loop {
            let read = fixture.loaded(id).await;
            assert_eq!(read.body[0], number - 1, "the last replacement is unchanged");
            let replace = fixture.replacement(id, read.version, &[number]);
            let replaced = fixture.store().replace(fixture.operation(), replace).await;
            match replaced.expect("the store answers") {
                Replaced::Stored(_) => break,
                other => assert_eq!(other, Replaced::Stale, "a reseal came first"),
            }
        }
        // Lets the resealers run.
        tokio::time::sleep(std::time::Duration::from_micros(200)).await;
    }
    stop.send(true).expect("the resealers still run");
    for resealer in resealers {
        resealer.await.expect("the task did not panic");
    }
    assert_eq!(fixture.loaded(id).await.body[0], 60, "the last replacement is unchanged");
}
