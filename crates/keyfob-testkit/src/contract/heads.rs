//! Heads: the same pages as of records, with what decides the state of each.

use std::collections::HashSet;

use keyfob::store::{
    Consume, CountedAs, EpochScope, Epochs, Lane, NewRecord, Order, Position, Query, RecordHead,
    RecordVersion, Replace, Revoke, Term, TimeBucket,
};
use keyfob::{Kind, Timestamp, TokenId, Ttl};

use super::fixture::Fixture;
use super::query::{in_order, many};

const ORDERS: [Order; 2] = [Order::NewestFirst, Order::NextToExpire];

/// Reads every page of heads.
async fn heads(fixture: &Fixture, mut query: Query) -> Vec<RecordHead> {
    let mut all = Vec::new();
    loop {
        let page = fixture.store().heads(&query).await.expect("the store answers");
        assert!(page.records.len() <= query.limit, "a page has more heads than its limit");
        assert_eq!(page.missing, [], "every lane can be reached");
        all.extend(page.records);
        let Some(next) = page.next else { return all };
        assert_ne!(query.after, Some(next), "the next page starts further on");
        query.after = Some(next);
    }
}

fn ids(heads: &[RecordHead]) -> Vec<TokenId> {
    heads.iter().map(|head| head.id).collect()
}

/// Checks that the heads under a term are those of the records, and that they lie about no bucket.
async fn assert_same(fixture: &Fixture, term: Term, lane: Option<Lane>) -> Vec<RecordHead> {
    let mut last = Vec::new();
    for order in ORDERS {
        let records = fixture.list(fixture.query(term, order, 1000)).await;
        let expected: Vec<_> = records.iter().map(RecordHead::of).collect();
        for limit in [1, 7, 1000] {
            last = heads(fixture, Query { lane, ..fixture.query(term, order, limit) }).await;
            let same: Vec<_> = last.iter().map(|head| head.counted_in(None)).collect();
            assert_eq!(same, expected, "{order:?} in pages of {limit}");
        }
    }
    last
}

/// Several hundred heads over all lanes, and in one lane, where index structures roll over.
pub(super) async fn every_limit_gives_the_same_heads(fixture: Fixture) {
    let (spread, lane) = (fixture.tag("spread"), fixture.lane(1));
    let (subject, home) = fixture.subject("busy");
    let dense = fixture.tag("dense");
    let lists: [(Term, Option<Lane>, Vec<Position>); 3] = [
        (spread, None, many(&fixture, spread, None, 700).await),
        (dense, Some(lane), many(&fixture, dense, Some(lane), 420).await),
        (subject, Some(home), many(&fixture, subject, Some(home), 420).await),
    ];
    for (term, lane, places) in lists {
        for order in ORDERS {
            let expected = in_order(&places, order);
            for limit in [3, 100, 129, 420, 5000] {
                let query = Query { lane, ..fixture.query(term, order, limit) };
                let found = heads(&fixture, query).await;
                assert!(ids(&found) == expected, "{order:?} in pages of {limit}");
            }
        }
    }
    let unknown = fixture.query(fixture.tag("unknown"), Order::NewestFirst, 10);
    assert_eq!(heads(&fixture, unknown).await, [], "a term without records has no heads");
}

/// A head says whether its record is refused, by itself or by any of its epochs, and how many uses are left.
pub(super) async fn a_head_says_what_decides_the_state(fixture: Fixture) {
    let (tag, lane) = (fixture.tag("state"), fixture.lane(1));
    let ancestor = fixture.id(lane);
    let epochs = [
        Epochs::default(),
        Epochs { subject: Some(fixture.subject_epoch("s")), ..Epochs::default() },
        Epochs { client: Some(fixture.client_epoch("c")), ..Epochs::default() },
        Epochs { ancestors: vec![fixture.ancestor_epoch(ancestor)], ..Epochs::default() },
    ];
    let record = |epochs: &Epochs, uses_left| NewRecord {
        uses_left,
        terms: vec![tag],
        epochs: epochs.clone(),
        ..fixture.record(lane)
    };
    fixture.insert(NewRecord { id: ancestor, ..record(&epochs[0], None) }).await;
    for epochs in &epochs {
        for uses_left in [None, Some(1), Some(7)] {
            fixture.insert(record(epochs, uses_left)).await;
        }
    }
    let found = assert_same(&fixture, tag, None).await;
    assert_eq!(found.iter().filter(|head| head.is_refused).count(), 0, "nothing is revoked");

    let spent = found.iter().find(|head| head.uses_left == Some(1)).expect("one has a use").id;
    let consume = Consume { id: spent };
    fixture.store().consume(fixture.operation(), consume).await.expect("the store answers");
    let with_note = Revoke { note: b"note".to_vec(), ..fixture.revocation(found[1].id) };
    fixture.store().revoke(fixture.operation(), with_note).await.expect("the store answers");
    assert_same(&fixture, tag, None).await;

    let cascade = Some(fixture.ancestor_epoch(ancestor));
    let revoke = Revoke { cascade, ..fixture.revocation(ancestor) };
    fixture.store().revoke(fixture.operation(), revoke).await.expect("the store answers");
    let scopes = [
        EpochScope::EveryLane(fixture.client_epoch("c")),
        EpochScope::Lane(lane, fixture.subject_epoch("s")),
        EpochScope::All,
    ];
    for scope in scopes {
        fixture.advance(scope).await;
        fixture.insert(record(&epochs[1], Some(2))).await;
        assert_same(&fixture, tag, Some(lane)).await;
    }
    let found = assert_same(&fixture, tag, None).await;
    let clear: Vec<_> = found.iter().filter(|head| !head.is_refused).collect();
    assert_eq!(clear.len(), 1, "only the last record was stored after the last revocation");
}

