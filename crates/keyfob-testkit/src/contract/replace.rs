//! Replace: changes only the version that was read, creates no record, extends no retention.

use keyfob::Ttl;
use keyfob::store::{
    EpochScope, Epochs, MarkScope, NewRecord, Order, RecordVersion, Replace, Replaced, StoreError,
    Verdict,
};

use super::fixture::{Fixture, texts};

async fn send(fixture: &Fixture, replace: Replace) -> Replaced {
    fixture.store().replace(fixture.operation(), replace).await.expect("replace succeeds")
}

/// Replaces the version that was read. The version increases; the other fields do not change.
pub(super) async fn the_current_version_is_replaced(fixture: Fixture) {
    let lane = fixture.lane(0);
    let record = NewRecord { uses_left: Some(4), ..fixture.record(lane) };
    let id = record.id;
    let stamp = fixture.insert(record.clone()).await;
    fixture.advance(EpochScope::Lane(lane, fixture.subject_epoch("other"))).await;
    let sizes = [0, 1, NewRecord::MAX_BODY];
    for (version, size) in (1..).zip(sizes) {
        let body: Vec<u8> = (0..size).map(|n| (n % 253) as u8).collect();
        let replace = fixture.replacement(id, RecordVersion(version), &body);
        let next = RecordVersion(version + 1);
        assert_eq!(
            send(&fixture, replace).await,
            Replaced::Stored(next),
            "the version that was read is current"
        );
        let loaded = fixture.loaded(id).await;
        assert!(loaded.body == body, "the new body of {size} bytes comes back");
        assert_eq!(loaded.version, next, "the version increases by one");
        assert_eq!(loaded.stamp, stamp, "a replacement keeps the stamp");
        assert_eq!(
            loaded.keep_until, record.keep_until,
            "a replacement does not extend the retention"
        );
        assert_eq!(loaded.uses_left, Some(4), "the uses stay");
        assert_eq!(loaded.verdict, Verdict::Clear, "the record is valid");
    }
}

