//! Lost epochs, and epochs that are no longer needed.

use keyfob::Ttl;
use keyfob::seal::KeyVersion;
use keyfob::store::prelude::*;
use keyfob::store::{Advance, EpochScope, Lane, Replace, Replaced, Verdict};
use keyfob_testkit::redis::server;

use crate::support::*;

#[tokio::test]
async fn a_lost_lane_refuses_the_tokens_it_held() {
    let config = config(&server().url(), 1);
    let store = open(&config).await;
    let lane = Lane::new(0);
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    let hash = keys(server(), &config, "l*").pop().unwrap();
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Clear);

    server().call(&["DEL", &hash]).unwrap();
    let lost = store.load(id).await.unwrap().unwrap();
    assert_eq!(lost.verdict, Verdict::Damaged, "the epochs of the record are lost");
    // The lane begins again. Later tokens are valid; the earlier ones are not.
    let later = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    assert_eq!(store.load(later).await.unwrap().unwrap().verdict, Verdict::Clear);
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Damaged);
    let replace = Replace {
        id,
        read: lost.version,
        body: vec![1],
        key: KeyVersion::PLAINTEXT,
        added_terms: vec![],
        minted: vec![],
        ends_at: None,
        clear: None,
        events: vec![],
    };
    assert_eq!(store.replace(operation(), replace).await.unwrap(), Replaced::Ended);
}

#[tokio::test]
async fn a_lane_that_was_rolled_back_refuses_later_tokens() {
    let config = config(&server().url(), 1);
    let store = open(&config).await;
    let lane = Lane::new(0);
    let field = store.namespace().ancestor_epoch(id_at(now(), lane));
    store.stamp(lane).await.unwrap();
    let hash = keys(server(), &config, "l*").pop().unwrap();
    let before = server().call(&["HGET", &hash, "n"]).unwrap().to_string();
    let scope = EpochScope::Lane(lane, field);
    let advance = Advance::new(scope, now());
    store.advance(operation(), advance).await.unwrap();
    let id = insert(&store, record(id_at(now(), lane), Ttl::from_hours(1), vec![])).await;
    server().call(&["HSET", &hash, "n", &before]).unwrap();
    assert_eq!(store.load(id).await.unwrap().unwrap().verdict, Verdict::Damaged);
}

#[tokio::test]
async fn epochs_that_no_longer_cover_anything_are_removed() {
    let config = config(&server().url(), 1);
    let store = open(&config).await;
    let lane = Lane::new(0);
    for n in 0..300 {
        // A cascade covers only what is kept as long as its record.
        let life = Ttl::from_millis(50).unwrap();
        if n == 200 {
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        let id = insert(&store, record(id_at(now(), lane), life, vec![])).await;
        let cascade = Some(store.namespace().ancestor_epoch(id));
        let revoke = keyfob::store::Revoke { cascade, ..keyfob::store::Revoke::new(id, now()) };
        store.revoke(operation(), revoke).await.unwrap();
        store.stamp(lane).await.unwrap();
    }
    let hash = keys(server(), &config, "l*").pop().unwrap();
    let fields = server().call(&["HLEN", &hash]).unwrap().number();
    assert!(fields < 150, "of 300 epochs {fields} fields are left");
}
