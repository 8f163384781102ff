//! A damaged file: the store refuses and reports the damaged row, and the rest stays usable.

use keyfob::store::prelude::*;
use keyfob::store::{Insert, LastUse, Verdict};
use keyfob::store::{Inserted, Order, StoreError};
use keyfob::{TokenId, Ttl};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};

use crate::fixture::{self, Fixture};

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Bytes = TableDefinition::new("records");
const INDEX: TableDefinition<'static, &'static [u8; 39], ()> = TableDefinition::new("index");
const FORGET: TableDefinition<'static, &'static [u8; 24], ()> = TableDefinition::new("forget");
const EPOCH_ENDS: Bytes = TableDefinition::new("epoch_ends");
const LANES: Bytes = TableDefinition::new("lanes");

fn tamper(fixture: &Fixture, with: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(fixture.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    with(&transaction);
    transaction.commit().unwrap();
}

/// Creates a store with three records and overwrites the middle one with `row`.
async fn with_damaged_record(fixture: &Fixture, row: &[u8]) -> [TokenId; 3] {
    let store = fixture.store();
    let records = ["a", "b", "c"].map(|subject| fixture.record(&store, subject));
    let ids = records.clone().map(|record| record.id);
    fixture.insert(&store, records.to_vec()).await;
    drop(store);
    tamper(fixture, |transaction| {
        let mut table = transaction.open_table(RECORDS).unwrap();
        let mut key = ids[1].lane().number().to_be_bytes().to_vec();
        key.extend_from_slice(&ids[1].as_bytes()[..TokenId::LOCAL_BYTES]);
        table.insert(key.as_slice(), row).unwrap();
    });
    ids
}

#[tokio::test]
async fn a_damaged_record_is_refused_and_the_others_stay_listed() {
    for row in [&b""[..], &[0; 200], &[1; 200], &[0xff; 10]] {
        let fixture = Fixture::new();
        let [a, b, c] = with_damaged_record(&fixture, row).await;
        let store = fixture.store();
        match store.load(b).await {
            Err(StoreError::Corrupt { what, .. }) => assert_eq!(what, b.to_string()),
            other => panic!("expected a corrupt record for {row:?}, got {other:?}"),
        }
        let refused = store.revoke(fixture.operation(), fixture.revocation(b)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        let at = fixture.now();
        store.touch(&[LastUse::new(b, at), LastUse::new(c, at)]).await.unwrap();
        assert_eq!(store.load(c).await.unwrap().unwrap().last_used, Some(at));
        let mut others = [a, c];
        others.sort();
        let mut listed = fixture::ids(&store, store.namespace().all(), Order::NextToExpire).await;
        listed.sort();
        assert_eq!(listed, others, "the other records are listed: {row:?}");
        let found = store.check().await.unwrap();
        assert!(!found.is_consistent(), "the check finds it: {row:?}");
        fixture.clock.advance(Ttl::from_hours(2));
        let record = fixture.record(&store, "later");
        fixture.insert(&store, vec![record]).await;
        assert_eq!(
            store.load(b).await.unwrap().map(|loaded| loaded.id),
            None,
            "it expired: {row:?}"
        );
    }
}

#[tokio::test]
async fn a_lost_sequence_damages_its_lane_and_restores_no_revoked_token() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let record = fixture.record(&store, "user");
    let id = record.id;
    fixture.insert(&store, vec![record]).await;
    drop(store);
    tamper(&fixture, |transaction| {
        let mut lanes = transaction.open_table(LANES).unwrap();
        lanes.insert([0, 0].as_slice(), [0; 24].as_slice()).unwrap();
    });
    let store = fixture.store();
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Damaged);
    drop(store);
    tamper(&fixture, |transaction| {
        let mut lanes = transaction.open_table(LANES).unwrap();
        lanes.insert([0, 0].as_slice(), b"short".as_slice()).unwrap();
    });
    let store = fixture.store();
    let refused = store.load(id).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    let insert = Insert { records: vec![fixture.record(&store, "next")], events: vec![] };
    let refused = store.insert(fixture.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(!store.check().await.unwrap().is_consistent());
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Tampering {
    RemoveRow,
    AddRow,
}

/// Removes the first row of a table, or adds a row whose key differs in the last bit.
macro_rules! tamper_with {
    ($fixture:expr, $table:expr, $tampering:expr, $key:ty, $value:expr) => {
        tamper($fixture, |transaction| {
            let mut rows = transaction.open_table($table).unwrap();
            let mut key = rows.first().unwrap().unwrap().0.value().to_owned();
            match $tampering {
                Tampering::RemoveRow => {
                    let key: $key = key[..].try_into().unwrap();
                    rows.remove(key).unwrap();
                }
                Tampering::AddRow => {
                    *key.last_mut().unwrap() ^= 1;
                    let key: $key = key[..].try_into().unwrap();
                    rows.insert(key, $value).unwrap();
                }
            }
        })
    };
}

#[tokio::test]
async fn the_check_finds_each_missing_and_each_extra_row() {
    for tampering in [Tampering::RemoveRow, Tampering::AddRow] {
        for table in ["index", "forget", "epoch_ends", "records"] {
            let fixture = Fixture::new();
            let store = fixture.store();
            let record = fixture.record(&store, "user");
            let (lane, field) = (record.id.lane(), record.epochs.subject.unwrap());
            fixture.insert(&store, vec![record]).await;
            let advance = fixture::advance(&fixture.clock, lane, field);
            store.advance(fixture.operation(), advance).await.unwrap();
            fixture::assert_consistent(&store).await;
            drop(store);
            match table {
                "index" => tamper_with!(&fixture, INDEX, tampering, &[u8; 39], ()),
                "forget" => tamper_with!(&fixture, FORGET, tampering, &[u8; 24], ()),
                "epoch_ends" => tamper_with!(&fixture, EPOCH_ENDS, tampering, &[u8], [].as_slice()),
                _ => tamper_with!(&fixture, RECORDS, tampering, &[u8], [].as_slice()),
            }
            let found = fixture.store().check().await.unwrap();
            assert!(!found.is_consistent(), "{table}, {tampering:?}");
        }
    }
}

#[tokio::test]
async fn an_index_row_without_a_record_is_skipped() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let record = fixture.record(&store, "user");
    let id = record.id;
    fixture.insert(&store, vec![record]).await;
    drop(store);
    tamper(&fixture, |transaction| {
        let mut index = transaction.open_table(INDEX).unwrap();
        let keys = index.iter().unwrap().map(|row| *row.unwrap().0.value());
        for mut key in keys.collect::<Vec<_>>() {
            // The id has a different offset in each order; byte 30 is within it in both.
            key[30] ^= 1;
            index.insert(&key, ()).unwrap();
        }
    });
    let store = fixture.store();
    for order in [Order::NewestFirst, Order::NextToExpire] {
        assert_eq!(fixture::ids(&store, store.namespace().all(), order).await, [id]);
    }
    let insert = Insert { records: vec![fixture.record(&store, "next")], events: vec![] };
    let inserted = store.insert(fixture.operation(), insert).await.unwrap();
    assert!(matches!(inserted, Inserted::Stored(_)));
}
