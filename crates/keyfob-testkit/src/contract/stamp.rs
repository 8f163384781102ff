//! Stamp: what was read before an epoch moved cannot be stored after it.

use keyfob::store::{
    Advance, EpochField, EpochScope, Epochs, Insert, Inserted, Lane, NewRecord, Order, Stamp,
    StampRule,
};

use super::fixture::{Fixture, texts};

/// The fields that a login answers to, each with the scope that revokes it.
fn fields(fixture: &Fixture, lane: Lane) -> Vec<(Epochs, EpochScope)> {
    let subject = fixture.subject_epoch("user");
    let client = fixture.client_epoch("client");
    let ancestor: EpochField = fixture.ancestor_epoch(fixture.id(lane));
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
pub(super) async fn a_login_that_an_advance_overtook_stores_nothing(fixture: Fixture) {
    let lane = fixture.lane(0);
    let tag = fixture.tag("login");
    for (epochs, scope) in fields(&fixture, lane) {
        let stamp = fixture.stamp(lane).await;
        let login = |rule| NewRecord {
            epochs: epochs.clone(),
            terms: vec![tag],
            stamp: rule,
            ..fixture.record(lane)
        };
        fixture.advance(scope).await;
        let (plain, late) = (login(StampRule::Present), login(StampRule::Seen(stamp)));
        let ids = [plain.id, late.id];
        let insert = Insert { records: vec![plain, late], events: texts(&["login"]) };
        let inserted =
            fixture.store().insert(fixture.operation(), insert).await.expect("an answer");
        assert_eq!(inserted, Inserted::Superseded, "{scope:?} moved after the stamp was read");
        for id in ids {
            assert!(fixture.load(id).await.is_none(), "{scope:?}: all or none");
        }
        let fresh = fixture.stamp(lane).await;
        let again = login(StampRule::Seen(fresh));
        let id = again.id;
        assert_eq!(fixture.insert(again).await, fresh, "{scope:?}: a stamp read after it is good");
        fixture.assert_clear(id, "it was read after the advance").await;
        fixture.revoke(id).await;
    }
    let listed = fixture.list(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed.len(), 4, "only those that were stored are listed");
    assert_eq!(fixture.events().await, texts(&[]), "no login happened");
}

/// A stamp that was seen is the stamp that is stored, and an epoch of another field is no reason
/// against it.
pub(super) async fn a_given_stamp_is_kept(fixture: Fixture) {
    let lane = fixture.lane(0);
    let seen = fixture.stamp(lane).await;
    let other = fixture.subject_epoch("somebody else");
    for _ in 0..3 {
        fixture.advance(EpochScope::Lane(lane, other)).await;
    }
    let field = fixture.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let record = NewRecord { epochs, stamp: StampRule::Seen(seen), ..fixture.record(lane) };
    let id = record.id;
    assert_eq!(fixture.insert(record).await, seen, "the answer names the stamp that was seen");
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.stamp, seen, "it is stored with the stamp that was seen");
    assert!(loaded.is_clear(), "none of its own fields has moved");
    fixture.advance(EpochScope::Lane(lane, field)).await;
    assert!(!fixture.loaded(id).await.is_clear(), "its own field covers it");
}

/// A stamp of a lane that nobody wrote to is as good as any.
pub(super) async fn a_stamp_of_a_new_lane_is_valid(fixture: Fixture) {
    for lane in fixture.lanes() {
        let seen = fixture.stamp(lane).await;
        assert_eq!(fixture.stamp(lane).await, seen, "it stands while no epoch moves");
        let record = NewRecord { stamp: StampRule::Seen(seen), ..fixture.record(lane) };
        let id = record.id;
        assert_eq!(fixture.insert(record).await, seen, "nothing moved since");
        fixture.assert_clear(id, "nothing is against it").await;
    }
}

/// A stamp that the lane never gave out cannot be stored: it would outlive epochs to come.
pub(super) async fn a_stamp_from_the_future_is_refused(fixture: Fixture) {
    let lane = fixture.lane(0);
    let present = fixture.stamp(lane).await;
    for stamp in [present.next(), Stamp::new((1 << 53) - 1), Stamp::new(0)] {
        let record = NewRecord { stamp: StampRule::Seen(stamp), ..fixture.record(lane) };
        let id = record.id;
        let inserted = fixture.try_insert(vec![record]).await.expect("an answer");
        assert_eq!(inserted, Inserted::Superseded, "{stamp:?} is not of this sequence");
        assert!(fixture.load(id).await.is_none(), "nothing was stored");
    }
}

/// Each lane counts by itself.
pub(super) async fn each_lane_has_its_own_sequence(fixture: Fixture) {
    let (lane, other) = (fixture.lane(0), fixture.lane(1));
    let (mut stamp, still) = (fixture.stamp(lane).await, fixture.stamp(other).await);
    for _ in 0..5 {
        fixture.advance(EpochScope::Lane(lane, fixture.subject_epoch("user"))).await;
        let next = fixture.stamp(lane).await;
        assert!(next > stamp, "every advance counts up");
        stamp = next;
    }
    if lane != other {
        assert_eq!(fixture.stamp(other).await, still, "the other lane stands");
    }
    fixture.insert(fixture.record(lane)).await;
    assert_eq!(fixture.stamp(lane).await, stamp, "an insert does not count up");
}

/// Logins that race a revoke-all: each is superseded, dead, or began after it.
pub(super) async fn a_concurrent_login_is_revoked_or_has_a_later_stamp(fixture: Fixture) {
    let lane = fixture.lane(1);
    let field = fixture.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let logins = (0..6).map(|_| {
        let (fixture, epochs) = (fixture.clone(), epochs.clone());
        tokio::spawn(async move {
            let mut stored = Vec::new();
            for _ in 0..10 {
                let seen = fixture.stamp(lane).await;
                // The password is checked here.
                tokio::task::yield_now().await;
                let epochs = epochs.clone();
                let login =
                    NewRecord { epochs, stamp: StampRule::Seen(seen), ..fixture.record(lane) };
                let id = login.id;
                match fixture.try_insert(vec![login]).await.expect("an answer") {
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
    let mut last = fixture.stamp(lane).await;
    for _ in 0..5 {
        let scope = EpochScope::Lane(lane, field);
        let advance = Advance::new(scope, fixture.now());
        fixture.store().advance(fixture.operation(), advance).await.expect("an answer");
        last = fixture.stamp(lane).await;
        tokio::task::yield_now().await;
    }
    for login in logins {
        for (id, seen) in login.await.expect("a login") {
            let clear = fixture.loaded(id).await.is_clear();
            assert_eq!(clear, seen >= last, "{seen:?} with the epoch at {last:?}");
        }
    }
}
