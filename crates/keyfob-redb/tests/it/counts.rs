//! Counts on disk: they stay, they go with their time, and a file without them opens.

use keyfob::store::prelude::*;
use keyfob::store::{Advance, BucketCounts, CountedAs, EpochScope, NewRecord};
use keyfob::{Kind, Subject, Ttl};
use keyfob_redb::RedbStore;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::stage::{self, Stage};

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const COUNTS: Bytes = TableDefinition::new("counts");

fn counted(stage: &Stage, store: &RedbStore, subject: &str, life: Ttl) -> NewRecord {
    let ends_at = stage.now() + life;
    let counted = Some(CountedAs { kind: Kind::Session, starts_at: None, ends_at });
    NewRecord { counted, keep_until: ends_at, ..stage.record(store, subject) }
}

async fn tallies(store: &RedbStore) -> Vec<BucketCounts> {
    let mut tallies = store.tallies().await.unwrap();
    tallies.sort_by_key(|tally| tally.span.to());
    tallies
}

fn rows(stage: &Stage) -> u64 {
    let database = Database::open(stage.path()).unwrap();
    database.begin_read().unwrap().open_table(COUNTS).unwrap().len().unwrap()
}

#[tokio::test]
async fn counts_are_there_after_a_reopen() {
    let stage = Stage::new();
    let store = stage.store();
    let records: Vec<_> =
        (0..9).map(|_| counted(&stage, &store, "user", Ttl::from_hours(1))).collect();
    let id = records[0].id;
    stage.insert(&store, records).await;
    store.revoke(stage.operation(), stage.revocation(id)).await.unwrap();
    let before = tallies(&store).await;
    assert_eq!((before[0].stored, before[0].revoked), (9, 1));
    drop(store);
    let store = stage.store();
    assert_eq!(tallies(&store).await, before);
    let subject = Subject::new("user").unwrap();
    let namespace = store.namespace();
    let scope = EpochScope::Lane(namespace.lane_of(&subject), namespace.subject_epoch(&subject));
    let listed = vec![namespace.subject(&subject)];
    let advance = Advance { listed, ..Advance::new(scope, stage.now()) };
    store.advance(stage.operation(), advance).await.unwrap();
    assert_eq!(tallies(&store).await[0].revoked, 9, "what was written before is counted out");
}

#[tokio::test]
async fn counts_whose_time_is_over_are_dropped_as_others_are_written() {
    let stage = Stage::new();
    let store = stage.store();
    for minutes in 1..40 {
        let record = counted(&stage, &store, "user", Ttl::from_mins(minutes));
        stage.insert(&store, vec![record]).await;
    }
    assert!(tallies(&store).await.len() > 20);
    stage.clock.advance(Ttl::from_hours(2));
    for _ in 0..4 {
        let record = counted(&stage, &store, "user", Ttl::from_mins(5));
        stage.insert(&store, vec![record]).await;
    }
    assert_eq!(tallies(&store).await.iter().map(|tally| tally.stored).sum::<u64>(), 4);
    drop(store);
    assert_eq!(rows(&stage), 1, "and none of them is in the file");
}

#[tokio::test]
async fn a_file_that_was_written_without_counts_opens_and_counts_from_then_on() {
    let stage = Stage::new();
    let store = stage.store();
    stage.insert(&store, vec![stage.record(&store, "before")]).await;
    drop(store);
    let database = Database::open(stage.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(COUNTS).unwrap());
    transaction.commit().unwrap();
    drop(database);

    let store = stage.store();
    assert_eq!(tallies(&store).await, []);
    let record = counted(&stage, &store, "user", Ttl::from_hours(1));
    stage.insert(&store, vec![record]).await;
    assert_eq!(tallies(&store).await[0].stored, 1);
    stage::assert_sound(&store).await;
}

/// A count that cannot be read keeps nobody from being issued to or revoked.
#[tokio::test]
async fn a_damaged_count_is_told_and_in_nobodys_way() {
    let stage = Stage::new();
    let store = stage.store();
    let first = counted(&stage, &store, "user", Ttl::from_hours(1));
    let id = first.id;
    stage.insert(&store, vec![first]).await;
    drop(store);
    let database = Database::open(stage.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(COUNTS).unwrap();
        let key = table.pop_first().unwrap().unwrap().0.value().to_vec();
        table.insert(key.as_slice(), b"short".as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);

    let store = stage.store();
    assert!(store.tallies().await.unwrap_err().to_string().contains("a count"));
    let found = store.check().await.unwrap();
    assert!(found.problems[0].contains("a count"), "{found:#?}");
    store.revoke(stage.operation(), stage.revocation(id)).await.unwrap();
    let second = counted(&stage, &store, "user", Ttl::from_hours(1));
    stage.insert(&store, vec![second]).await;
    assert_eq!(tallies(&store).await[0].stored, 1, "it began anew");
}
