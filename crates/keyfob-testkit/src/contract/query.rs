//! Query and count: every record under a term, once, in order, a page at a time.

use std::collections::HashSet;

use keyfob::store::{Lane, NewRecord, Order, Position, Query, RecordVersion, Replace, Term};
use keyfob::{Timestamp, TokenId, Ttl};

use super::fixture::Fixture;

const ORDERS: [Order; 2] = [Order::NewestFirst, Order::NextToExpire];

/// Stores `count` records in all lanes or in one, with unordered ids and different lifetimes, some
/// of which end in the same second. Returns their positions.
pub(super) async fn many(
    fixture: &Fixture,
    term: Term,
    lane: Option<Lane>,
    count: usize,
) -> Vec<Position> {
    let lanes = lane.map_or_else(|| fixture.lanes(), |lane| vec![lane]);
    let lives = [Ttl::from_mins(2), Ttl::from_hours(30), Ttl::from_days(90), Ttl::from_days(91)];
    let start = fixture.now();
    let mut places = Vec::new();
    let mut batches: Vec<Vec<NewRecord>> = vec![Vec::new(); lanes.len()];
    for n in 0..count {
        // The clocks of nodes differ slightly.
        let skew = Ttl::from_millis(1 + n as u64 * 7919 % 5000).expect("the duration is in range");
        let id = fixture.id_at(start.saturating_sub(skew), lanes[n % lanes.len()]);
        let tie = Ttl::from_millis(1 + n as u64 % 1700).expect("the duration is in range");
        let keep_until = match n % 17 {
            0 => Timestamp::MAX,
            _ => start + lives[n % lives.len()] + tie,
        };
        let secs = keep_until.as_millis().div_ceil(1000);
        places.push(Position { keep_until_secs: secs, id });
        let record = NewRecord { id, keep_until, terms: vec![term], ..fixture.record(id.lane()) };
        let batch = &mut batches[n % lanes.len()];
        batch.push(record);
        if batch.len() == 1 + n % 5 {
            fixture.insert_all(std::mem::take(batch)).await;
        }
    }
    for batch in batches.into_iter().filter(|batch| !batch.is_empty()) {
        fixture.insert_all(batch).await;
    }
    places
}

pub(super) fn in_order(places: &[Position], order: Order) -> Vec<TokenId> {
    let mut places = places.to_vec();
    places.sort_by(|one, other| one.compare(other, order));
    places.into_iter().map(|place| place.id).collect()
}

/// All pages together are the same list for every page size.
pub(super) async fn every_limit_gives_the_same_list(fixture: Fixture) {
    let tag = fixture.tag("some");
    let places = many(&fixture, tag, None, 37).await;
    fixture.insert(fixture.record(fixture.lane(0))).await;
    for order in ORDERS {
        let expected = in_order(&places, order);
        for limit in (1..=40).chain([1000]) {
            let listed = fixture.list_ids(fixture.query(tag, order, limit)).await;
            assert_eq!(listed, expected, "{order:?} in pages of {limit}");
        }
    }
}

/// Several hundred records under a broad term, over all lanes.
pub(super) async fn a_broad_term_lists_hundreds(fixture: Fixture) {
    let tag = fixture.tag("many");
    let places = many(&fixture, tag, None, 700).await;
    for order in ORDERS {
        let expected = in_order(&places, order);
        for limit in [3, 100, 128, 129, 700, 5000] {
            let listed = fixture.list_ids(fixture.query(tag, order, limit)).await;
            assert!(listed == expected, "{order:?} in pages of {limit}");
        }
    }
}

/// Several hundred records under a broad term in one lane, where index structures roll over.
pub(super) async fn a_broad_term_lists_hundreds_in_a_lane(fixture: Fixture) {
    let tag = fixture.tag("many");
    let lane = fixture.lane(1);
    let places = many(&fixture, tag, Some(lane), 420).await;
    for order in ORDERS {
        let expected = in_order(&places, order);
        for limit in [1, 64, 127, 419, 420, 421] {
            for lane in [None, Some(lane)] {
                let query = Query { lane, ..fixture.query(tag, order, limit) };
                let listed = fixture.list_ids(query).await;
                assert!(listed == expected, "{order:?} in pages of {limit}, lane {lane:?}");
            }
        }
    }
}

/// Several hundred records of one subject.
pub(super) async fn a_narrow_term_lists_hundreds(fixture: Fixture) {
    let (term, lane) = fixture.subject("busy");
    let places = many(&fixture, term, Some(lane), 420).await;
    for order in ORDERS {
        let expected = in_order(&places, order);
        for limit in [7, 128, 1000] {
            for lane in [None, Some(lane)] {
                let query = Query { lane, ..fixture.query(term, order, limit) };
                let listed = fixture.list_ids(query).await;
                assert!(listed == expected, "{order:?} in pages of {limit}, lane {lane:?}");
            }
        }
    }
}

