//! Stamp: a stamp that was read before an epoch advanced cannot be stored after it.

use keyfob::store::{
    Advance, EpochField, EpochScope, Epochs, Insert, Inserted, Lane, NewRecord, Order, Stamp,
    StampRule,
};

use super::fixture::{Fixture, texts};

/// The epoch fields of a login, each with the scope that revokes it.
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
            fixture.store().insert(fixture.operation(), insert).await.expect("the store answers");
        assert_eq!(
            inserted,
            Inserted::Superseded,
            "{scope:?} was advanced after the stamp was read"
        );
        for id in ids {
            assert!(fixture.load(id).await.is_none(), "{scope:?}: all records are stored or none");
        }
        let fresh = fixture.stamp(lane).await;
        let again = login(StampRule::Seen(fresh));
        let id = again.id;
        assert_eq!(
            fixture.insert(again).await,
            fresh,
            "{scope:?}: a stamp read after the advance is valid"
        );
        fixture.assert_clear(id, "a record with the later stamp is valid").await;
        fixture.revoke(id).await;
    }
    let listed = fixture.list(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed.len(), 4, "only the stored records are listed");
    assert_eq!(fixture.events().await, texts(&[]), "no login wrote an event");
}

/// A record is stored with the stamp that the caller gives. An epoch of another field does not
/// prevent that.
pub(super) async fn a_given_stamp_is_kept(fixture: Fixture) {
    let lane = fixture.lane(0);
    let seen = fixture.stamp(lane).await;
    let other = fixture.subject_epoch("other");
    for _ in 0..3 {
        fixture.advance(EpochScope::Lane(lane, other)).await;
    }
    let field = fixture.subject_epoch("user");
    let epochs = Epochs { subject: Some(field), ..Epochs::default() };
    let record = NewRecord { epochs, stamp: StampRule::Seen(seen), ..fixture.record(lane) };
    let id = record.id;
    assert_eq!(fixture.insert(record).await, seen, "the insert returns the given stamp");
    let loaded = fixture.loaded(id).await;
    assert_eq!(loaded.stamp, seen, "the record has the given stamp");
    assert!(loaded.is_clear(), "no epoch of the record was advanced");
    fixture.advance(EpochScope::Lane(lane, field)).await;
    assert!(!fixture.loaded(id).await.is_clear(), "the epoch of its own field revokes the record");
}

/// A stamp of an unused lane is valid.
pub(super) async fn a_stamp_of_a_new_lane_is_valid(fixture: Fixture) {
    for lane in fixture.lanes() {
        let seen = fixture.stamp(lane).await;
        assert_eq!(fixture.stamp(lane).await, seen, "the stamp is unchanged without an advance");
        let record = NewRecord { stamp: StampRule::Seen(seen), ..fixture.record(lane) };
        let id = record.id;
        assert_eq!(fixture.insert(record).await, seen, "the insert returns the same stamp");
        fixture.assert_clear(id, "the record is valid").await;
    }
}

/// A stamp outside the lane's sequence is refused: a later epoch might not cover its record.
pub(super) async fn a_stamp_from_the_future_is_refused(fixture: Fixture) {
    let lane = fixture.lane(0);
    let present = fixture.stamp(lane).await;
    for stamp in [present.next(), Stamp::new((1 << 53) - 1), Stamp::new(0)] {
        let record = NewRecord { stamp: StampRule::Seen(stamp), ..fixture.record(lane) };
        let id = record.id;
        let inserted = fixture.try_insert(vec![record]).await.expect("the store answers");
        assert_eq!(inserted, Inserted::Superseded, "{stamp:?} is outside the sequence");
        assert!(fixture.load(id).await.is_none(), "nothing was stored");
    }
}

/// Each lane has its own sequence.
pub(super) async fn each_lane_has_its_own_sequence(fixture: Fixture) {
    let (lane, other) = (fixture.lane(0), fixture.lane(1));
    let (mut stamp, still) = (fixture.stamp(lane).await, fixture.stamp(other).await);
    for _ in 0..5 {
        fixture.advance(EpochScope::Lane(lane, fixture.subject_epoch("user"))).await;
        let next = fixture.stamp(lane).await;
        assert!(next > stamp, "every advance increases the sequence");
        stamp = next;
    }
    if lane != other {
        assert_eq!(
            fixture.stamp(other).await,
            still,
            "the sequence of the other lane is unchanged"
        );
    }
    fixture.insert(fixture.record(lane)).await;
    assert_eq!(fixture.stamp(lane).await, stamp, "an insert does not change the sequence");
}

/// Logins concurrent with a revoke-all are superseded, revoked, or have a later stamp.
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
                match fixture.try_insert(vec![login]).await.expect("the store answers") {
                    Inserted::Stored(stamp) => {
                        assert_eq!(stamp, seen, "the record has the given stamp");
                        stored.push((id, seen));
                    }
                    other => assert_eq!(
                        other,
                        Inserted::Superseded,
                        "only the advance can refuse a login"
                    ),
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
        fixture.store().advance(fixture.operation(), advance).await.expect("the store answers");
        last = fixture.stamp(lane).await;
        tokio::task::yield_now().await;
    }
    for login in logins {
        for (id, seen) in login.await.expect("the task did not panic") {
            let clear = fixture.loaded(id).await.is_clear();
            assert_eq!(clear, seen >= last, "{seen:?} with the epoch at {last:?}");
        }
    }
}
