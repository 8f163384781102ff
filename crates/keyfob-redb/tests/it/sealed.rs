//! A sealed store in a file: what whoever gets hold of the file gets to see.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::seal::KeyRing;
use keyfob::store::{Insert, NewRecord, StoreError};
use keyfob::{KeyVersion, OsRandom, Timestamp, TokenManager};
use keyfob_testkit::traces::{self, TRACES};

use crate::stage::Stage;

/// The traces that lie in clear in the file.
async fn in_clear(ring: Option<&KeyRing>) -> Vec<&'static str> {
    let stage = Stage::new();
    let manager = TokenManager::builder(Arc::new(stage.store())).clock(stage.clock.clone());
    let manager = match ring {
        Some(ring) => manager.keys(ring),
        None => manager,
    };
    traces::leave(&manager.build()).await.unwrap();
    traces::in_clear(&std::fs::read(stage.path()).unwrap())
}

#[tokio::test]
async fn nothing_lies_in_clear_in_the_file() {
    let ring = KeyRing::generate(Timestamp::default(), &OsRandom).unwrap();
    assert_eq!(in_clear(None).await, TRACES, "without keys, all of it does");
    assert_eq!(in_clear(Some(&ring)).await, [""; 0]);
}

#[tokio::test]
async fn a_floor_and_the_key_of_a_record_outlive_the_process() {
    let stage = Stage::new();
    let store = stage.store();
    let record = NewRecord { key: KeyVersion::new(7), ..stage.record(&store, "user") };
    let id = record.id;
    stage.insert(&store, vec![record]).await;
    store.raise_min_key_version(KeyVersion::new(7)).await.unwrap();
    drop(store);
    let store = stage.store();
    assert_eq!(store.min_key_version().await.unwrap(), KeyVersion::new(7));
    assert_eq!(store.load(id).await.unwrap().unwrap().key, KeyVersion::new(7));
    let record = NewRecord { key: KeyVersion::new(6), ..stage.record(&store, "user") };
    let insert = Insert { records: vec![record], events: Vec::new() };
    let refused = store.insert(stage.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::KeyRetired { .. })), "{refused:?}");
    assert!(store.check().await.unwrap().check_config(), "the file holds together");
}
