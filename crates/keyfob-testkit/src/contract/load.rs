//! Load: returns the stored record, byte for byte, for the exact id, until it expires.

use keyfob::store::{
    Consume, Consumed, EpochScope, Epochs, Lane, LastUse, MarkScope, NewRecord, Order, Query,
    RecordVersion, Replaced, Revoked, Stamp,
};
use keyfob::{Timestamp, Ttl};

use super::fixture::{Fixture, same_local_bytes};

/// An id without a record is unknown.
pub(super) async fn an_unknown_id_is_none(fixture: Fixture) {
    for lane in fixture.lanes() {
        assert!(fixture.load(fixture.id(lane)).await.is_none(), "nothing is stored yet");
    }
    fixture.insert(fixture.record(fixture.lane(0))).await;
    assert!(fixture.load(fixture.id(fixture.lane(0))).await.is_none(), "another id is unknown");
}

/// An id that differs in any byte is unknown to every store method.
pub(super) async fn only_the_exact_id_is_found(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(2), ..fixture.record(fixture.lane(0)) };
    let (id, twin) = (record.id, same_local_bytes(record.id));
    fixture.insert(record).await;
    assert!(fixture.load(twin).await.is_none(), "load takes the whole id");
    let replace = fixture.replacement(twin, RecordVersion(1), b"twin");
    let replaced =
        fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(replaced, Replaced::Missing, "replace takes the whole id");
    let consume = Consume { id: twin };
    let spent =
        fixture.store().consume(fixture.operation(), consume).await.expect("the store answers");
    assert_eq!(spent, Consumed::Refused, "consume takes the whole id");
    fixture.store().touch(&[LastUse::new(twin, fixture.now())]).await.expect("the store answers");
    let revoked = fixture.revoke(twin).await;
    assert!(matches!(revoked, Revoked::Missing), "revoke takes the whole id, not {revoked:?}");
    let loaded = fixture.loaded(id).await;
    assert!(loaded.is_clear(), "the record itself is not revoked");
    assert_eq!(loaded.version, RecordVersion(1), "the record itself is not replaced");
    assert_eq!(loaded.uses_left, Some(2), "no use of the record itself is taken");
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
        fixture.now() + Ttl::from_millis(3_600_001).expect("the duration is in range"),
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
            assert_eq!(
                loaded.keep_until, keep_until,
                "the end of retention comes back to the millisecond"
            );
            assert_eq!(loaded.uses_left, uses_left, "the uses come back");
            assert_eq!(loaded.last_used, None, "the record has no last use");
            assert!(loaded.is_clear(), "the record is valid");
        }
    }
}

/// A record is found until it expires and not after.
pub(super) async fn a_record_is_found_until_it_expires(fixture: Fixture) {
    let tag = fixture.tag("ends");
    let keep_until = fixture.now() + fixture.brief();
    let ends = NewRecord { keep_until, terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let stays = fixture.record(fixture.lane(0));
    let (id, other) = (ends.id, stays.id);
    fixture.insert_all(vec![ends, stays]).await;
    let early = fixture.load(id).await;
    // With a real clock, the load itself may be too late to prove anything.
    assert!(
        early.is_some() || fixture.now() >= keep_until,
        "the record is found before it expires"
    );
    fixture.wait_until(keep_until).await;
    assert!(fixture.load(id).await.is_none(), "an expired record is not found");
    let query = fixture.query(tag, keyfob::store::Order::NextToExpire, 10);
    assert_eq!(fixture.list_ids(query).await, [], "an expired record is not listed");
    let revoked = fixture.revoke(id).await;
    assert!(matches!(revoked, Revoked::Missing), "the record is missing, not {revoked:?}");
    let replace = fixture.replacement(id, RecordVersion(1), b"late");
    let replaced =
        fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(replaced, Replaced::Missing, "the record is missing");
    assert!(fixture.load(id).await.is_none(), "no write created the record again");
    fixture.assert_clear(other, "another record has its own retention").await;
}

/// A record reports its first revocation, also after later ones.
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
        fixture.assert_clear(id, "no epoch has advanced since the record was stored").await;
        fixture.advance(scope).await;
        before.push((id, through));
        for (id, through) in &before {
            fixture.assert_revoked(*id, *through, "the first revocation is reported").await;
        }
    }
}

/// An id or a term of an unknown lane finds nothing.
pub(super) async fn an_id_of_an_unknown_lane_is_not_found(fixture: Fixture) {
    let foreign = Lane::new(fixture.store().namespace().lanes().get());
    let tag = fixture.tag("here");
    fixture.insert(NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(0)) }).await;
    let id = fixture.id(foreign);
    if id.lane() != foreign {
        // The namespace has every lane that an id can name.
        return;
    }
    assert!(fixture.load(id).await.is_none(), "load finds nothing");
    let replace = fixture.replacement(id, RecordVersion(1), b"foreign");
    let replaced =
        fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(replaced, Replaced::Missing, "the record is missing");
    let spent = fixture
        .store()
        .consume(fixture.operation(), Consume { id })
        .await
        .expect("the store answers");
    assert_eq!(spent, Consumed::Refused, "the record is missing");
    fixture.store().touch(&[LastUse::new(id, fixture.now())]).await.expect("the store answers");
    let revoked = fixture.revoke(id).await;
    assert!(matches!(revoked, Revoked::Missing), "the record is missing, not {revoked:?}");
    for order in [Order::NewestFirst, Order::NextToExpire] {
        let query = Query { lane: Some(foreign), ..fixture.query(tag, order, 10) };
        assert_eq!(fixture.list_ids(query).await, [], "there is nothing to list");
    }
    let count = fixture.store().count(tag, Some(foreign)).await.expect("the store answers");
    assert_eq!(count, 0, "there is nothing to count");
}

/// A stamp starts at the time of the store's clock in microseconds.
pub(super) async fn a_sequence_starts_at_the_current_time(fixture: Fixture) {
    let day = Ttl::from_days(1);
    let earliest = Stamp::birth(fixture.now().saturating_sub(day));
    let latest = Stamp::birth(fixture.now() + day);
    for lane in fixture.lanes() {
        let stamp = fixture.stamp(lane).await;
        assert!(earliest < stamp && stamp < latest, "{stamp:?} is not near the current time");
    }
}
