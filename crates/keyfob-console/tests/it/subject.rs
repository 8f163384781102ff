//! One subject: its devices and sessions, and why they ended.

use keyfob::{Grant, Kind, RevokeRequest};

use crate::support::Site;

const FIREFOX: &str =
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0";
const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, \
                     like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

fn session(subject: &str) -> Grant {
    Grant::new(Kind::Session).subject(subject)
}

#[tokio::test]
async fn devices_are_shown_as_a_person_knows_them() {
    let site = Site::new();
    let address = std::net::IpAddr::from([198, 51, 100, 7]);
    for _ in 0..2 {
        site.issue(session("4711").device_id("laptop-1").user_agent(FIREFOX).ip(address)).await;
    }
    site.issue(session("4711").user_agent(PHONE)).await;
    site.issue(session("other").user_agent("curl/8")).await;
    let mut browser = site.signed_in("keyfob:read keyfob:revoke").await;
    let reply = browser.get("/console/subjects/4711").await;
    reply.shows(&[
        "<strong>3</strong> alive",
        "on 2 devices",
        "Firefox on Windows",
        "laptop-1",
        "Safari on iPhone",
        "198.51.100.7",
        "/console/revoke?subject=4711",
        "/console/revoke?filter=subject%3A4711+device%3Alaptop-1",
        "/console/revoke?token=tok_",
    ]);
    reply.hides(&["curl/8"]);
    let mut reader = site.signed_in("keyfob:read").await;
    reader.get("/console/subjects/4711").await.hides(&["/console/revoke"]);
}

#[tokio::test]
async fn why_a_session_ended_is_a_plain_sentence() {
    let site = Site::new();
    let issued = site.issue(session("4711").user_agent(FIREFOX)).await;
    let reason = RevokeRequest::reason("laptop stolen").by("shop-admin");
    site.manager.revoke(issued.token.id, reason).await.unwrap();
    assert!(site.manager.validate_active(&issued.bearer).await.is_err());
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/subjects/4711").await;
    reply.shows(&["session on Firefox on Windows", " was revoked ", "shop-admin", "laptop stolen"]);
    reply.shows(&["<strong>0</strong> alive", "Refusals are not shown"]);
    let mut browser = site.signed_in("keyfob:read keyfob:events").await;
    for _ in 0..100 {
        let reply = browser.get("/console/subjects/4711").await;
        if reply.text.contains("because it was revoked") {
            reply.shows(&["was refused", "of the last 24 h"]);
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    panic!("the refusal is not shown");
}

#[tokio::test]
async fn where_no_logout_is_recorded_a_conclusion_comes_first() {
    let site = Site::new();
    site.issue(session("4711")).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/subjects/4711").await;
    let said = [
        "No logout is recorded since",
        "The only session was issued",
        "a new sign-in",
        "1 token of the subject",
    ];
    reply.shows(&said);
    reply.hides(&["1 tokens"]);
    assert!(reply.text.find(said[0]) < reply.text.find(said[3]));
    site.issue(session("4711")).await;
    browser.get("/console/subjects/4711").await.shows(&["The newest session was issued"]);
}

#[tokio::test]
async fn an_unknown_subject_leads_to_one_that_may_be_meant() {
    let site = Site::new();
    for n in [17, 4711] {
        site.issue(session(&format!("user-{n}"))).await;
    }
    let mut browser = site.signed_in("keyfob:read").await;
    let found = browser.get("/console/find?subject=4711").await;
    assert_eq!(found.header("location"), "/console/subjects/4711");
    let reply = browser.get("/console/subjects/4711").await;
    reply.shows(&[
        "There is no token of this subject",
        "Did you mean",
        "/console/subjects/user%2D4711",
    ]);
    browser.get("/console/find").await.shows(&["Find a person"]);
}

#[tokio::test]
async fn ten_thousand_sessions_are_read_page_by_page() {
    let site = Site::new();
    for n in 0..10_000 {
        let grant = session("crowd").device_id(format!("device-{n:05}")).user_agent(FIREFOX);
        site.issue(grant).await;
    }
    let mut browser = site.signed_in("keyfob:read keyfob:revoke keyfob:events").await;
    let reply = browser.get("/console/subjects/crowd").await;
    reply.shows(&["<strong>10000</strong> alive", "This page shows 100", "newest 1000"]);
    assert_eq!(reply.text.matches("Revoke device…").count(), 100);
    let (_, rest) = reply.text.split_once(r#"rel="next" href=""#).unwrap();
    let next = rest.split('"').next().unwrap().replace("&amp;", "&");
    let later = browser.get(&next).await;
    later.shows(&["<strong>10000</strong> alive", "This page shows 100"]);
    let devices = |text: &str| -> std::collections::BTreeSet<String> {
        text.split(">device-").skip(1).map(|rest| rest[..5].to_owned()).collect()
    };
    let (first, second) = (devices(&reply.text), devices(&later.text));
    assert_eq!((first.len(), second.len()), (100, 100));
    assert!(first.is_disjoint(&second));
}

#[tokio::test]
async fn hostile_values_are_only_text() {
    let site = Site::new();
    let hostile = "<script>alert(1)</script>\u{202e}\"'&";
    let grant = session(hostile).device_id(hostile).user_agent(hostile).client(hostile);
    let issued = site.issue(grant.clone()).await;
    site.manager.revoke(issued.token.id, RevokeRequest::reason(hostile).by(hostile)).await.unwrap();
    site.issue(grant).await;
    let mut browser = site.signed_in("keyfob:read keyfob:revoke keyfob:events").await;
    let query = form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
    let found = browser.get(&format!("/console/find?subject={query}")).await;
    let reply = browser.get(found.header("location")).await;
    reply.shows(&["&lt;script&gt;", r"\u{202e}", "<strong>1</strong> alive"]);
    reply.hides(&["<script>alert", "\u{202e}"]);
}
