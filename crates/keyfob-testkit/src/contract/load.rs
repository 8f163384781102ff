//! Load: what was stored, byte for byte, under the exact id, for as long as it is kept.

use keyfob::store::{
    Consume, Consumed, EpochScope, Epochs, Lane, LastUse, MarkScope, NewRecord, Order, Query,
    RecordVersion, Replaced, Revoked, Stamp,
};
use keyfob::{Timestamp, Ttl};

use super::fixture::{Fixture, same_local_bytes};

/// An id that nobody stored is unknown.
pub(super) async fn an_unknown_id_is_none(fixture: Fixture) {
    for lane in fixture.lanes() {
        assert!(fixture.load(fixture.id(lane)).await.is_none(), "nothing is stored yet");
    }
    fixture.insert(fixture.record(fixture.lane(0))).await;
    assert!(fixture.load(fixture.id(fixture.lane(0))).await.is_none(), "another id is unknown");
}

/// An id that differs anywhere is unknown to every verb.
pub(super) async fn only_the_exact_id_is_found(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(2), ..fixture.record(fixture.lane(0)) };
    let (id, twin) = (record.id, same_local_bytes(record.id));
    fixture.insert(record).await;
    assert!(fixture.load(twin).await.is_none(), "load takes the whole id");
    let replace = fixture.replacement(twin, RecordVersion(1), b"twin");
    let replaced = fixture.store().replace(fixture.operation(), replace).await.expect("an answer");
    assert_eq!(replaced, Replaced::Missing, "replace takes the whole id");
    let consume = Consume { id: twin };
    let spent = fixture.store().consume(fixture.operation(), consume).await.expect("an answer");
    assert_eq!(spent, Consumed::Refused, "spend takes the whole id");
    fixture.store().touch(&[LastUse::new(twin, fixture.now())]).await.expect("an answer");
    let revoked = fixture.revoke(twin).await;
    assert!(matches!(revoked, Revoked::Missing), "revoke takes the whole id, not {revoked:?}");
    let loaded = fixture.loaded(id).await;
    assert!(loaded.is_clear(), "the record itself is not revoked");
    assert_eq!(loaded.version, RecordVersion(1), "the record itself is not replaced");
    assert_eq!(loaded.uses_left, Some(2), "the record itself is not spent");
    assert_eq!(loaded.last_used, None, "the record itself is not touched");
}

/// Bodies of any bytes and any size come back as they were.
pub(super) async fn bodies_come_back_byte_for_byte(fixture: Fixture) {
    let every_byte: Vec<u8> = (0..=255).collect();
    let largest: Vec<u8> = (0..NewRecord::MAX_BODY).map(|n| (n * 31 % 251) as u8).collect();
    for body in [vec![], vec![0], b"\r\n$-1\r\n".to_vec(), every_byte, largest] {
        let record = NewRecord { body: body.clone(), ..fixture.record(fixture.lane(0)) };
        let id = record.id;
        fixture.insert(record).await;
        assert!(fixture.loaded(id).await.body == body, "{} bytes come back", body.len());
    }
}

/// Everything else that was stored comes back too.
pub(super) async fn everything_stored_comes_back(fixture: Fixture) {
    let lane = fixture.lane(3);
    let ends = [
        fixture.now() + Ttl::from_hours(1),
        fixture.now() + Ttl::from_millis(3_600_001).expect("a duration"),
        fixture.now() + Ttl::MAX,
        Timestamp::MAX,
    ];
    for keep_until in ends {
        for uses_left in [None, Some(0), Some(1), Some(u32::MAX)] {
            let record = NewRecord { keep_until, uses_left, ..fixture.record(lane) };
            let id = record.id;
            let stamp = fixture.insert(record).await;
            let loaded = fixture.loaded(id).await;
            assert_eq!(loaded.id, id, "the id comes back");
            assert_eq!(loaded.version, RecordVersion(1), "the version counts from one");
            assert_eq!(loaded.stamp, stamp, "the stamp comes back");
            assert_eq!(loaded.keep_until, keep_until, "the end comes back to the millisecond");
            assert_eq!(loaded.uses_left, uses_left, "the uses come back");
            assert_eq!(loaded.last_used, None, "nobody used it yet");
            assert!(loaded.is_clear(), "nothing is against it");
        }
    }
}

