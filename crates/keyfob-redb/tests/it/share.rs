//! Many writers share a commit; one alone waits for nobody.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::store::{Insert, Inserted, NewRecord, StoreError};

use crate::stage::{self, Stage};

const WRITERS: usize = 64;
const EACH: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_share_their_commits() {
    let stage = Arc::new(Stage::new());
    let store = Arc::new(stage.store());
    let writers = (0..WRITERS).map(|writer| {
        let (stage, store) = (Arc::clone(&stage), Arc::clone(&store));
        tokio::spawn(async move {
            for _ in 0..EACH {
                let record = stage.record(&store, &format!("user{writer}"));
                stage.insert(&store, vec![record]).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let shared = store.commits();
    assert_eq!(shared.commands, (WRITERS * EACH) as u64);
    assert!(shared.commits * 8 <= shared.commands, "{shared:?}");
    assert_eq!(store.count(store.namespace().all(), None).await.unwrap(), shared.commands);
    stage::assert_sound(&store).await;
}

#[tokio::test]
async fn one_writer_alone_has_its_commits_for_itself() {
    let stage = Stage::new();
    let store = stage.store();
    for _ in 0..10 {
        let record = stage.record(&store, "user");
        stage.insert(&store, vec![record]).await;
    }
    let shared = store.commits();
    assert_eq!((shared.commands, shared.commits), (10, 10));
}

/// Commands that are refused share a transaction with others, and leave nothing in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_refused_leaves_nothing_in_the_shared_commit() {
    let stage = Arc::new(Stage::new());
    let store = Arc::new(stage.store());
    let taken = stage.record(&store, "first");
    stage.insert(&store, vec![taken.clone()]).await;
    let writers = (0..48).map(|n| {
        let (stage, store, taken) = (Arc::clone(&stage), Arc::clone(&store), taken.clone());
        tokio::spawn(async move {
            let good = stage.record(&store, &format!("user{n}"));
            let bad = match n % 3 {
                0 => taken,
                1 => NewRecord { body: vec![0; NewRecord::MAX_BODY + 1], ..good.clone() },
                _ => good.clone(),
            };
            let insert = Insert { records: vec![good, bad], events: vec![b"two".to_vec()] };
            (n, store.insert(stage.operation(), insert).await)
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        match writer.await.unwrap() {
            (n, Ok(Inserted::IdTaken)) => assert_eq!(n % 3, 0),
            (n, Err(StoreError::TooLarge { .. })) => assert_eq!(n % 3, 1),
            (n, Ok(Inserted::Stored(_))) => assert_eq!(n % 3, 2),
            (n, other) => panic!("{n}: {other:?}"),
        }
    }
    assert_eq!(store.count(store.namespace().all(), None).await.unwrap(), 1 + 16);
    assert_eq!(stage::events(&store).await.len(), 1 + 16);
    stage::assert_sound(&store).await;
}
