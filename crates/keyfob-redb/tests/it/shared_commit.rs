//! Many writers share a commit. A single writer does not wait for others.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::store::{Insert, Inserted, NewRecord, StoreError};

use crate::fixture::{self, Fixture};

const WRITERS: usize = 64;
const WRITES_PER_WRITER: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sixty_four_writers_share_their_commits() {
    let fixture = Arc::new(Fixture::new());
    let store = Arc::new(fixture.store());
    let writers = (0..WRITERS).map(|writer| {
        let (fixture, store) = (Arc::clone(&fixture), Arc::clone(&store));
        tokio::spawn(async move {
            for _ in 0..WRITES_PER_WRITER {
                let record = fixture.record(&store, &format!("user{writer}"));
                fixture.insert(&store, vec![record]).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let shared = store.commits();
    assert_eq!(shared.commands, (WRITERS * WRITES_PER_WRITER) as u64);
    assert!(shared.commits * 8 <= shared.commands, "{shared:?}");
    assert_eq!(store.count(store.namespace().all(), None).await.unwrap(), shared.commands);
    fixture::assert_consistent(&store).await;
}

#[tokio::test]
async fn a_single_writer_gets_one_commit_per_command() {
    let fixture = Fixture::new();
    let store = fixture.store();
    for _ in 0..10 {
        let record = fixture.record(&store, "user");
        fixture.insert(&store, vec![record]).await;
    }
    let shared = store.commits();
    assert_eq!((shared.commands, shared.commits), (10, 10));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_leaves_nothing_in_the_shared_commit() {
    let fixture = Arc::new(Fixture::new());
    let store = Arc::new(fixture.store());
    let taken = fixture.record(&store, "first");
    fixture.insert(&store, vec![taken.clone()]).await;
    let writers = (0..48).map(|n| {
        let (fixture, store, taken) = (Arc::clone(&fixture), Arc::clone(&store), taken.clone());
        tokio::spawn(async move {
            let good = fixture.record(&store, &format!("user{n}"));
            let bad = match n % 3 {
                0 => taken,
                1 => NewRecord { body: vec![0; NewRecord::MAX_BODY + 1], ..good.clone() },
                _ => good.clone(),
            };
            let insert = Insert { records: vec![good, bad], events: vec![b"two".to_vec()] };
            (n, store.insert(fixture.operation(), insert).await)
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
    assert_eq!(fixture::events(&store).await.len(), 1 + 16);
    fixture::assert_consistent(&store).await;
}
