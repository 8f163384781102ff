//! Mint: records that are stored in the same step in which another is replaced.

use keyfob::store::{
    EpochScope, Epochs, MarkScope, NewRecord, Order, RecordVersion, Replace, Replaced, StampRule,
};

use super::fixture::{Fixture, same_local_bytes, texts};

/// Minted records are stored with their terms, uses and the given stamp.
pub(super) async fn the_minted_are_stored_in_the_same_step(fixture: Fixture) {
    let lane = fixture.lane(0);
    let tag = fixture.tag("minted");
    let parent = fixture.record(lane);
    let seen = fixture.insert(parent.clone()).await;
    fixture.advance(EpochScope::Lane(lane, fixture.subject_epoch("other"))).await;
    let mint = |stamp| NewRecord {
        uses_left: Some(3),
        terms: vec![tag],
        stamp,
        keep_until: parent.keep_until,
        ..fixture.record(lane)
    };
    let minted = vec![mint(StampRule::Seen(seen)), mint(StampRule::Present)];
    let mut ids: Vec<_> = minted.iter().map(|record| record.id).collect();
    let events = texts(&["rotated"]);
    let replace =
        Replace { minted, events, ..fixture.replacement(parent.id, RecordVersion(1), b"two") };
    let replaced =
        fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(
        replaced,
        Replaced::Stored(RecordVersion(2)),
        "the version that was read is current"
    );
    let present = fixture.stamp(lane).await;
    for (id, stamp) in ids.iter().zip([seen, present]) {
        let loaded = fixture.loaded(*id).await;
        assert_eq!(loaded.stamp, stamp, "the record has the given stamp");
        assert_eq!(loaded.version, RecordVersion(1), "a minted record has version 1");
        assert_eq!(loaded.uses_left, Some(3), "the record has its uses");
        assert!(loaded.is_clear(), "the record is valid");
    }
    ids.sort_by(|one, other| other.cmp(one));
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, ids, "each minted record is listed");
    assert_eq!(fixture.events().await, texts(&["rotated"]), "one event for the step");
}

/// A minted id that is taken changes nothing, not even the record that was read.
pub(super) async fn a_taken_id_changes_nothing(fixture: Fixture) {
    let lane = fixture.lane(0);
    let tag = fixture.tag("minted");
    let (parent, other) = (fixture.record(lane), fixture.record(lane));
    fixture.insert_all(vec![parent.clone(), other.clone()]).await;
    for taken in [other.id, same_local_bytes(other.id), parent.id] {
        let fits = NewRecord { terms: vec![tag], ..fixture.record(lane) };
        let fitting = fits.id;
        let clash = NewRecord { id: taken, terms: vec![tag], ..fixture.record(lane) };
        for minted in [vec![clash.clone()], vec![fits, clash]] {
            let replace = Replace {
                added_terms: vec![tag],
                minted,
                events: texts(&["rotated"]),
                ..fixture.replacement(parent.id, RecordVersion(1), b"two")
            };
            let replaced = fixture.store().replace(fixture.operation(), replace).await;
            assert_eq!(
                replaced.expect("the store answers"),
                Replaced::IdTaken,
                "the id {taken} is taken"
            );
        }
        assert!(fixture.load(fitting).await.is_none(), "no other minted record is stored");
    }
    let loaded = fixture.loaded(parent.id).await;
    assert_eq!(
        (loaded.version, loaded.body),
        (RecordVersion(1), parent.body),
        "the parent is unchanged"
    );
    assert_eq!(fixture.loaded(other.id).await.body, other.body, "the other record stays");
    let listed = fixture.list_ids(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "nothing is listed");
    assert_eq!(fixture.events().await, texts(&[]), "there is no event");
}

/// A replacement is refused if an epoch covers a record to be minted, even if the parent is valid:
/// the parent does not have the epoch field, or was stored later.
pub(super) async fn a_covered_mint_is_never_stored(fixture: Fixture) {
    let lane = fixture.lane(0);
    let client = fixture.client_epoch("client");
    let epochs = Epochs { client: Some(client), ..Epochs::default() };
    let (other, later) = (fixture.record(lane), fixture.record(lane));
    let later = NewRecord { epochs: epochs.clone(), ..later };
    let seen = fixture.insert(other.clone()).await;
    fixture.advance(EpochScope::EveryLane(client)).await;
    fixture.insert(later.clone()).await;
    for parent in [other, later] {
        let (epochs, stamp) = (epochs.clone(), StampRule::Seen(seen));
        let minted = NewRecord { epochs, stamp, ..fixture.record(lane) };
        let mint = minted.id;
        let replacement = fixture.replacement(parent.id, RecordVersion(1), b"two");
        let replace = Replace { minted: vec![minted], ..replacement };
        let replaced =
            fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
        assert_eq!(replaced, Replaced::Ended, "an ancestor of the minted record was revoked");
        assert!(fixture.load(mint).await.is_none(), "the minted record is not stored");
        let loaded = fixture.loaded(parent.id).await;
        assert_eq!(
            (loaded.version, loaded.body),
            (RecordVersion(1), parent.body),
            "the parent is unchanged"
        );
    }
}

/// In any order of replacements with mints and a cascading revocation, no descendant stays valid.
pub(super) async fn no_mint_escapes_a_cascade(fixture: Fixture) {
    for round in 0..8 {
        let lane = fixture.lane(round);
        let parent = fixture.record(lane);
        let id = parent.id;
        let field = fixture.ancestor_epoch(id);
        let seen = fixture.insert(parent.clone()).await;
        let minter = {
            let (fixture, parent) = (fixture.clone(), parent.clone());
            tokio::spawn(async move {
                let mut minted = Vec::new();
                for version in 1.. {
                    let epochs = Epochs { ancestors: vec![field], ..Epochs::default() };
                    let child = NewRecord {
                        epochs,
                        stamp: StampRule::Seen(seen),
                        keep_until: parent.keep_until,
                        ..fixture.record(lane)
                    };
                    minted.push(child.id);
                    let replace = Replace {
                        minted: vec![child],
                        ..fixture.replacement(id, RecordVersion(version), b"next")
                    };
                    let replaced = fixture.store().replace(fixture.operation(), replace).await;
                    match replaced.expect("the store answers") {
                        Replaced::Stored(_) => {}
                        other => {
                            assert_eq!(
                                other,
                                Replaced::Ended,
                                "only the revocation stops the replacements"
                            );
                            break;
                        }
                    }
                    tokio::task::yield_now().await;
                }
                minted
            })
        };
        while fixture.loaded(id).await.version < RecordVersion(3) {
            tokio::task::yield_now().await;
        }
        let revoke = keyfob::store::Revoke { cascade: Some(field), ..fixture.revocation(id) };
        fixture.store().revoke(fixture.operation(), revoke).await.expect("the store answers");
        let minted = minter.await.expect("the task did not panic");
        assert!(minted.len() > 2, "some records were minted before the revocation");
        let last = minted[minted.len() - 1];
        assert!(fixture.load(last).await.is_none(), "the refused record is not stored");
        for child in &minted[..minted.len() - 1] {
            fixture
                .assert_revoked(
                    *child,
                    MarkScope::Ancestor(0),
                    "the record descends from the revoked one",
                )
                .await;
        }
    }
}
