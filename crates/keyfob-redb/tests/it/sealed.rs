//! A sealed store in a file: what an attacker who has the file can read.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::random::OsRandom;
use keyfob::seal::{KeyRing, KeyVersion};
use keyfob::store::{Insert, NewRecord, StoreError};
use keyfob::{Timestamp, TokenManager};
use keyfob_testkit::traces::{self, TRACES};

use crate::fixture::Fixture;

/// Returns the traces that are in the file in plaintext.
async fn traces_in_plaintext(ring: Option<&KeyRing>) -> Vec<&'static str> {
    let fixture = Fixture::new();
    let manager = TokenManager::builder(Arc::new(fixture.store())).clock(fixture.clock.clone());
    let manager = match ring {
        Some(ring) => manager.keys(ring),
        None => manager,
    };
    traces::write_traces(&manager.build()).await.unwrap();
    traces::find_plaintext(&std::fs::read(fixture.path()).unwrap())
}

#[tokio::test]
async fn a_sealed_file_contains_no_plaintext() {
    let ring = KeyRing::generate(Timestamp::default(), &OsRandom).unwrap();
    assert_eq!(traces_in_plaintext(None).await, TRACES, "without keys, all traces are in the file");
    assert_eq!(traces_in_plaintext(Some(&ring)).await, [""; 0]);
}

#[tokio::test]
async fn the_minimum_key_version_and_the_key_of_a_record_are_durable() {
    let fixture = Fixture::new();
    let store = fixture.store();
    let record = NewRecord { key: KeyVersion::new(7), ..fixture.record(&store, "user") };
    let id = record.id;
    fixture.insert(&store, vec![record]).await;
    store.raise_min_key_version(KeyVersion::new(7)).await.unwrap();
    drop(store);
    let store = fixture.store();
    assert_eq!(store.min_key_version().await.unwrap(), KeyVersion::new(7));
    assert_eq!(store.load(id).await.unwrap().unwrap().key, KeyVersion::new(7));
    let record = NewRecord { key: KeyVersion::new(6), ..fixture.record(&store, "user") };
    let insert = Insert { records: vec![record], events: Vec::new() };
    let refused = store.insert(fixture.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::KeyRetired { .. })), "{refused:?}");
    assert!(store.check().await.unwrap().is_consistent(), "the file is consistent");
}