/// A record is there until its time and not after.
pub(super) async fn a_record_is_found_until_it_expires(fixture: Fixture) {
    let tag = fixture.tag("ends");
    let keep_until = fixture.now() + fixture.brief();
    let ends = NewRecord { keep_until, terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let stays = fixture.record(fixture.lane(0));
    let (id, other) = (ends.id, stays.id);
    fixture.insert_all(vec![ends, stays]).await;
    let early = fixture.load(id).await;
    // Under real time the look may itself come too late to say anything.
    assert!(early.is_some() || fixture.now() >= keep_until, "it is there before its time");
    fixture.wait_until(keep_until).await;
    assert!(fixture.load(id).await.is_none(), "it is gone when its time has come");
    let query = fixture.query(tag, keyfob::store::Order::NextToExpire, 10);
    assert_eq!(fixture.list_ids(query).await, [], "it is listed no more");
    let revoked = fixture.revoke(id).await;
    assert!(matches!(revoked, Revoked::Missing), "there is nothing to revoke, not {revoked:?}");
    let replace = fixture.replacement(id, RecordVersion(1), b"late");
    let replaced = fixture.store().replace(fixture.operation(), replace).await.expect("an answer");
    assert_eq!(replaced, Replaced::Missing, "there is nothing to replace");
    assert!(fixture.load(id).await.is_none(), "no write brought it back");
    fixture.assert_clear(other, "another record is kept for its own time").await;
}

/// Whatever comes over a token later, the revocation that came first is told.
pub(super) async fn a_verdict_reports_the_first_revocation(fixture: Fixture) {
    let lane = fixture.lane(0);
    let (subject, client) = (fixture.subject_epoch("user"), fixture.client_epoch("client"));
    let ancestors: Vec<_> =
        (0..Epochs::MAX_ANCESTORS).map(|_| fixture.ancestor_epoch(fixture.id(lane))).collect();
    let last = ancestors[Epochs::MAX_ANCESTORS - 1];
    let epochs = Epochs { subject: Some(subject), client: Some(client), ancestors };
    let mut before = Vec::new();
    for (scope, through) in [
        (EpochScope::Lane(lane, last), MarkScope::Ancestor(7)),
        (EpochScope::Lane(lane, epochs.ancestors[2]), MarkScope::Ancestor(2)),
        (EpochScope::Lane(lane, subject), MarkScope::Subject),
        (EpochScope::EveryLane(client), MarkScope::Client),
        (EpochScope::All, MarkScope::All),
    ] {
        let record = NewRecord { epochs: epochs.clone(), ..fixture.record(lane) };
        let id = record.id;
        fixture.insert(record).await;
        fixture.assert_clear(id, "no epoch has moved since it was stored").await;
        fixture.advance(scope).await;
        before.push((id, through));
        for (id, through) in &before {
            fixture.assert_revoked(*id, *through, "the first that covered it is told").await;
        }
    }
}

/// An id or a term of a lane that there is not names nothing.
pub(super) async fn an_id_of_an_unknown_lane_is_not_found(fixture: Fixture) {
    let foreign = Lane::new(fixture.store().namespace().lanes().get());
    let tag = fixture.tag("here");
    fixture.insert(NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(0)) }).await;
    let id = fixture.id(foreign);
    if id.lane() != foreign {
        // All lanes that an id can name are there.
        return;
    }
    assert!(fixture.load(id).await.is_none(), "load finds nothing");
    let replace = fixture.replacement(id, RecordVersion(1), b"foreign");
    let replaced = fixture.store().replace(fixture.operation(), replace).await.expect("an answer");
    assert_eq!(replaced, Replaced::Missing, "there is nothing to replace");
    let spent =
        fixture.store().consume(fixture.operation(), Consume { id }).await.expect("an answer");
    assert_eq!(spent, Consumed::Refused, "there is nothing to spend");
    fixture.store().touch(&[LastUse::new(id, fixture.now())]).await.expect("an answer");
    let revoked = fixture.revoke(id).await;
    assert!(matches!(revoked, Revoked::Missing), "there is nothing to revoke, not {revoked:?}");
    for order in [Order::NewestFirst, Order::NextToExpire] {
        let query = Query { lane: Some(foreign), ..fixture.query(tag, order, 10) };
        assert_eq!(fixture.list_ids(query).await, [], "there is nothing to list");
    }
    let count = fixture.store().count(tag, Some(foreign)).await.expect("an answer");
    assert_eq!(count, 0, "there is nothing to count");
}

/// A stamp starts at the time of the store's clock in microseconds.
pub(super) async fn a_sequence_starts_at_the_current_time(fixture: Fixture) {
    let day = Ttl::from_days(1);
    let earliest = Stamp::birth(fixture.now().saturating_sub(day));
    let latest = Stamp::birth(fixture.now() + day);
    for lane in fixture.lanes() {
        let stamp = fixture.stamp(lane).await;
        assert!(earliest < stamp && stamp < latest, "{stamp:?} is no time of these days");
    }
}
