//! The keys that seal the store.

use http::Request;
use keyfob::clock::{Clock as _, SystemClock};
use keyfob::random::OsRandom;
use keyfob::seal::{KeyRing, NewKey};
use keyfob::{Grant, Kind, MemoryStore, TokenManager};

use crate::support::Site;

#[tokio::test]
async fn without_keys_the_page_says_how_to_begin() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:keys keyfob:read").await;
    let page = browser.get("/console/keys").await;
    page.shows(&["This store is not sealed", "keyfob keys generate"]);
    page.hides(&["data-run"]);
}

/// Returns a site whose records lie under key 1, and whose active key is 2.
async fn turned() -> Site {
    let now = SystemClock.now();
    let mut ring = KeyRing::generate(now, &OsRandom).unwrap();
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).keys(&ring).build();
    for _ in 0..3 {
        manager.issue(Grant::new(Kind::Session).subject("alice")).await.unwrap();
    }
    let next = ring.add(NewKey::Sealing, now, &OsRandom).unwrap();
    ring.activate(next).unwrap();
    manager.set_keys(&ring).unwrap();
    Site::of(manager)
}

#[tokio::test]
async fn the_ring_is_shown_and_resealed() {
    let site = turned().await;
    let mut browser = site.signed_in("keyfob:keys").await;
    let page = browser.get("/console/keys").await;
    page.shows(&["reading", "active", "Count the records under each key", "data-run=\"reseal\""]);
    page.hides(&["Records</th>"]);
    let page = browser.get("/console/keys?count=true").await;
    page.shows(&["Records</th>", "3 records are to be sealed under key 2."]);
    let reply = browser.post("/console/keys/reseal", &[]).await;
    assert_eq!(reply.header("location"), "/console/keys?count=true&done=true");
    let page = browser.get(reply.header("location")).await;
    page.shows(&["The run is over.", "keyfob keys retire 1"]);
}

#[tokio::test]
async fn progress_is_sent_line_by_line() {
    let site = turned().await;
    let mut browser = site.signed_in("keyfob:keys").await;
    let request = Request::post("/console/keys/reseal")
        .header("sec-fetch-site", "same-origin")
        .header("accept", "application/x-ndjson");
    let reply = browser.send_form(request, &[]).await;
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    let last: serde_json::Value = serde_json::from_str(reply.text.lines().last().unwrap()).unwrap();
    assert_eq!((last["state"].as_str(), last["resealed"].as_u64()), (Some("done"), Some(3)));
}

#[tokio::test]
async fn a_key_without_the_scope_sees_no_ring() {
    let site = turned().await;
    let mut browser = site.signed_in("keyfob:read").await;
    assert_eq!(browser.get("/console/keys").await.status, 403);
    let reply = browser.post("/console/keys/reseal", &[]).await;
    assert_eq!(reply.status, 403);
}
