//! Damage in the file is refused, named and survived.

use keyfob::store::prelude::*;
use keyfob::store::{Insert, LastUse, Verdict};
use keyfob::store::{Inserted, Order, StoreError};
use keyfob::{TokenId, Ttl};
use redb::{Database, ReadableTable, TableDefinition, WriteTransaction};

use crate::stage::{self, Stage};

type Bytes = TableDefinition<'static, &'static [u8], &'static [u8]>;

const RECORDS: Bytes = TableDefinition::new("records");
const INDEX: TableDefinition<'static, &'static [u8; 39], ()> = TableDefinition::new("index");
const FORGET: TableDefinition<'static, &'static [u8; 24], ()> = TableDefinition::new("forget");
const EPOCH_ENDS: Bytes = TableDefinition::new("epoch_ends");
const LANES: Bytes = TableDefinition::new("lanes");

fn tamper(stage: &Stage, with: impl FnOnce(&WriteTransaction)) {
    let database = Database::open(stage.path()).unwrap();
    let transaction = database.begin_write().unwrap();
    with(&transaction);
    transaction.commit().unwrap();
}

/// A store with three records, the middle one of which was tampered with.
async fn with_damaged_record(stage: &Stage, row: &[u8]) -> [TokenId; 3] {
    let store = stage.store();
    let records = ["a", "b", "c"].map(|subject| stage.record(&store, subject));
    let ids = records.clone().map(|record| record.id);
    stage.insert(&store, records.to_vec()).await;
    drop(store);
    tamper(stage, |transaction| {
        let mut table = transaction.open_table(RECORDS).unwrap();
        let mut key = ids[1].lane().number().to_be_bytes().to_vec();
        key.extend_from_slice(&ids[1].as_bytes()[..TokenId::LOCAL_BYTES]);
        table.insert(key.as_slice(), row).unwrap();
    });
    ids
}

#[tokio::test]
async fn a_damaged_record_is_refused_and_hides_no_other() {
    for row in [&b""[..], &[0; 200], &[1; 200], &[0xff; 10]] {
        let stage = Stage::new();
        let [a, b, c] = with_damaged_record(&stage, row).await;
        let store = stage.store();
        match store.load(b).await {
            Err(StoreError::Corrupt { what, .. }) => assert_eq!(what, b.to_string()),
            other => panic!("it is damaged: {other:?}"),
        }
        let refused = store.revoke(stage.operation(), stage.revocation(b)).await;
        assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
        let at = stage.now();
        store.touch(&[LastUse::new(b, at), LastUse::new(c, at)]).await.unwrap();
        assert_eq!(store.load(c).await.unwrap().unwrap().last_used, Some(at));
        let mut others = [a, c];
        others.sort();
        let mut listed = stage::ids(&store, store.namespace().all(), Order::NextToExpire).await;
        listed.sort();
        assert_eq!(listed, others, "the others are listed");
        let found = store.check().await.unwrap();
        assert!(!found.check_config(), "a check finds it");
        stage.clock.advance(Ttl::from_hours(2));
        let record = stage.record(&store, "later");
        stage.insert(&store, vec![record]).await;
        assert_eq!(store.load(b).await.unwrap().map(|loaded| loaded.id), None, "its time came");
    }
}

#[tokio::test]
async fn a_lost_sequence_damages_its_lane_and_never_revives() {
    let stage = Stage::new();
    let store = stage.store();
    let record = stage.record(&store, "user");
    let id = record.id;
    stage.insert(&store, vec![record]).await;
    drop(store);
    tamper(&stage, |transaction| {
        let mut lanes = transaction.open_table(LANES).unwrap();
        lanes.insert([0, 0].as_slice(), [0; 24].as_slice()).unwrap();
    });
    let store = stage.store();
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Damaged);
    drop(store);
    tamper(&stage, |transaction| {
        let mut lanes = transaction.open_table(LANES).unwrap();
        lanes.insert([0, 0].as_slice(), b"short".as_slice()).unwrap();
    });
    let store = stage.store();
    let refused = store.load(id).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    let insert = Insert { records: vec![stage.record(&store, "next")], events: vec![] };
    let refused = store.insert(stage.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::Corrupt { .. })), "{refused:?}");
    assert!(!store.check().await.unwrap().check_config());
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Tampering {
    Take,
    Add,
}

/// Takes the first row of a table away, or adds another whose key ends otherwise.
macro_rules! tamper_with {
    ($stage:expr, $table:expr, $tampering:expr, $key:ty, $value:expr) => {
        tamper($stage, |transaction| {
            let mut rows = transaction.open_table($table).unwrap();
            let mut key = rows.first().unwrap().unwrap().0.value().to_owned();
            match $tampering {
                Tampering::Take => {
                    let key: $key = key[..].try_into().unwrap();
                    rows.remove(key).unwrap();
                }
                Tampering::Add => {
                    *key.last_mut().unwrap() ^= 1;
                    let key: $key = key[..].try_into().unwrap();
                    rows.insert(key, $value).unwrap();
                }
            }
        })
    };
}

#[tokio::test]
async fn a_check_finds_every_row_that_is_missing_or_too_many() {
    for tampering in [Tampering::Take, Tampering::Add] {
        for table in ["index", "forget", "epoch_ends", "records"] {
            let stage = Stage::new();
            let store = stage.store();
            let record = stage.record(&store, "user");
            let (lane, field) = (record.id.lane(), record.epochs.subject.unwrap());
            stage.insert(&store, vec![record]).await;
            let advance = stage::advance(&stage.clock, lane, field);
            store.advance(stage.operation(), advance).await.unwrap();
            stage::assert_sound(&store).await;
            drop(store);
            match table {
                "index" => tamper_with!(&stage, INDEX, tampering, &[u8; 39], ()),
                "forget" => tamper_with!(&stage, FORGET, tampering, &[u8; 24], ()),
                "epoch_ends" => tamper_with!(&stage, EPOCH_ENDS, tampering, &[u8], [].as_slice()),
                _ => tamper_with!(&stage, RECORDS, tampering, &[u8], [].as_slice()),
            }
            let found = stage.store().check().await.unwrap();
            assert!(!found.check_config(), "{table}, {tampering:?}");
        }
    }
}

/// Index rows that lead nowhere are passed over.
#[tokio::test]
async fn a_row_that_leads_nowhere_is_passed_over() {
    let stage = Stage::new();
    let store = stage.store();
    let record = stage.record(&store, "user");
    let id = record.id;
    stage.insert(&store, vec![record]).await;
    drop(store);
    tamper(&stage, |transaction| {
        let mut index = transaction.open_table(INDEX).unwrap();
        let keys = index.iter().unwrap().map(|row| *row.unwrap().0.value());
        for mut key in keys.collect::<Vec<_>>() {
            // The id is in another place in each order; this is within it in both.
            key[30] ^= 1;
            index.insert(&key, ()).unwrap();
        }
    });
    let store = stage.store();
    for order in [Order::NewestFirst, Order::NextToExpire] {
        assert_eq!(stage::ids(&store, store.namespace().all(), order).await, [id]);
    }
    let insert = Insert { records: vec![stage.record(&store, "next")], events: vec![] };
    let inserted = store.insert(stage.operation(), insert).await.unwrap();
    assert!(matches!(inserted, Inserted::Stored(_)));
}
