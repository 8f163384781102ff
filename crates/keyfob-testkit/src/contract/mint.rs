//! Mint: records that are stored in the same step in which another is replaced.

use keyfob::store::{
    EpochScope, Epochs, MarkScope, NewRecord, Order, RecordVersion, Replace, Replaced, StampRule,
};

use super::scene::{Scene, same_local_bytes, texts};

/// What is minted is stored with its terms, uses and the stamp that it names.
pub async fn the_minted_are_stored_in_the_same_step(scene: Scene) {
    let lane = scene.lane(0);
    let tag = scene.tag("minted");
    let parent = scene.record(lane);
    let seen = scene.insert(parent.clone()).await;
    scene.advance(EpochScope::Lane(lane, scene.subject_epoch("somebody else"))).await;
    let mint = |stamp| NewRecord {
        uses_left: Some(3),
        terms: vec![tag],
        stamp,
        keep_until: parent.keep_until,
        ..scene.record(lane)
    };
    let minted = vec![mint(StampRule::Seen(seen)), mint(StampRule::Present)];
    let mut ids: Vec<_> = minted.iter().map(|record| record.id).collect();
    let events = texts(&["rotated"]);
    let replace =
        Replace { minted, events, ..scene.replacement(parent.id, RecordVersion(1), b"two") };
    let replaced = scene.store().replace(scene.operation(), replace).await.expect("an answer");
    assert_eq!(replaced, Replaced::Stored(RecordVersion(2)), "what was read stands");
    let present = scene.stamp(lane).await;
    for (id, stamp) in ids.iter().zip([seen, present]) {
        let loaded = scene.loaded(*id).await;
        assert_eq!(loaded.stamp, stamp, "the stamp that it was to get");
        assert_eq!(loaded.version, RecordVersion(1), "a minted record is a new one");
        assert_eq!(loaded.uses_left, Some(3), "with its uses");
        assert!(loaded.is_clear(), "nothing is against it");
    }
    ids.sort_by(|one, other| other.cmp(one));
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, ids, "each is listed");
    assert_eq!(scene.events().await, texts(&["rotated"]), "one event for the step");
}

/// A minted id that is taken changes nothing, not even the record that was read.
pub async fn a_taken_id_changes_nothing(scene: Scene) {
    let lane = scene.lane(0);
    let tag = scene.tag("minted");
    let (parent, other) = (scene.record(lane), scene.record(lane));
    scene.insert_all(vec![parent.clone(), other.clone()]).await;
    for taken in [other.id, same_local_bytes(other.id), parent.id] {
        let fits = NewRecord { terms: vec![tag], ..scene.record(lane) };
        let fitting = fits.id;
        let clash = NewRecord { id: taken, terms: vec![tag], ..scene.record(lane) };
        for minted in [vec![clash.clone()], vec![fits, clash]] {
            let replace = Replace {
                added_terms: vec![tag],
                minted,
                events: texts(&["rotated"]),
                ..scene.replacement(parent.id, RecordVersion(1), b"two")
            };
            let replaced = scene.store().replace(scene.operation(), replace).await;
            assert_eq!(replaced.expect("an answer"), Replaced::IdTaken, "{taken} is taken");
        }
        assert!(scene.load(fitting).await.is_none(), "the other mint was not stored either");
    }
    let loaded = scene.loaded(parent.id).await;
    assert_eq!((loaded.version, loaded.body), (RecordVersion(1), parent.body), "it stays");
    assert_eq!(scene.loaded(other.id).await.body, other.body, "the other record stays");
    let listed = scene.list_ids(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed, [], "nothing is listed");
    assert_eq!(scene.events().await, texts(&[]), "nothing happened");
}

/// An epoch that covers what is to be minted ends the step, though the parent is clear: because it
/// does not answer to the epoch, or because it was stored later.
pub async fn a_covered_mint_is_never_stored(scene: Scene) {
    let lane = scene.lane(0);
    let client = scene.client_epoch("client");
    let epochs = Epochs { client: Some(client), ..Epochs::default() };
    let (other, later) = (scene.record(lane), scene.record(lane));
    let later = NewRecord { epochs: epochs.clone(), ..later };
    let seen = scene.insert(other.clone()).await;
    scene.advance(EpochScope::EveryLane(client)).await;
    scene.insert(later.clone()).await;
    for parent in [other, later] {
        let (epochs, stamp) = (epochs.clone(), StampRule::Seen(seen));
        let minted = NewRecord { epochs, stamp, ..scene.record(lane) };
        let mint = minted.id;
        let replacement = scene.replacement(parent.id, RecordVersion(1), b"two");
        let replace = Replace { minted: vec![minted], ..replacement };
        let replaced = scene.store().replace(scene.operation(), replace).await.expect("an answer");
        assert_eq!(replaced, Replaced::Ended, "what the mint rests on was revoked");
        assert!(scene.load(mint).await.is_none(), "it was not stored");
        let loaded = scene.loaded(parent.id).await;
        assert_eq!((loaded.version, loaded.body), (RecordVersion(1), parent.body), "it stays");
    }
}

/// Of replacements with mints and a revocation that cascades, whatever the order, no descendant
/// lives on.
pub async fn no_mint_escapes_a_cascade(scene: Scene) {
    for round in 0..8 {
        let lane = scene.lane(round);
        let parent = scene.record(lane);
        let id = parent.id;
        let field = scene.ancestor_epoch(id);
        let seen = scene.insert(parent.clone()).await;
        let minter = {
            let (scene, parent) = (scene.clone(), parent.clone());
            tokio::spawn(async move {
                let mut minted = Vec::new();
                for version in 1.. {
                    let epochs = Epochs { ancestors: vec![field], ..Epochs::default() };
                    let child = NewRecord {
                        epochs,
                        stamp: StampRule::Seen(seen),
                        keep_until: parent.keep_until,
                        ..scene.record(lane)
                    };
                    minted.push(child.id);
                    let replace = Replace {
                        minted: vec![child],
                        ..scene.replacement(id, RecordVersion(version), b"next")
                    };
                    let replaced = scene.store().replace(scene.operation(), replace).await;
                    match replaced.expect("an answer") {
                        Replaced::Stored(_) => {}
                        other => {
                            assert_eq!(other, Replaced::Ended, "only the revocation ends it");
                            break;
                        }
                    }
                    tokio::task::yield_now().await;
                }
                minted
            })
        };
        while scene.loaded(id).await.version < RecordVersion(3) {
            tokio::task::yield_now().await;
        }
        let revoke = keyfob::store::Revoke { cascade: Some(field), ..scene.revocation(id) };
        scene.store().revoke(scene.operation(), revoke).await.expect("an answer");
        let minted = minter.await.expect("the minter");
        assert!(minted.len() > 2, "something was minted before");
        let last = minted[minted.len() - 1];
        assert!(scene.load(last).await.is_none(), "the mint that was refused is not there");
        for child in &minted[..minted.len() - 1] {
            scene.assert_revoked(*child, MarkScope::Ancestor(0), "it descends from it").await;
        }
    }
}