/// Any version other than the current one is stale and changes nothing.
pub(super) async fn a_different_version_is_stale(fixture: Fixture) {
    let tag = fixture.tag("added");
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record).await;
    assert_eq!(
        send(&fixture, fixture.replacement(id, RecordVersion(1), b"two")).await,
        Replaced::Stored(RecordVersion(2)),
        "the version that was read is current"
    );
    for version in [0, 1, 3, u32::MAX] {
        let minted = fixture.record(id.lane());
        let mint = minted.id;
        let replace = Replace {
            added_terms: vec![tag],
            minted: vec![minted],
            events: texts(&["stale"]),
            ..fixture.replacement(id, RecordVersion(version), b"stale")
        };
        assert_eq!(
            send(&fixture, replace).await,
            Replaced::Stale,
            "version {version} is not current"
        );
        assert!(fixture.load(mint).await.is_none(), "nothing was minted");
    }
    let loaded = fixture.loaded(id).await;
    assert_eq!(
        (loaded.version, &loaded.body[..]),
        (RecordVersion(2), &b"two"[..]),
        "the record is unchanged"
    );
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "no term was added");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A record that is revoked, directly or by an epoch, is not replaced.
pub(super) async fn a_revoked_record_is_not_replaced(fixture: Fixture) {
    let lane = fixture.lane(0);
    let tag = fixture.tag("added");
    let (subject, client) = (fixture.subject_epoch("user"), fixture.client_epoch("client"));
    let ancestor = fixture.ancestor_epoch(fixture.id(lane));
    for (epochs, scope, through) in [
        (Epochs::default(), None, MarkScope::Token),
        (
            Epochs { subject: Some(subject), ..Epochs::default() },
            Some(EpochScope::Lane(lane, subject)),
            MarkScope::Subject,
        ),
        (
            Epochs { ancestors: vec![ancestor], ..Epochs::default() },
            Some(EpochScope::Lane(lane, ancestor)),
            MarkScope::Ancestor(0),
        ),
        (
            Epochs { client: Some(client), ..Epochs::default() },
            Some(EpochScope::EveryLane(client)),
            MarkScope::Client,
        ),
        (Epochs::default(), Some(EpochScope::All), MarkScope::All),
    ] {
        let record = NewRecord { epochs, ..fixture.record(lane) };
        let id = record.id;
        fixture.insert(record.clone()).await;
        match scope {
            Some(scope) => drop(fixture.advance(scope).await),
            None => drop(fixture.revoke(id).await),
        }
        let minted = fixture.record(lane);
        let mint = minted.id;
        let replace = Replace {
            added_terms: vec![tag],
            minted: vec![minted],
            events: texts(&["late"]),
            ..fixture.replacement(id, RecordVersion(1), b"late")
        };
        assert_eq!(send(&fixture, replace).await, Replaced::Ended, "revoked through {through:?}");
        fixture.assert_revoked(id, through, "the record stays revoked").await;
        let loaded = fixture.loaded(id).await;
        assert_eq!(
            (loaded.version, loaded.body),
            (RecordVersion(1), record.body),
            "the record is unchanged"
        );
        assert!(fixture.load(mint).await.is_none(), "nothing was minted");
    }
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "no term was added");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A missing record is reported as missing and is not created.
pub(super) async fn a_missing_record_is_never_created(fixture: Fixture) {
    let tag = fixture.tag("added");
    let id = fixture.id(fixture.lane(0));
    for version in [0, 1] {
        let minted = fixture.record(id.lane());
        let mint = minted.id;
        let replace = Replace {
            added_terms: vec![tag],
            minted: vec![minted],
            events: texts(&["from nothing"]),
            ..fixture.replacement(id, RecordVersion(version), b"from nothing")
        };
        assert_eq!(send(&fixture, replace).await, Replaced::Missing, "there is no such record");
        assert!(fixture.load(id).await.is_none(), "the record was not created");
        assert!(fixture.load(mint).await.is_none(), "nothing was minted");
    }
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "no term was added");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A replacement does not extend the retention.
pub(super) async fn a_replacement_prolongs_nothing(fixture: Fixture) {
    let keep_until = fixture.now() + fixture.brief();
    let record = NewRecord { keep_until, ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    let replaced = send(&fixture, fixture.replacement(id, RecordVersion(1), &[7; 4000])).await;
    // With a real clock, the replacement itself may be too late to prove anything.
    let in_time = fixture.now() < keep_until;
    assert!(!in_time || replaced == Replaced::Stored(RecordVersion(2)), "not {replaced:?}");
    fixture.wait_until(keep_until).await;
    assert!(fixture.load(id).await.is_none(), "an expired record is not found");
}

/// Added and earlier terms list the record, and the events are written.
pub(super) async fn added_terms_list_the_record(fixture: Fixture) {
    let (old, new) = (fixture.tag("old"), fixture.tag("new"));
    let record = NewRecord { terms: vec![old], ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    for (version, body) in [(1, b"one"), (2, b"two")] {
        let replace = Replace {
            added_terms: vec![new, old],
            events: texts(&["changed", "again"]),
            ..fixture.replacement(id, RecordVersion(version), body)
        };
        let next = Replaced::Stored(RecordVersion(version + 1));
        assert_eq!(send(&fixture, replace).await, next, "the version that was read is current");
        for order in [Order::NewestFirst, Order::NextToExpire] {
            for term in [old, new] {
                let listed = fixture.list_ids(fixture.query(term, order, 10)).await;
                assert_eq!(listed, [id], "{order:?}: listed once under each term");
            }
        }
    }
    let happened = texts(&["changed", "again", "changed", "again"]);
    assert_eq!(fixture.events().await, happened, "all events, in order");
}

/// The same operation gets the same answer, also after later writes.
pub(super) async fn the_same_operation_gets_the_same_answer(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let (id, lane) = (record.id, record.id.lane());
    fixture.insert(record).await;
    let operation = fixture.operation();
    let minted = fixture.record(lane);
    let mint = minted.id;
    let replace = Replace {
        minted: vec![minted],
        events: texts(&["changed"]),
        ..fixture.replacement(id, RecordVersion(1), b"two")
    };
    let again = || fixture.store().replace(operation, replace.clone());
    let stored = Replaced::Stored(RecordVersion(2));
    assert_eq!(
        again().await.expect("the store answers"),
        stored,
        "the version that was read is current"
    );
    assert_eq!(again().await.expect("the store answers"), stored, "the same answer immediately");
    for version in 2..12 {
        send(&fixture, fixture.replacement(id, RecordVersion(version), b"later")).await;
    }
    assert_eq!(
        again().await.expect("the store answers"),
        stored,
        "the same answer after ten others"
    );
    fixture.revoke(id).await;
    assert_eq!(
        again().await.expect("the store answers"),
        stored,
        "the same answer after a revocation"
    );
    let loaded = fixture.loaded(id).await;
    let later = (RecordVersion(12), &b"later"[..]);
    assert_eq!((loaded.version, &loaded.body[..]), later, "the replacement had one effect");
    assert!(!loaded.is_clear(), "the revocation stays");
    fixture.assert_clear(mint, "the minted record has its own tombstone").await;
    assert_eq!(fixture.events().await, texts(&["changed"]), "the event was written once");
}

/// A body above the maximum size is refused.
pub(super) async fn a_body_that_is_too_large_is_refused(fixture: Fixture) {
    let record = fixture.record(fixture.lane(0));
    let id = record.id;
    fixture.insert(record.clone()).await;
    let large = vec![7; NewRecord::MAX_BODY + 1];
    let itself = fixture.replacement(id, RecordVersion(1), &large);
    let minted = NewRecord { body: large, ..fixture.record(id.lane()) };
    let its_mint =
        Replace { minted: vec![minted], ..fixture.replacement(id, RecordVersion(1), b"fits") };
    for replace in [itself, its_mint] {
        let refused = fixture.store().replace(fixture.operation(), replace).await;
        assert!(matches!(refused, Err(StoreError::TooLarge { .. })), "refused, not {refused:?}");
        let loaded = fixture.loaded(id).await;
        assert_eq!(
            (loaded.version, &loaded.body),
            (RecordVersion(1), &record.body),
            "the record is unchanged"
        );
    }
}

/// Of concurrent replacements of one version, exactly one succeeds.
pub(super) async fn one_of_many_concurrent_replacements_wins(fixture: Fixture) {
    let record = NewRecord {
        keep_until: fixture.now() + Ttl::from_hours(2),
        ..fixture.record(fixture.lane(1))
    };
    let id = record.id;
    fixture.insert(record).await;
    let racers = (0..6u8).map(|racer| {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            for _ in 0..10 {
                loop {
                    let loaded = fixture.loaded(id).await;
                    let mut body = loaded.body.clone();
                    body.push(racer);
                    match send(&fixture, fixture.replacement(id, loaded.version, &body)).await {
                        Replaced::Stored(_) => break,
                        other => {
                            assert_eq!(other, Replaced::Stale, "another replacement was first");
                        }
                    }
                }
            }
        })
    });
    for racer in racers.collect::<Vec<_>>() {
        racer.await.expect("the task did not panic");
    }
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.version, RecordVersion(61), "each success increased the version by one");
    assert_eq!(loaded.body.len(), 16 + 60, "no success overwrote another");
}
