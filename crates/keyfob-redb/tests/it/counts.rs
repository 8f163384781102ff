//! Counts on disk: they survive a restart, they are dropped when they expire, and a file without
//! counts opens.

use keyfob::store::prelude::*;
use keyfob::store::{Advance, BucketCounts, CountedAs, EpochScope, NewRecord};
use keyfob::{Kind, Subject, Ttl};
use keyfob_redb::RedbStore;
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};

use crate::fixture::{self, Fixture};

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const COUNTS: Bytes = TableDefinition::new("counts");

fn counted(fixture: &Fixture, store: &RedbStore, subject: &str, life: Ttl) -> NewRecord {
    let ends_at = fixture.now() + life;
    let counted = Some(CountedAs { kind: Kind::Session, starts_at: None, ends_at });
    NewRecord { counted, keep_until: ends_at, ..fixture.record(store, subject) }
}

async fn counts(store: &RedbStore) -> Vec<BucketCounts> {
    let mut counts = store.tallies().await.unwrap().counts;
    counts.sort_by_key(|counts| counts.span.to());
    counts
}

fn rows(fixture: &Fixture) -> u64 {
    let database = Database::open(fixture.path()).unwrap();
    database.begin_read().unwrap().open_table(COUNTS).unwrap().len().unwrap()
}

#[tokio::test]
async fn counts_are_there_after_a_reopen() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let records: Vec<_> =
        (0..9).map(|_| counted(&fixture, &store, "user", Ttl::from_hours(1))).collect();
    let id = records[0].id;
    fixture.insert(&store, records).await;
    store.revoke(fixture.operation(), fixture.revocation(id)).await.unwrap();
    let before = counts(&store).await;
    assert_eq!((before[0].stored, before[0].revoked), (9, 1));
    drop(store);
    let store = fixture.store();
    assert_eq!(counts(&store).await, before);
    let subject = Subject::new("user").unwrap();
    let namespace = store.namespace();
    let scope = EpochScope::Lane(namespace.lane_of(&subject), namespace.subject_epoch(&subject));
    let listed = vec![namespace.subject(&subject)];
    let advance = Advance { listed, ..Advance::new(scope, fixture.now()) };
    store.advance(fixture.operation(), advance).await.unwrap();
    assert_eq!(
        counts(&store).await[0].revoked,
        9,
        "records from before the restart are counted as revoked"
    );
}

#[tokio::test]
async fn expired_counts_are_dropped_when_others_are_written() {
    let fixture = Fixture::new();
    let store = fixture.store();
    for minutes in 1..40 {
        let record = counted(&fixture, &store, "user", Ttl::from_mins(minutes));
        fixture.insert(&store, vec![record]).await;
    }
    assert!(counts(&store).await.len() > 20);
    fixture.clock.advance(Ttl::from_hours(2));
    for _ in 0..4 {
        let record = counted(&fixture, &store, "user", Ttl::from_mins(5));
        fixture.insert(&store, vec![record]).await;
    }
    assert_eq!(counts(&store).await.iter().map(|counts| counts.stored).sum::<u64>(), 4);
    drop(store);
    assert_eq!(rows(&fixture), 1, "the expired ones are not in the file");
}

#[tokio::test]
async fn a_file_without_counts_opens_and_counts_new_tokens() {
    let fixture = Fixture::new();
    let store = fixture.store();
    fixture.insert(&store, vec![fixture.record(&store, "before")]).await;
    drop(store);
    let database = Database::open(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    assert!(transaction.delete_table(COUNTS).unwrap());
    transaction.commit().unwrap();
    drop(database);

    let store = fixture.store();
    assert_eq!(counts(&store).await, []);
    let record = counted(&fixture, &store, "user", Ttl::from_hours(1));
    fixture.insert(&store, vec![record]).await;
    assert_eq!(counts(&store).await[0].stored, 1);
    fixture::assert_consistent(&store).await;
}

/// Issuing and revoking work although a count cannot be read.
#[tokio::test]
async fn a_damaged_count_is_reported_and_fails_no_write() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let first = counted(&fixture, &store, "user", Ttl::from_hours(1));
    let id = first.id;
    fixture.insert(&store, vec![first]).await;
    drop(store);
    let database = Database::open(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    {
        let mut table = transaction.open_table(COUNTS).unwrap();
        let key = table.pop_first().unwrap().unwrap().0.value().to_vec();
        table.insert(key.as_slice(), b"short".as_slice()).unwrap();
    }
    transaction.commit().unwrap();
    drop(database);

    let store = fixture.store();
    assert!(store.tallies().await.unwrap_err().to_string().contains("a count"));
    let found = store.check().await.unwrap();
    assert!(found.problems[0].contains("a count"), "{found:#?}");
    store.revoke(fixture.operation(), fixture.revocation(id)).await.unwrap();
    let second = counted(&fixture, &store, "user", Ttl::from_hours(1));
    fixture.insert(&store, vec![second]).await;
    assert_eq!(counts(&store).await[0].stored, 1, "the count started again from zero");
}
