//! Stamp: what was read before an epoch moved cannot be stored after it.

use keyfob::store::{
    Advance, EpochScope, Epochs, Insert, Inserted, NewRecord, Order, Stamp, StampRule,
};
use keyfob::{EpochField, Lane};

use super::scene::{Scene, texts};

/// The fields that a login answers to, each with the scope that revokes it.
fn fields(scene: &Scene, lane: Lane) -> Vec<(Epochs, EpochScope)> {
    let subject = scene.subject_epoch("user");
    let client = scene.client_epoch("client");
    let ancestor: EpochField = scene.ancestor_epoch(scene.id(lane));
    let epochs = Epochs { subject: Some(subject), client: Some(client), ancestors: vec![ancestor] };
    [
        EpochScope::Lane(lane, subject),
        EpochScope::Lane(lane, ancestor),
        EpochScope::EveryLane(client),
        EpochScope::All,
    ]
    .into_iter()
    .map(|scope| (epochs.clone(), scope))
    .collect()
}

/// A login that read its stamp before a revoke-all stores nothing after it.
pub async fn a_login_overtaken_by_an_advance_stores_nothing(scene: Scene) {
    let lane = scene.lane(0);
    let tag = scene.tag("login");
    for (epochs, scope) in fields(&scene, lane) {
        let stamp = scene.stamp(lane).await;
        let login = |rule| NewRecord {
            epochs: epochs.clone(),
            terms: vec![tag],
            stamp: rule,
            ..scene.record(lane)
        };
        scene.advance(scope).await;
        let (plain, late) = (login(StampRule::Present), login(StampRule::Seen(stamp)));
        let ids = [plain.id, late.id];
        let insert = Insert { records: vec![plain, late], events: texts(&["login"]) };
        let inserted = scene.store().insert(scene.operation(), insert).await.expect("an answer");
        assert_eq!(inserted, Inserted::Superseded, "{scope:?} moved after the stamp was read");
        for id in ids {
            assert!(scene.load(id).await.is_none(), "{scope:?}: all or none");
        }
        let fresh = scene.stamp(lane).await;
        let again = login(StampRule::Seen(fresh));
        let id = again.id;
        assert_eq!(scene.insert(again).await, fresh, "{scope:?}: a stamp read after it is good");
        scene.assert_clear(id, "it was read after the advance").await;
        scene.revoke(id).await;
    }
    let listed = scene.list(scene.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed.len(), 4, "only those that were stored are listed");
    assert_eq!(scene.events().await, texts(&[]), "no login happened");
}

/// A stamp that was seen is the stamp that is stored, and an epoch of another field is no reason
/// against it.
pub async fn a_stamp_that_was_seen_is_kept(scene: Scene) {
    let lane = scene.lane(0);
    let seen = scene.stamp(lane).await;
    let other = scene.subject_epoch("somebody else");
    for _ in 0..3 {
        scene.advance(EpochScope::Lane(lane, other)).await;
    }
    let field = scene.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let record = NewRecord { epochs, stamp: StampRule::Seen(seen), ..scene.record(lane) };
    let id = record.id;
    assert_eq!(scene.insert(record).await, seen, "the answer names the stamp that was seen");
    let loaded = scene.loaded(id).await;
    assert_eq!(loaded.stamp, seen, "it is stored with the stamp that was seen");
    assert!(loaded.is_clear(), "none of its own fields has moved");
    scene.advance(EpochScope::Lane(lane, field)).await;
    assert!(!scene.loaded(id).await.is_clear(), "its own field covers it");
}

/// A stamp of a lane that nobody wrote to is as good as any.
pub async fn a_stamp_of_a_fresh_lane_is_good(scene: Scene) {
    for lane in scene.lanes() {
        let seen = scene.stamp(lane).await;
        assert_eq!(scene.stamp(lane).await, seen, "it stands while no epoch moves");
        let record = NewRecord { stamp: StampRule::Seen(seen), ..scene.record(lane) };
        let id = record.id;
        assert_eq!(scene.insert(record).await, seen, "nothing moved since");
        scene.assert_clear(id, "nothing is against it").await;
    }
}

/// A stamp that the lane never gave out cannot be stored: it would outlive epochs to come.
pub async fn a_stamp_that_was_never_given_is_refused(scene: Scene) {
    let lane = scene.lane(0);
    let present = scene.stamp(lane).await;
    for stamp in [present.next(), Stamp::new((1 << 53) - 1), Stamp::new(0)] {
        let record = NewRecord { stamp: StampRule::Seen(stamp), ..scene.record(lane) };
        let id = record.id;
        let inserted = scene.try_insert(vec![record]).await.expect("an answer");
        assert_eq!(inserted, Inserted::Superseded, "{stamp:?} is not of this sequence");
        assert!(scene.load(id).await.is_none(), "nothing was stored");
    }
}

/// Each lane counts by itself.
pub async fn lanes_count_by_themselves(scene: Scene) {
    let (lane, other) = (scene.lane(0), scene.lane(1));
    let (mut stamp, still) = (scene.stamp(lane).await, scene.stamp(other).await);
    for _ in 0..5 {
        scene.advance(EpochScope::Lane(lane, scene.subject_epoch("user"))).await;
        let next = scene.stamp(lane).await;
        assert!(next > stamp, "every advance counts up");
        stamp = next;
    }
    if lane != other {
        assert_eq!(scene.stamp(other).await, still, "the other lane stands");
    }
    scene.insert(scene.record(lane)).await;
    assert_eq!(scene.stamp(lane).await, stamp, "an insert does not count up");
}

/// Logins that race a revoke-all: each is superseded, dead, or began after it.
pub async fn racing_logins_are_dead_or_later(scene: Scene) {
    let lane = scene.lane(1);
    let field = scene.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let logins = (0..6).map(|_| {
        let (scene, epochs) = (scene.clone(), epochs.clone());
        tokio::spawn(async move {
            let mut stored = Vec::new();
            for _ in 0..10 {
                let seen = scene.stamp(lane).await;
                // The password is checked here.
                tokio::task::yield_now().await;
                let epochs = epochs.clone();
                let login =
                    NewRecord { epochs, stamp: StampRule::Seen(seen), ..scene.record(lane) };
                let id = login.id;
                match scene.try_insert(vec![login]).await.expect("an answer") {
                    Inserted::Stored(stamp) => {
                        assert_eq!(stamp, seen, "the stamp that was seen is kept");
                        stored.push((id, seen));
                    }
                    other => assert_eq!(other, Inserted::Superseded, "only the advance refuses"),
                }
            }
            stored
        })
    });
    let logins: Vec<_> = logins.collect();
    let mut last = scene.stamp(lane).await;
    for _ in 0..5 {
        let scope = EpochScope::Lane(lane, field);
        let advance = Advance::new(scope, scene.now());
        scene.store().advance(scene.operation(), advance).await.expect("an answer");
        last = scene.stamp(lane).await;
        tokio::task::yield_now().await;
    }
    for login in logins {
        for (id, seen) in login.await.expect("a login") {
            let clear = scene.loaded(id).await.is_clear();
            assert_eq!(clear, seen >= last, "{seen:?} with the epoch at {last:?}");
        }
    }
}