/// Records of one second come by id; a part of a second counts as a whole one.
pub(super) async fn records_of_one_second_are_ordered_by_id(fixture: Fixture) {
    let tag = fixture.tag("tie");
    let second = Timestamp::from_millis((fixture.now().as_secs() + 3600) * 1000);
    let ends: Vec<_> = [0, 1, 400, 999, 1000, 1001]
        .map(|millis| Timestamp::from_millis(second.as_millis() + millis))
        .into_iter()
        .cycle()
        .take(24)
        .collect();
    let mut places = Vec::new();
    for (n, keep_until) in (0..).zip(ends) {
        let record =
            NewRecord { keep_until, terms: vec![tag], ..fixture.record(fixture.lane(n % 3)) };
        let keep_until_secs = keep_until.as_millis().div_ceil(1000);
        places.push(Position { keep_until_secs, id: record.id });
        fixture.insert(record).await;
    }
    let expected = in_order(&places, Order::NextToExpire);
    for limit in 1..=25 {
        let listed = fixture.list_ids(fixture.query(tag, Order::NextToExpire, limit)).await;
        assert_eq!(listed, expected, "in pages of {limit}");
    }
}

/// A query for one lane reads only that lane.
pub(super) async fn a_query_for_a_lane_lists_only_that_lane(fixture: Fixture) {
    let tag = fixture.tag("spread");
    let places = many(&fixture, tag, None, 60).await;
    for order in ORDERS {
        for lane in fixture.lanes() {
            let mut expected = in_order(&places, order);
            expected.retain(|id| id.lane() == lane);
            let query = Query { lane: Some(lane), ..fixture.query(tag, order, 4) };
            assert_eq!(fixture.list_ids(query).await, expected, "{order:?} of {lane:?}");
            let count = fixture.store().count(tag, Some(lane)).await.expect("the store answers");
            assert_eq!(count, expected.len() as u64, "the count of {lane:?}");
        }
    }
    let all = fixture.store().count(tag, None).await.expect("the store answers");
    assert_eq!(all, 60, "the count of all lanes");
}

/// A record is listed under each of its terms and under no other.
pub(super) async fn each_term_lists_its_own_records(fixture: Fixture) {
    let namespace = fixture.store().namespace();
    let (subject, lane) = fixture.subject("user");
    let root = fixture.id(lane);
    let terms = [
        namespace.all(),
        subject,
        fixture.tag("one"),
        namespace.family(root),
        namespace.client(&keyfob::ClientId::new("user").expect("a valid client id")),
        namespace.device(&keyfob::DeviceId::new("user").expect("a valid device id")),
        namespace.app(&keyfob::values::AppId::new("user").expect("a valid app id")),
    ];
    let mut expected: Vec<Vec<TokenId>> = vec![Vec::new(); terms.len()];
    for n in 0..20usize {
        let fits = |place: usize| n % (place + 1) == 0;
        let places: Vec<_> = (0..terms.len()).filter(|place| fits(*place)).collect();
        let terms = places.iter().map(|place| terms[*place]).collect();
        let record = NewRecord { terms, ..fixture.record(lane) };
        places.iter().for_each(|place| expected[*place].push(record.id));
        fixture.insert(record).await;
    }
    for (term, mut ids) in terms.into_iter().zip(expected) {
        ids.sort_by(|one, other| other.cmp(one));
        let listed = fixture.list_ids(fixture.query(term, Order::NewestFirst, 3)).await;
        assert_eq!(listed, ids, "{:?} lists the records that have it", term.field());
        let count = fixture.store().count(term, None).await.expect("the store answers");
        assert_eq!(count, ids.len() as u64, "{:?} counts the records that have it", term.field());
        let size = fixture.store().estimate(term, Some(lane)).await.expect("the store answers");
        assert_eq!(size, ids.len() as u64, "an estimate of one short list counts it");
    }
    let unknown = fixture.tag("user");
    let listed = fixture.list_ids(fixture.query(unknown, Order::NextToExpire, 3)).await;
    assert_eq!(listed, [], "a term without records lists nothing");
    assert_eq!(
        fixture.store().count(unknown, None).await.expect("the store answers"),
        0,
        "a term without records counts 0"
    );
}

/// A listed record equals the loaded record.
pub(super) async fn a_listed_record_equals_the_loaded_one(fixture: Fixture) {
    let tag = fixture.tag("same");
    let mut ids = Vec::new();
    for n in 0..6u8 {
        let uses_left = (n % 2 == 0).then_some(5);
        let record = NewRecord {
            uses_left,
            body: vec![n; usize::from(n) * 1000],
            terms: vec![tag],
            ..fixture.record(fixture.lane(n.into()))
        };
        ids.push(record.id);
        fixture.insert(record).await;
    }
    fixture.revoke(ids[1]).await;
    let replace = fixture.replacement(ids[2], RecordVersion(1), b"new");
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    for order in ORDERS {
        let listed = fixture.list(fixture.query(tag, order, 4)).await;
        assert_eq!(listed.len(), ids.len(), "all records are listed, also the revoked one");
        for record in listed {
            let loaded = fixture.loaded(record.id).await;
            assert_eq!(format!("{record:?}"), format!("{loaded:?}"), "the same record");
        }
    }
}