/// A head may say where its record is counted. Then it is right, also after a change.
pub(super) async fn a_head_says_where_its_record_is_counted(fixture: Fixture) {
    let (tag, start) = (fixture.tag("counted"), fixture.now());
    let ends_at = start + Ttl::from_hours(3);
    let starts_at = Some(start + Ttl::from_hours(1));
    let counted = [
        None,
        Some(CountedAs { kind: Kind::Session, starts_at: None, ends_at }),
        Some(CountedAs { kind: Kind::ApiKey, starts_at, ends_at: Timestamp::MAX }),
    ];
    let mut inserted = Vec::new();
    for (lane, counted) in (0..).zip(counted) {
        let record = NewRecord {
            counted,
            keep_until: Timestamp::MAX,
            terms: vec![tag],
            ..fixture.record(fixture.lane(lane))
        };
        inserted.push((record.id, counted));
        fixture.insert(record).await;
    }
    // The last bucket has no end.
    let contains = |bucket: TimeBucket, at| {
        bucket.from() <= at && (at < bucket.to() || bucket.to() == Timestamp::MAX)
    };
    let found = assert_same(&fixture, tag, None).await;
    for (id, counted) in &inserted {
        let head = found.iter().find(|head| head.id == *id).expect("the head is listed");
        let Some(bucket) = head.counted_in else { continue };
        let counted = counted.expect("a record that is not counted has no bucket");
        assert_eq!(bucket.kind, counted.kind, "the kind");
        assert!(contains(bucket.end, counted.ends_at), "the bucket contains the end");
        assert_eq!(bucket.start.is_some(), counted.starts_at.is_some(), "the start");
        let start = bucket.start.zip(counted.starts_at);
        assert!(start.is_none_or(|(bucket, at)| contains(bucket, at)), "it contains the start");
    }
    let (id, _) = inserted[1];
    let moved = start + Ttl::from_days(9);
    let replace =
        Replace { ends_at: Some(moved), ..fixture.replacement(id, RecordVersion(1), b"later") };
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    let found = assert_same(&fixture, tag, None).await;
    let head = found.iter().find(|head| head.id == id).expect("the head is listed");
    let is_moved = head.counted_in.is_none_or(|bucket| contains(bucket.end, moved));
    assert!(is_moved, "the bucket contains the new end, not {head:?}");
    fixture.revoke(id).await;
    let found = assert_same(&fixture, tag, None).await;
    let head = found.iter().find(|head| head.id == id).expect("the head is listed");
    assert_eq!(head.counted_in, None, "a record that is revoked has no bucket");
}

/// A record that has expired has no head, even if the index still lists it.
pub(super) async fn an_expired_record_has_no_head(fixture: Fixture) {
    let tag = fixture.tag("brief");
    let keep_until = fixture.now() + fixture.brief();
    let stays = NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let stays_id = stays.id;
    fixture.insert(stays).await;
    for lane in 0..3 {
        let record =
            NewRecord { keep_until, terms: vec![tag], ..fixture.record(fixture.lane(lane)) };
        fixture.insert(record).await;
    }
    fixture.wait_until(keep_until).await;
    let found = assert_same(&fixture, tag, None).await;
    assert_eq!(ids(&found), [stays_id], "only one record exists");
}

/// A record that is listed under a term again, perhaps with another lifetime, has one head.
pub(super) async fn a_term_that_is_added_again_gives_one_head(fixture: Fixture) {
    let (tag, lane) = (fixture.tag("again"), fixture.lane(0));
    let keep_until = fixture.now() + Ttl::from_days(2);
    let mut id = None;
    for _ in 0..3 {
        let record = NewRecord { keep_until, terms: vec![tag], ..fixture.record(lane) };
        id = Some(record.id);
        fixture.insert(record).await;
    }
    let id = id.expect("three were stored");
    let replace = Replace {
        added_terms: vec![tag, fixture.tag("other")],
        ..fixture.replacement(id, RecordVersion(1), b"listed again")
    };
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(assert_same(&fixture, tag, None).await.len(), 3, "each record has one head");
    assert_eq!(assert_same(&fixture, fixture.tag("other"), None).await.len(), 1);
}

/// A page of heads during writes has each record that stays exactly once.
pub(super) async fn heads_under_writes_miss_no_stable_record(fixture: Fixture) {
    let (tag, lane) = (fixture.tag("busy"), fixture.lane(0));
    let places = many(&fixture, tag, Some(lane), 300).await;
    let stays: HashSet<_> = places.iter().map(|place| place.id).collect();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let inserts = {
        let fixture = fixture.clone();
        tokio::spawn(async move {
            while !*stopped.borrow() {
                fixture.insert(NewRecord { terms: vec![tag], ..fixture.record(lane) }).await;
                tokio::task::yield_now().await;
            }
        })
    };
    for limit in [7, 64, 1000, 7] {
        let found = ids(&heads(&fixture, fixture.query(tag, Order::NewestFirst, limit)).await);
        let distinct: HashSet<_> = found.iter().copied().collect();
        assert_eq!(distinct.len(), found.len(), "no head is listed twice");
        assert!(stays.is_subset(&distinct), "every record that stayed is listed");
    }
    stop.send(true).expect("the writer still runs");
    inserts.await.expect("the task did not panic");
}
