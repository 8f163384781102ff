//! Events as they come.

use keyfob::{Grant, Kind, RevokeRequest};

use crate::support::Site;

#[tokio::test]
async fn stored_events_are_read_by_page() {
    let site = Site::new();
    let issued = site.issue(Grant::new(Kind::Session).subject("<b>alice")).await;
    let by = RevokeRequest::reason("stolen").by("ops");
    site.manager.revoke(issued.token.id, by).await.unwrap();
    let mut browser = site.signed_in("keyfob:admin").await;
    let reply = browser.get("/console/live?after=start").await;
    let id = issued.token.id.to_string();
    reply.shows(&["token.issued", "token.revoked", "stolen", &id, "&lt;b&gt;alice"]);
    let revoked = browser.get("/console/live?after=start&type=keyfob.token.revoked").await;
    revoked.hides(&["token.issued</"]);
}

#[tokio::test]
async fn events_of_one_token_are_read_alone() {
    let site = Site::new();
    let one = site.issue(Grant::new(Kind::Session).subject("alice")).await.token.id;
    let other = site.issue(Grant::new(Kind::Session).subject("bob")).await.token.id;
    let mut browser = site.signed_in("keyfob:admin").await;
    let page = browser.get(&format!("/console/live?after=start&token={one}")).await;
    page.shows(&["token.issued", "alice", &format!("name=\"token\" value=\"{one}\"")]);
    page.hides(&["bob", &other.to_string()]);
    browser.get(&format!("/console/live?token={one}")).await.shows(&[&format!("value=\"{one}\"")]);
}

#[tokio::test]
async fn observations_are_json_for_the_script() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:admin").await;
    let reply = browser.get("/console/live/observations?after=start&limit=10").await;
    assert_eq!(reply.header("content-type"), "application/json");
    assert!(serde_json::from_str::<serde_json::Value>(&reply.text).unwrap()["events"].is_array());
    let mut reader = site.signed_in("keyfob:read").await;
    assert_eq!(reader.get("/console/live/observations").await.status, 403);
}
