//! Touch: the latest time wins, and nothing else changes.

use keyfob::store::{LastUse, NewRecord, Order, RecordVersion, Replaced};
use keyfob::{TokenId, Ttl};

use super::fixture::Fixture;

async fn touch(fixture: &Fixture, uses: &[LastUse]) {
    fixture.store().touch(uses).await.expect("touch succeeds");
}

/// The later time wins, in any order of calls.
pub(super) async fn the_later_time_wins(fixture: Fixture) {
    let records = [fixture.record(fixture.lane(0)), fixture.record(fixture.lane(1))];
    let [one, other] = records.each_ref().map(|record| record.id);
    for record in records {
        fixture.insert(record).await;
    }
    let early = fixture.now();
    let late = early + Ttl::from_secs(9);
    touch(&fixture, &[LastUse::new(one, early)]).await;
    assert_eq!(fixture.loaded(one).await.last_used, Some(early), "the first use");
    assert_eq!(fixture.loaded(other).await.last_used, None, "another token was not used");
    touch(&fixture, &[LastUse::new(one, late), LastUse::new(other, late)]).await;
    touch(&fixture, &[LastUse::new(one, early), LastUse::new(other, early)]).await;
    for id in [one, other] {
        assert_eq!(
            fixture.loaded(id).await.last_used,
            Some(late),
            "an earlier time changes nothing"
        );
    }
    let later = late + Ttl::from_secs(1);
    let uses = [late, later, early].map(|at| LastUse::new(one, at));
    touch(&fixture, &uses).await;
    assert_eq!(fixture.loaded(one).await.last_used, Some(later), "the latest of one call wins");
}

/// Unknown tokens are skipped. The others of the call are updated.
pub(super) async fn an_unknown_token_is_skipped(fixture: Fixture) {
    touch(&fixture, &[]).await;
    let record = fixture.record(fixture.lane(0));
    let (id, at) = (record.id, fixture.now());
    fixture.insert(record).await;
    let unknown: Vec<TokenId> = fixture.lanes().into_iter().map(|lane| fixture.id(lane)).collect();
    let mut uses: Vec<_> = unknown.iter().map(|id| LastUse::new(*id, at)).collect();
    uses.push(LastUse::new(id, at));
    touch(&fixture, &uses).await;
    assert_eq!(fixture.loaded(id).await.last_used, Some(at), "the known token was updated");
    for id in unknown {
        assert!(fixture.load(id).await.is_none(), "a touch creates no record");
    }
}

/// A touch does not change the record.
pub(super) async fn nothing_else_changes(fixture: Fixture) {
    let tag = fixture.tag("touched");
    let record =
        NewRecord { uses_left: Some(2), terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record.clone()).await;
    let before = fixture.loaded(id).await;
    let at = fixture.now() + Ttl::from_hours(5);
    touch(&fixture, &[LastUse::new(id, at)]).await;
    let after = fixture.loaded(id).await;
    assert_eq!(after.version, RecordVersion(1), "the version is the same");
    assert_eq!(after.body, before.body, "the body is the same");
    assert_eq!(after.stamp, before.stamp, "the stamp is the same");
    assert_eq!(after.keep_until, before.keep_until, "the end of retention is the same");
    assert_eq!(after.uses_left, Some(2), "no use was taken");
    let replace = fixture.replacement(id, RecordVersion(1), b"new");
    let replaced =
        fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(
        replaced,
        Replaced::Stored(RecordVersion(2)),
        "the version that was read is current"
    );
    assert_eq!(fixture.loaded(id).await.last_used, Some(at), "a replacement keeps the last use");
    let listed = fixture.list(fixture.query(tag, Order::NewestFirst, 10)).await;
    assert_eq!(listed[0].last_used, Some(at), "a query shows the last use");
    assert_eq!(fixture.events().await, Vec::<Vec<u8>>::new(), "a touch writes no event");
}

/// A last use does not outlive its record.
pub(super) async fn a_last_use_does_not_outlive_the_record(fixture: Fixture) {
    let keep_until = fixture.now() + fixture.brief();
    let record = NewRecord { keep_until, ..fixture.record(fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record.clone()).await;
    let at = keep_until + Ttl::from_days(1);
    touch(&fixture, &[LastUse::new(id, at)]).await;
    fixture.wait_until(keep_until).await;
    assert!(fixture.load(id).await.is_none(), "a touch does not extend the retention");
    touch(&fixture, &[LastUse::new(id, at)]).await;
    assert!(fixture.load(id).await.is_none(), "a touch creates no record");
    let keep_until = fixture.now() + Ttl::from_hours(1);
    fixture.insert(NewRecord { keep_until, ..record }).await;
    assert_eq!(
        fixture.loaded(id).await.last_used,
        None,
        "the last use belongs to the earlier record"
    );
}
