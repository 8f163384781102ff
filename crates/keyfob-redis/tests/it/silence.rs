//! A server that accepts connections and never answers.

use keyfob::store::prelude::*;
use std::time::{Duration, Instant};

use keyfob::Ttl;
use keyfob::store::Lane;
use keyfob_testkit::proxy::Proxy;
use keyfob_testkit::redis::server;

use crate::support::*;

#[tokio::test]
async fn many_callers_share_one_failed_attempt() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let store = open(&config(&format!("redis://127.0.0.1:{}", proxy.port()), 8)).await;
    let id = insert(&store, record(id_at(now(), Lane::new(1)), Ttl::from_hours(1), vec![])).await;
    proxy.stall();
    let begun = Instant::now();
    let calls = (0..200).map(|_| store.load(id));
    for answer in futures_util::future::join_all(calls).await {
        assert_eq!(answer.unwrap_err().code(), "store_unavailable");
    }
    let took = begun.elapsed();
    assert!(took < Duration::from_secs(6), "none of 200 waits for the others: {took:?}");
    proxy.cut();
    proxy.heal();
    assert!(store.load(id).await.unwrap().is_some(), "calls succeed when the server answers again");
}
