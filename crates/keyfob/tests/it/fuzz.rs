//! A short run of the fuzz targets of the library.

use keyfob::store::prelude::*;
use std::sync::Arc;

use keyfob::random::SeededRandom;
use keyfob::{Grant, Kind, MemoryStore, TokenManager};
use keyfob_testkit::fuzz;

use crate::mutations::run;

/// Returns the bearer and the stored body of one token of each kind.
async fn issued() -> (Vec<Vec<u8>>, Vec<Vec<u8>>) {
    let store = Arc::new(MemoryStore::new().expect("the system has randomness"));
    let manager = TokenManager::builder(store.clone()).random(SeededRandom::new(1)).build();
    let (mut bearers, mut bodies) = (Vec::new(), Vec::new());
    for kind in Kind::ALL {
        let grant = Grant::new(kind)
            .subject("user123")
            .issuer("example-service")
            .audience("example-app")
            .scopes("read write")
            .client("web")
            .device_id("device123")
            .ip([192, 0, 2, 1].into())
            .label("environment", "production")
            .tag("mobile")
            .claims(&std::collections::BTreeMap::from([("tier", "team")]));
        let issued = manager.issue(grant).await.expect("issue succeeds");
        let loaded =
            store.load(issued.token.id).await.expect("load succeeds").expect("the record exists");
        bearers.push(issued.bearer.expose().into());
        bodies.push(loaded.body);
    }
    (bearers, bodies)
}

#[tokio::test]
async fn no_bytes_break_the_bearer_parser() {
    run(2, &issued().await.0, fuzz::bearer);
}

#[tokio::test]
async fn no_bytes_break_the_record_decoder() {
    run(3, &issued().await.1, fuzz::record);
}

#[test]
fn no_bytes_break_the_filter_parser() {
    let samples = [
        "subject:user123 tag:mobile label:environment=production state:active",
        "kind:access,refresh subject:\"Jane \\\"JD\\\" Doe\" issuer:a\\b audience:x client:web",
        "device:d app:shop any-tag:a any-tag:b scope:read any-scope:write label:team=\"a b\"",
        "family:tok_00d1h88n000000000000000001 id:tok_00d1",
        "issued-after:2026-11-24 issued-before:2026-11-24T08:30:00.5+01:00",
        "expires-after:-7d expires-before:\"+1h 30m\"",
    ];
    run(4, &samples.map(Vec::from), fuzz::filter);
}
