//! A sealed store in a file: what whoever gets hold of the file gets to see.

use std::sync::Arc;

use keyfob::seal::KeyRing;
use keyfob::store::{Insert, NewRecord, Store, StoreError};
use keyfob::{Grant, KeyNumber, Kind, OsRandom, Subject, Timestamp, TokenManager, Why};

use crate::stage::Stage;

const SECRETS: [&str; 8] = [
    "subject-of-it",
    "client-of-it",
    "device-of-it",
    "agent-of-it",
    "label-of-it",
    "tag-of-it",
    "reason-of-it",
    "actor-of-it",
];

/// Whatever a manager writes, with a secret in every place that has room for one.
async fn fill(manager: &TokenManager) {
    let why = || Why::because("reason-of-it").by("actor-of-it");
    let mut ids = Vec::new();
    for _ in 0..4 {
        let grant = Grant::new(Kind::Session)
            .subject("subject-of-it")
            .client("client-of-it")
            .device_id("device-of-it")
            .user_agent("agent-of-it")
            .label("label", "label-of-it")
            .tag("tag-of-it")
            .by("actor-of-it");
        let issued = manager.issue(grant).await.unwrap();
        manager.validate_any(&issued.bearer).await.unwrap();
        ids.push(issued.token.id);
    }
    let change = |metadata: &mut keyfob::Metadata| metadata.tags.insert("more".try_into()?);
    manager.update(ids[0], Some("actor-of-it".try_into().unwrap()), change).await.unwrap();
    manager.revoke(ids[1], why()).await.unwrap();
    manager.revoke_subject(&Subject::new("subject-of-it").unwrap(), why()).await.unwrap();
    manager.revoke_all(why()).await.unwrap();
    manager.shutdown().await;
}

/// The secrets that lie in clear in the file.
async fn in_clear(ring: Option<&KeyRing>) -> Vec<&'static str> {
    let stage = Stage::new();
    let manager = TokenManager::builder(Arc::new(stage.store())).clock(stage.clock.clone());
    let manager = match ring {
        Some(ring) => manager.keys(ring),
        None => manager,
    };
    fill(&manager.build()).await;
    let bytes = std::fs::read(stage.path()).unwrap();
    let holds =
        |secret: &str| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
    SECRETS.into_iter().filter(|secret| holds(secret)).collect()
}

#[tokio::test]
async fn nothing_lies_in_clear_in_the_file() {
    let ring = KeyRing::generate(Timestamp::default(), &OsRandom).unwrap();
    assert_eq!(in_clear(None).await, SECRETS, "without keys, all of it does");
    assert_eq!(in_clear(Some(&ring)).await, [""; 0]);
}

#[tokio::test]
async fn a_floor_and_the_key_of_a_record_outlive_the_process() {
    let stage = Stage::new();
    let store = stage.store();
    let record = NewRecord { key: KeyNumber::new(7), ..stage.record(&store, "user") };
    let id = record.id;
    stage.insert(&store, vec![record]).await;
    store.raise_key_floor(KeyNumber::new(7)).await.unwrap();
    drop(store);
    let store = stage.store();
    assert_eq!(store.key_floor().await.unwrap(), KeyNumber::new(7));
    assert_eq!(store.load(id).await.unwrap().unwrap().key, KeyNumber::new(7));
    let record = NewRecord { key: KeyNumber::new(6), ..stage.record(&store, "user") };
    let insert = Insert { records: vec![record], events: Vec::new() };
    let refused = store.insert(stage.operation(), insert).await;
    assert!(matches!(refused, Err(StoreError::KeyRetired { .. })), "{refused:?}");
    assert!(store.check().await.unwrap().is_sound(), "the file holds together");
}
