//! Expired rows do not accumulate: each write drops a few of them, and never many.

use futures_util::future::join_all;
use keyfob::store::prelude::*;
use keyfob::store::{
    Advance, Cursor, EpochScope, Feed, Insert, Inserted, LastUse, NewRecord, Order,
};
use keyfob::{Subject, Ttl};

use crate::fixture::{self, Fixture};

#[tokio::test]
async fn each_write_drops_a_few_expired_records_with_all_their_rows() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let records: Vec<_> = (0..100).map(|n| fixture.record(&store, &format!("user{n}"))).collect();
    let uses: Vec<_> = records.iter().map(|new| LastUse::new(new.id, fixture.now())).collect();
    let field = records[0].epochs.subject.unwrap();
    let lane = records[0].id.lane();
    fixture.insert(&store, records).await;
    store.touch(&uses).await.unwrap();
    let advance = fixture::advance(&fixture.clock, lane, field);
    store.advance(fixture.operation(), advance).await.unwrap();
    let stays = fixture.record(&store, "stays");
    let keep_until = fixture.now() + Ttl::from_days(9);
    fixture.insert(&store, vec![NewRecord { keep_until, ..stays.clone() }]).await;
    let all = store.namespace().all();
    fixture.clock.advance(Ttl::from_hours(3));
    assert_eq!(
        fixture::ids(&store, all, Order::NewestFirst).await,
        [stays.id],
        "only the kept record is listed"
    );
    let mut kept = vec![store.check().await.unwrap().records];
    while kept.last() != Some(&2) && kept.len() < 20 {
        let record = fixture.record(&store, "new");
        let keep_until = fixture.now() + Ttl::from_millis(1).unwrap();
        fixture.insert(&store, vec![NewRecord { keep_until, ..record }]).await;
        fixture.clock.advance(Ttl::from_secs(60));
        fixture::assert_consistent(&store).await;
        kept.push(store.check().await.unwrap().records);
    }
    assert_eq!(kept[0], 101, "without a write, nothing is dropped");
    assert_eq!(kept.last(), Some(&2), "the kept record and the newest one: {kept:?}");
    assert!(kept.len() > 6, "a write drops only a few: {kept:?}");
    let found = store.check().await.unwrap();
    assert_eq!(found.index_rows, 12, "two records, three terms each, two rows per term");
    assert_eq!(store.count(all, None).await.unwrap(), 2);
    drop(store);
    let left = rows(&fixture);
    assert_eq!(left("last_used"), 0);
    assert_eq!(left("lanes"), 1, "the epoch is dropped after the last record that it covered");
    assert_eq!(left("epoch_ends"), 0);
    assert_eq!(left("answers"), 1, "answers are dropped after their deadline");
}

/// A commit drops an expired record and stores a new record with the same id.
#[tokio::test]
async fn an_expired_id_is_used_again_in_the_commit_that_drops_it() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let records: Vec<_> = (0..128).map(|n| fixture.record(&store, &format!("user{n}"))).collect();
    fixture.insert(&store, records.clone()).await;
    fixture.clock.advance(Ttl::from_hours(2));
    let keep_until = fixture.now() + Ttl::from_hours(1);
    let renewed = records.into_iter().skip(64).map(|old| NewRecord { keep_until, ..old });
    let renewed: Vec<_> = renewed.collect();
    let inserts = renewed.iter().map(|record| {
        let insert = Insert { records: vec![record.clone()], events: vec![] };
        store.insert(fixture.operation(), insert)
    });
    for inserted in join_all(inserts).await {
        assert!(matches!(inserted, Ok(Inserted::Stored(_))), "{inserted:?}");
    }
    assert!(store.commits().commits < 10, "they share commits: {:?}", store.commits());
    for record in &renewed {
        assert!(store.load(record.id).await.unwrap().is_some(), "the new record is there");
    }
    fixture::assert_consistent(&store).await;
    assert_eq!(fixture::ids(&store, store.namespace().all(), Order::NewestFirst).await.len(), 64);
}

/// Returns a function that counts the rows of a table.
fn rows(fixture: &Fixture) -> impl Fn(&str) -> u64 {
    use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};
    let database = redb::Database::open(fixture.path()).unwrap();
    move |table| {
        let definition = TableDefinition::<&[u8], &[u8]>::new(table);
        database.begin_read().unwrap().open_table(definition).unwrap().len().unwrap()
    }
}

#[tokio::test]
async fn a_log_has_a_maximum_length_and_reports_missed_entries() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let lane = store.namespace().lanes().lanes().next().unwrap();
    let entries = |from: u32, to: u32| (from..to).map(|n| n.to_be_bytes().to_vec()).collect();
    store.observe(lane, entries(0, 10)).await.unwrap();
    let feed = Feed::Observations;
    let early = store.entries(feed, &Cursor::start(), 5).await.unwrap();
    store.observe(lane, entries(10, 65_536)).await.unwrap();
    let page = store.entries(feed, &early.cursor, 1).await.unwrap();
    assert!(!page.trimmed, "all entries still exist");
    store.observe(lane, entries(65_536, 65_546)).await.unwrap();
    let page = store.entries(feed, &early.cursor, 1).await.unwrap();
    assert!(page.trimmed && page.more, "the reader of the first five entries missed five");
    assert_eq!(page.entries[0].body, 10u32.to_be_bytes());
    let page = store.entries(feed, &page.cursor, 1).await.unwrap();
    assert!(!page.trimmed, "the gap is reported once");
    let page = store.entries(feed, &Cursor::start(), 100_000).await.unwrap();
    assert_eq!(page.entries.len(), 65_536);
    assert_eq!(store.entries(Feed::Events, &Cursor::start(), 1).await.unwrap().entries, []);
}

/// The clock was ahead for a while and is then corrected. No revoked record becomes active again.
#[tokio::test]
async fn no_epoch_is_dropped_before_the_records_that_it_covers() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let records: Vec<_> = (0..100).map(|_| fixture.record(&store, "user1")).collect();
    let ids: Vec<_> = records.iter().map(|record| record.id).collect();
    fixture.insert(&store, records).await;
    let subject = Subject::new("user1").unwrap();
    let namespace = store.namespace();
    let scope = EpochScope::Lane(namespace.lane_of(&subject), namespace.subject_epoch(&subject));
    let advance = Advance::new(scope, fixture.now());
    store.advance(fixture.operation(), advance).await.unwrap();
    let right = fixture.now();
    fixture.clock.set(right + Ttl::from_hours(9));
    // One write drops a few expired rows of each table.
    fixture.insert(&store, vec![fixture.record(&store, "user2")]).await;
    fixture.clock.set(right);
    let mut left = 0;
    for id in ids {
        if let Some(loaded) = store.load(id).await.unwrap() {
            assert!(!loaded.is_clear(), "{id} is back");
            left += 1;
        }
    }
    assert!(left > 50, "most of them are still there: {left}");
}
