//! An advance over all lanes that its node did not finish.

use keyfob::store::prelude::*;
use std::time::Duration;

use keyfob::store::{Advance, Cursor, EpochScope, Feed, MarkScope, StoreError, Verdict};
use keyfob::{TokenId, Ttl};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::RedisServer;

use crate::support::*;

async fn through_all(store: &RedisStore, id: TokenId) -> bool {
    match store.load(id).await.unwrap().unwrap().verdict {
        Verdict::Revoked(mark) => mark.through == MarkScope::All && mark.note == b"why",
        _ => false,
    }
}

#[tokio::test]
async fn another_node_finishes_an_advance() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 4);
    let store = open(&config).await;
    let lanes: Vec<_> = store.namespace().lanes().lanes().collect();
    let mut ids = Vec::new();
    for lane in lanes.clone() {
        ids.push(insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await);
    }
    // This node may write only to the first lane. So it behaves as if it stopped after that step.
    store.stamp(ids[0].lane()).await.unwrap();
    let namespace = config.to_string().split_once("namespace=").unwrap().1.to_owned();
    let first = keys(&server, &config, "l*")
        .into_iter()
        .find(|key| server.call(&["HGET", key, "r"]).is_ok() && is_first_lane(key))
        .unwrap();
    let tag = &first[first.find('{').unwrap()..];
    let meta = format!("~{namespace}:meta");
    let rules = ["SETUSER", "half", "on", ">pw", "+@all", &meta, &format!("~{namespace}:?{tag}*")];
    server.call(&[&["ACL"][..], &rules].concat()).unwrap();
    let url = format!("{}?namespace={namespace}", server.url_of("half", "pw"));
    let half = RedisStore::connect(&url).await.unwrap();
    let operation = operation();
    let events = vec![b"all is revoked".to_vec()];
    let advance = Advance { note: b"why".to_vec(), events, ..Advance::new(EpochScope::All, now()) };
    let outcome = half.advance(operation, advance.clone()).await;
    let Err(StoreError::PartlyApplied { operation: id, applied: 1, pending }) = &outcome else {
        panic!("{outcome:?}")
    };
    assert_eq!((*id, pending.as_slice()), (operation.id, &lanes[1..]));
    half.close().await;
    assert!(through_all(&store, ids[0]).await, "the first step was done");

    // A node that was running before finds the advance, and so would a node that connects.
    let mut patience = 0;
    while !through_all(&store, ids[3]).await {
        patience += 1;
        assert!(patience < 100, "no node finished the advance");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in &ids {
        assert!(through_all(&store, *id).await, "every lane was advanced");
    }
    // A token that is issued now stays valid, even if the operation is sent again.
    let lane = ids[2].lane();
    let later = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    assert_eq!(store.advance(operation, advance).await.unwrap().lanes, 4);
    assert_eq!(store.load(later).await.unwrap().unwrap().verdict, Verdict::Clear);
    let happened = store.entries(Feed::Events, &Cursor::start(), 100).await.unwrap().entries;
    let event_count = happened.iter().filter(|entry| entry.body == b"all is revoked").count();
    assert_eq!(event_count, 1, "the advance writes one event");
    assert!(keys(&server, &config, "w*").is_empty(), "no key of the advance is left");
}

/// The tag of the first lane of four has the lowest slots.
fn is_first_lane(key: &str) -> bool {
    let tag = &key[key.find('{').unwrap() + 1..key.find('}').unwrap()];
    let slot = tag.bytes().fold(0u16, |crc, byte| {
        (0..8).fold(crc ^ u16::from(byte) << 8, |crc, _| {
            if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 }
        })
    }) % 16_384;
    slot < 4_096
}
