//! Nothing piles up: each write drops a few rows whose time is over, and never many.

use futures_util::future::join_all;
use keyfob::store::prelude::*;
use keyfob::store::{
    Advance, Cursor, EpochScope, Feed, Insert, Inserted, LastUse, NewRecord, Order,
};
use keyfob::{Subject, Ttl};

use crate::stage::{self, Stage};

#[tokio::test]
async fn records_past_their_time_are_dropped_a_few_per_write_with_all_their_rows() {
    let stage = Stage::new();
    let store = stage.store();
    let records: Vec<_> = (0..100).map(|n| stage.record(&store, &format!("user{n}"))).collect();
    let uses: Vec<_> = records.iter().map(|new| LastUse::new(new.id, stage.now())).collect();
    let field = records[0].epochs.subject.unwrap();
    let lane = records[0].id.lane();
    stage.insert(&store, records).await;
    store.touch(&uses).await.unwrap();
    let advance = stage::advance(&stage.clock, lane, field);
    store.advance(stage.operation(), advance).await.unwrap();
    let stays = stage.record(&store, "stays");
    let keep_until = stage.now() + Ttl::from_days(9);
    stage.insert(&store, vec![NewRecord { keep_until, ..stays.clone() }]).await;
    let all = store.namespace().all();
    stage.clock.advance(Ttl::from_hours(3));
    assert_eq!(stage::ids(&store, all, Order::NewestFirst).await, [stays.id], "one is shown");
    let mut kept = vec![store.check().await.unwrap().records];
    while kept.last() != Some(&2) && kept.len() < 20 {
        let record = stage.record(&store, "new");
        let keep_until = stage.now() + Ttl::from_millis(1).unwrap();
        stage.insert(&store, vec![NewRecord { keep_until, ..record }]).await;
        stage.clock.advance(Ttl::from_secs(60));
        stage::assert_sound(&store).await;
        kept.push(store.check().await.unwrap().records);
    }
    assert_eq!(kept[0], 101, "nothing is dropped by time alone");
    assert_eq!(kept.last(), Some(&2), "what stays, and the newest for the next: {kept:?}");
    assert!(kept.len() > 6, "never many at once: {kept:?}");
    let found = store.check().await.unwrap();
    assert_eq!(found.index_rows, 12, "two rows for each of three terms of both");
    assert_eq!(store.count(all, None).await.unwrap(), 2);
    drop(store);
    let left = rows(&stage);
    assert_eq!(left("last_used"), 0);
    assert_eq!(left("lanes"), 1, "the epoch went when nothing was left that it covered");
    assert_eq!(left("epoch_ends"), 0);
    assert_eq!(left("answers"), 1, "answers go with their deadlines");
}

/// An id that is free again is given to a new record while rows of the old one are being dropped.
#[tokio::test]
async fn an_id_is_given_anew_in_the_commit_that_drops_what_had_it() {
    let stage = Stage::new();
    let store = stage.store();
    let records: Vec<_> = (0..128).map(|n| stage.record(&store, &format!("user{n}"))).collect();
    stage.insert(&store, records.clone()).await;
    stage.clock.advance(Ttl::from_hours(2));
    let keep_until = stage.now() + Ttl::from_hours(1);
    let anew = records.into_iter().skip(64).map(|old| NewRecord { keep_until, ..old });
    let anew: Vec<_> = anew.collect();
    let inserts = anew.iter().map(|record| {
        let insert = Insert { records: vec![record.clone()], events: vec![] };
        store.insert(stage.operation(), insert)
    });
    for inserted in join_all(inserts).await {
        assert!(matches!(inserted, Ok(Inserted::Stored(_))), "{inserted:?}");
    }
    assert!(store.commits().commits < 10, "they share commits: {:?}", store.commits());
    for record in &anew {
        assert!(store.load(record.id).await.unwrap().is_some(), "it was stored after the drop");
    }
    stage::assert_sound(&store).await;
    assert_eq!(stage::ids(&store, store.namespace().all(), Order::NewestFirst).await.len(), 64);
}

/// How many rows a table has.
fn rows(stage: &Stage) -> impl Fn(&str) -> u64 {
    use redb::{ReadableDatabase, ReadableTableMetadata, TableDefinition};
    let database = redb::Database::open(stage.path()).unwrap();
    move |table| {
        let definition = TableDefinition::<&[u8], &[u8]>::new(table);
        database.begin_read().unwrap().open_table(definition).unwrap().len().unwrap()
    }
}

#[tokio::test]
async fn a_feed_is_capped_and_says_what_a_reader_missed() {
    let stage = Stage::new();
    let store = stage.store();
    let lane = store.namespace().lanes().lanes().next().unwrap();
    let entries = |from: u32, to: u32| (from..to).map(|n| n.to_be_bytes().to_vec()).collect();
    store.observe(lane, entries(0, 10)).await.unwrap();
    let feed = Feed::Observations;
    let early = store.entries(feed, &Cursor::start(), 5).await.unwrap();
    store.observe(lane, entries(10, 65_536)).await.unwrap();
    let page = store.entries(feed, &early.cursor, 1).await.unwrap();
    assert!(!page.trimmed, "everything is still there");
    store.observe(lane, entries(65_536, 65_546)).await.unwrap();
    let page = store.entries(feed, &early.cursor, 1).await.unwrap();
    assert!(page.trimmed && page.more, "the reader of five missed five");
    assert_eq!(page.entries[0].body, 10u32.to_be_bytes());
    let page = store.entries(feed, &page.cursor, 1).await.unwrap();
    assert!(!page.trimmed, "who has been told goes on");
    let page = store.entries(feed, &Cursor::start(), 100_000).await.unwrap();
    assert_eq!(page.entries.len(), 65_536);
    assert_eq!(store.entries(Feed::Events, &Cursor::start(), 1).await.unwrap().entries, []);
}

/// A clock that was ahead for a while, and is set right again, brings nothing back.
#[tokio::test]
async fn no_epoch_is_forgotten_before_what_it_covers() {
    let stage = Stage::new();
    let store = stage.store();
    let records: Vec<_> = (0..100).map(|_| stage.record(&store, "user1")).collect();
    let ids: Vec<_> = records.iter().map(|record| record.id).collect();
    stage.insert(&store, records).await;
    let subject = Subject::new("user1").unwrap();
    let namespace = store.namespace();
    let scope = EpochScope::Lane(namespace.lane_of(&subject), namespace.subject_epoch(&subject));
    let advance = Advance::new(scope, stage.now());
    store.advance(stage.operation(), advance).await.unwrap();
    let right = stage.now();
    stage.clock.set(right + Ttl::from_hours(9));
    // One write drops what is past, a few of each sort.
    stage.insert(&store, vec![stage.record(&store, "user2")]).await;
    stage.clock.set(right);
    let mut left = 0;
    for id in ids {
        if let Some(loaded) = store.load(id).await.unwrap() {
            assert!(!loaded.is_clear(), "{id} is back");
            left += 1;
        }
    }
    assert!(left > 50, "most of them are still there: {left}");
}
