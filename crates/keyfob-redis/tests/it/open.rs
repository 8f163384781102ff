//! Opening a namespace.

use keyfob::Ttl;
use keyfob::store::Lane;
use keyfob::store::prelude::*;
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::{fresh_namespace, server};

use crate::support::*;

async fn refused(url: &str) -> keyfob::store::StoreError {
    match RedisStore::connect(url).await {
        Ok(store) => panic!("{store:?} opened"),
        Err(error) => error,
    }
}

#[tokio::test]
async fn racing_creators_agree() {
    let url = format!("{}?namespace={}&lanes=16", server().url(), fresh_namespace());
    let opened = futures_util::future::join_all((0..8).map(|_| RedisStore::connect(&url))).await;
    let stores: Vec<_> = opened.into_iter().map(Result::unwrap).collect();
    for store in &stores {
        assert_eq!(store.namespace().lanes().get(), 16);
        assert!(store.namespace().key() == stores[0].namespace().key(), "all stores have one key");
    }
}

#[tokio::test]
async fn a_namespace_keeps_its_lanes() {
    let url = format!("{}?namespace={}", server().url(), fresh_namespace());
    RedisStore::connect(&format!("{url}&lanes=16")).await.unwrap();
    let error = refused(&format!("{url}&lanes=8")).await;
    assert_eq!(error.code(), "store_misconfigured");
    assert!(error.to_string().contains("16 lanes, not 8"), "{error}");
    assert_eq!(RedisStore::connect(&url).await.unwrap().namespace().lanes().get(), 16);
}

#[tokio::test]
async fn foreign_data_is_reported() {
    let namespace = fresh_namespace();
    let url = format!("{}?namespace={namespace}", server().url());
    let meta = format!("{namespace}:meta");
    server().call(&["SET", &meta, "something else"]).unwrap();
    assert_eq!(refused(&url).await.code(), "not_a_store");
    server().call(&["DEL", &meta]).unwrap();
    server().call(&["LPUSH", &meta, "a list"]).unwrap();
    assert_eq!(refused(&url).await.code(), "not_a_store");
    server().call(&["DEL", &meta]).unwrap();
    server().call(&["SET", &meta, "keyfob\u{9}\u{1}"]).unwrap();
    let error = refused(&url).await;
    assert_eq!(error.code(), "newer_format");
    assert!(error.to_string().contains("format version 9"), "{error}");
}

#[tokio::test]
async fn a_missing_server_is_reported_in_time() {
    let begun = std::time::Instant::now();
    let error = refused("redis://127.0.0.1:1?namespace=x").await;
    assert_eq!(error.code(), "store_unavailable", "{error}");
    assert!(begun.elapsed().as_secs() < 5, "{:?}", begun.elapsed());
    assert!(error.to_string().contains("127.0.0.1:1"), "{error}");
}

#[tokio::test]
async fn a_namespace_that_lost_its_key_is_not_replaced() {
    // If the number of lanes divides the default, their tags are among those of the default.
    for lanes in ["", "&lanes=16"] {
        let namespace = fresh_namespace();
        let url = format!("{}?namespace={namespace}", server().url());
        let store = RedisStore::connect(&format!("{url}{lanes}")).await.unwrap();
        let new = record(id_at(now(), Lane::new(7)), Ttl::from_hours(1), vec![]);
        insert(&store, new).await;
        let meta = format!("{namespace}:meta");
        let kept = server().call(&["COPY", &meta, &format!("{namespace}:kept")]).unwrap();
        assert_eq!(kept.number(), 1);
        server().call(&["DEL", &meta]).unwrap();
        let error = refused(&url).await;
        assert_eq!(error.code(), "namespace_lost", "{error}");
        assert!(error.to_string().contains("Restore"), "{error}");
        assert_eq!(
            server().call(&["EXISTS", &meta]).unwrap().number(),
            0,
            "a refused open creates no keys"
        );
        server().call(&["RENAME", &format!("{namespace}:kept"), &meta]).unwrap();
        let again = RedisStore::connect(&url).await.unwrap();
        assert!(
            again.namespace().key() == store.namespace().key(),
            "the restored namespace is used"
        );
    }
}
