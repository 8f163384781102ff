//! Events as they come.

use keyfob::{Grant, Kind, RevokeRequest};

use crate::support::{Browser, Site};

/// Returns the address that a link of a page leads to.
fn address(page: &str, text: &str) -> String {
    let (before, _) = page.split_once(&format!(">{text}<")).unwrap();
    let (_, address) = before.rsplit_once("href=\"").unwrap();
    address.split('"').next().unwrap().replace("&amp;", "&")
}

/// Reads the page behind the button of a token.
async fn events_of(browser: &mut Browser<'_>, token: keyfob::TokenId) -> String {
    let page = browser.get(&format!("/console/tokens/{token}")).await;
    let address = address(&page.text, "Events");
    browser.get(&address).await.text
}

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

#[tokio::test]
async fn events_of_a_token_are_found_behind_many_others() {
    let site = Site::new();
    for n in 0..1_200 {
        site.issue(Grant::new(Kind::Session).subject(format!("other-{n}"))).await;
    }
    let id = site.issue(Grant::new(Kind::Session).subject("late")).await.token.id;
    let mut browser = site.signed_in("keyfob:admin").await;
    let page = browser.get(&format!("/console/live?after=start&token={id}")).await;
    page.shows(&["token.issued", "late", "These are all"]);
    assert!(events_of(&mut browser, id).await.contains("token.issued"));
    // There is none of this type: that is said only after all were read.
    let none = browser.get("/console/live?after=start&type=keyfob.token.secret_replaced").await;
    none.shows(&["No such events are stored."]);
    none.hides(&["Issue a token", "Search on", "Next page"]);
}

#[tokio::test]
async fn a_page_of_events_is_cut_after_a_hundred_and_continued() {
    let site = Site::new();
    for n in 0..150 {
        site.issue(Grant::new(Kind::Session).subject(format!("user-{n}-"))).await;
    }
    let mut browser = site.signed_in("keyfob:admin").await;
    let first = browser.get("/console/live?after=start&type=keyfob.token.issued").await;
    first.shows(&["user-0-", "user-99-", "Next page"]);
    first.hides(&["user-100-"]);
    let next = browser.get(&address(&first.text, "Next page")).await;
    next.shows(&["user-100-", "user-149-", "name=\"after\" value=\"start\""]);
    next.hides(&["user-99-"]);
}

#[tokio::test]
async fn reading_begins_with_the_last_hour_unless_one_says_so() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:admin").await;
    let live = browser.get("/console/live").await;
    let stored = browser.get(&address(&live.text, "Read what is stored")).await;
    stored.shows(&["the last hour", "the last day", "the start", "token.issued"]);
    let later = "after=2999-01-01T00%3A00%3A00Z";
    browser.get(&format!("/console/live?{later}")).await.shows(&["No events are stored from"]);
}
