//! A sealed store on a server: what is visible to the server, on its disk and to its replicas.

use keyfob::store::prelude::*;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use keyfob::clock::{Clock, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::{KeyRing, KeyVersion, NewKey, SealedStore};
use keyfob::{Filter, Grant, Kind, Subject, TokenManager};
use keyfob_testkit::contract::{Setup, Time};
use keyfob_testkit::redis::{RedisServer, server};
use keyfob_testkit::traces::{self, TRACES};

use crate::support::{config, keys, open};

fn ring() -> KeyRing {
    KeyRing::generate(SystemClock.now(), &OsRandom).unwrap().allowing_plaintext()
}

async fn setup() -> Setup {
    let store = open(&config(&server().url(), 8)).await;
    // Sealed from the beginning: one encoding of each term, so one round trip for a page.
    let mut ring = ring();
    ring.retire(KeyVersion::PLAINTEXT).unwrap();
    Setup::new(Arc::new(SealedStore::new(Arc::new(store), &ring)), Time::Real)
}

keyfob_testkit::store_contract!(setup);

/// Returns all bytes of the files below a folder.
fn bytes_of(folder: &Path) -> Vec<u8> {
    let mut bytes = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        bytes.extend(if path.is_dir() { bytes_of(&path) } else { fs::read(&path).unwrap() });
    }
    bytes
}

/// Returns the plaintext traces on the server's disk. Its log of writes has every key and every
/// value that was ever written; replicas receive the same.
async fn traces_in_plaintext(ring: Option<&KeyRing>) -> Vec<&'static str> {
    let server = RedisServer::builder().append_only().start().unwrap();
    let store = Arc::new(open(&config(&server.url(), 8)).await);
    let manager = TokenManager::builder(store);
    let manager = match ring {
        Some(ring) => manager.keys(ring),
        None => manager,
    };
    traces::write_traces(&manager.build()).await.unwrap();
    server.call(&["CONFIG", "SET", "appendfsync", "always"]).unwrap();
    server.call(&["SET", "the-end", "of-it"]).unwrap();
    let bytes = bytes_of(server.folder());
    assert!(bytes.windows(7).any(|window| window == b"the-end"), "the whole log is on the disk");
    traces::find_plaintext(&bytes)
}

#[tokio::test]
async fn the_server_stores_nothing_in_plaintext() {
    assert_eq!(traces_in_plaintext(None).await, TRACES, "without keys, all traces are on the disk");
    assert_eq!(traces_in_plaintext(Some(&ring())).await, [""; 0]);
}

#[tokio::test]
async fn a_key_rotation_changes_the_index_too() {
    // Leaves so small that the index has many.
    let config = config(&server().url(), 4).with_leaf(8);
    let store = Arc::new(open(&config).await);
    let mut ring = ring();
    let manager = TokenManager::builder(store.clone()).keys(&ring).build();
    for n in 0..120 {
        let grant = Grant::new(Kind::Session).subject(format!("user{}", n % 3)).tag("all");
        manager.issue(grant).await.unwrap();
    }
    let before = keys(server(), &config, "i{*");
    let next = ring.add(NewKey::SealingAndTerms, SystemClock.now(), &OsRandom).unwrap();
    ring.activate(next).unwrap();
    manager.set_keys(&ring).unwrap();
    let done = manager.reseal().unwrap().run(|_| {}).await.unwrap();
    assert_eq!((done.resealed, done.unreadable), (120, 0));
    for key in [KeyVersion::PLAINTEXT, KeyVersion::FIRST] {
        manager.retire_key(&mut ring, key).await.unwrap();
    }
    manager.set_keys(&ring).unwrap();
    assert_eq!(manager.count(&Filter::new().tag("all")).await.unwrap(), 120);
    for n in 0..3 {
        let subject = Subject::new(format!("user{n}")).unwrap();
        assert_eq!(manager.count(&Filter::new().subject(subject)).await.unwrap(), 40);
    }
    assert_eq!(manager.count(&Filter::new()).await.unwrap(), 120);
    // Only empty heads are left of the old index. They expire when their records would have.
    for key in before.iter().filter(|key| !key.contains("}a")) {
        let members = server().call(&["ZCARD", key]).unwrap().number();
        assert!(members <= 16, "{key} still has {members} members");
    }
}

#[tokio::test]
async fn a_lane_with_a_min_key_version_does_not_expire() {
    let config = config(&server().url(), 4);
    let store = open(&config).await;
    store.raise_min_key_version(KeyVersion::new(2)).await.unwrap();
    let lanes = keys(server(), &config, "l{*");
    assert_eq!(lanes.len(), 4, "a lane in which nothing was ever stored has one too");
    for lane in &lanes {
        assert_eq!(server().call(&["PTTL", lane]).unwrap().number(), -1, "{lane}");
    }
    let again = open(&config).await;
    assert_eq!(
        again.min_key_version().await.unwrap(),
        KeyVersion::new(2),
        "another node reads the minimum key version"
    );
}