/// A listing resumes from the position of a record that is gone, or that never existed.
pub(super) async fn a_listing_resumes_from_any_position(fixture: Fixture) {
    let tag = fixture.tag("gone");
    let places = many(&fixture, tag, None, 30).await;
    let keep_until = fixture.now() + fixture.brief();
    let brief = NewRecord { keep_until, terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    let secs = keep_until.as_millis().div_ceil(1000);
    let place = Position { keep_until_secs: secs, id: brief.id };
    fixture.insert(brief).await;
    fixture.wait_until(keep_until).await;
    let never = Position { keep_until_secs: secs + 100, id: fixture.id(fixture.lane(2)) };
    for order in ORDERS {
        for after in [place, never] {
            let later = places.iter().filter(|place| after.compare(place, order).is_lt());
            let now = fixture.now();
            let remaining = later.filter(|place| place.keep_until_secs > now.as_secs() + 1);
            let expected = in_order(&remaining.copied().collect::<Vec<_>>(), order);
            let query = Query { after: Some(after), ..fixture.query(tag, order, 4) };
            assert_eq!(fixture.list_ids(query).await, expected, "{order:?} after {after:?}");
        }
    }
}

/// A count is an upper limit of the records under a term. Expired records are removed from it
/// eventually.
pub(super) async fn a_count_is_an_upper_limit(fixture: Fixture) {
    let tag = fixture.tag("count");
    let count = || async { fixture.store().count(tag, None).await.expect("the store answers") };
    assert_eq!(count().await, 0, "an empty term counts 0");
    let keep_until = fixture.now() + fixture.brief();
    let record =
        |keep_until| NewRecord { keep_until, terms: vec![tag], ..fixture.record(fixture.lane(0)) };
    for n in 1..=5 {
        fixture.insert(record(Timestamp::MAX)).await;
        assert_eq!(count().await, n, "each insert adds one");
    }
    fixture.insert(record(keep_until)).await;
    let count_before = count().await;
    let expired = fixture.now() >= keep_until;
    assert!(
        count_before == 6 || (expired && count_before == 5),
        "six records are counted, not {count_before}"
    );
    fixture.wait_until(keep_until).await;
    let count_after = count().await;
    assert!(
        (5..=6).contains(&count_after),
        "five records exist and one has just expired, not {count_after}"
    );
}

/// A listing during writes shows each record that stays exactly once.
pub(super) async fn a_listing_under_writes_misses_no_stable_record(fixture: Fixture) {
    let (tag, other) = (fixture.tag("busy"), fixture.tag("other"));
    let places = many(&fixture, tag, None, 300).await;
    let stays: HashSet<_> = places.iter().map(|place| place.id).collect();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let inserts = {
        let (fixture, stopped) = (fixture.clone(), stopped.clone());
        tokio::spawn(async move {
            for n in (0..u16::MAX).cycle() {
                if *stopped.borrow() {
                    break;
                }
                let record = NewRecord { terms: vec![tag], ..fixture.record(fixture.lane(n)) };
                fixture.insert(record).await;
                tokio::task::yield_now().await;
            }
        })
    };
    let changes = {
        let (fixture, ids) = (fixture.clone(), stays.iter().copied().collect::<Vec<_>>());
        tokio::spawn(async move {
            for (n, id) in ids.into_iter().enumerate().cycle() {
                if *stopped.borrow() {
                    break;
                }
                let loaded = fixture.loaded(id).await;
                let replace = Replace {
                    added_terms: vec![tag, other],
                    ..fixture.replacement(id, loaded.version, b"changed")
                };
                fixture
                    .store()
                    .replace(fixture.operation(), replace)
                    .await
                    .expect("the store answers");
                if n % 3 == 0 {
                    fixture.revoke(id).await;
                }
                tokio::task::yield_now().await;
            }
        })
    };
    for order in ORDERS.into_iter().cycle().take(4) {
        let listed = fixture.list_ids(fixture.query(tag, order, 7)).await;
        let found: HashSet<_> = listed.iter().copied().collect();
        assert_eq!(found.len(), listed.len(), "{order:?}: no record is listed twice");
        let missed = stays.iter().filter(|id| !found.contains(id)).count();
        assert_eq!(missed, 0, "{order:?}: every record that stayed is listed");
    }
    stop.send(true).expect("the writers still run");
    inserts.await.expect("the task did not panic");
    changes.await.expect("the task did not panic");
}
