//! Checking a bearer.

use keyfob::token::Confirmation;
use keyfob::{Grant, Kind, RevokeRequest};

use crate::support::Site;

#[tokio::test]
async fn a_bearer_is_explained_and_is_on_no_page() {
    let site = Site::new();
    let issued = site.issue(Grant::new(Kind::Access).subject("alice").audience("shop")).await;
    let bearer = issued.bearer.expose();
    let mut browser = site.signed_in("keyfob:read").await;
    browser.get("/console/bearer").await.shows(&["name=\"bearer\"", "autocomplete=\"off\""]);
    let pasted = format!(" Bearer {bearer}\n");
    let fields = [("bearer", pasted.as_str()), ("audience", "bank")];
    let page = browser.post("/console/bearer", &fields).await;
    page.shows(&["alice", "It is for shop.", "It is refused, for one reason.", "PASTE_THE_BEARER"]);
    page.shows(&[&format!("/console/tokens/{}/explain?audience=bank", issued.token.id)]);
    page.hides(&[bearer]);
    let why = RevokeRequest::reason("stolen");
    site.manager.revoke(issued.token.id, why).await.unwrap();
    let page = browser.post("/console/bearer", &[("bearer", bearer)]).await;
    page.shows(&["It was revoked now.", "stolen"]);
}

#[tokio::test]
async fn a_text_that_is_no_bearer_is_called_so() {
    let site = Site::new();
    let unknown = Site::new().issue(Grant::new(Kind::Access)).await.bearer;
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.post("/console/bearer", &[("bearer", unknown.expose())]).await;
    page.shows(&["There is no token with this secret.", "token_unknown"]);
    let page = browser.post("/console/bearer", &[("bearer", "hunter2")]).await;
    page.shows(&["token_malformed"]);
    page.hides(&["hunter2"]);
    for nothing in ["", "  ", &"x".repeat(8 * 1024 + 1)] {
        assert_eq!(browser.post("/console/bearer", &[("bearer", nothing)]).await.status, 422);
    }
}

#[tokio::test]
async fn the_older_secret_of_a_key_is_named() {
    let site = Site::new();
    let key = site.issue(Grant::new(Kind::ApiKey).client("shop")).await;
    site.manager.validate_active(&key.bearer).await.unwrap();
    let new = site.manager.rotate(key.token.id, keyfob::RotateRequest::new()).await.unwrap();
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.post("/console/bearer", &[("bearer", key.bearer.expose())]).await;
    page.shows(&["It is the older secret of the key"]);
    let page = browser.post("/console/bearer", &[("bearer", new.bearer.expose())]).await;
    page.shows(&["It is the newest secret of the key."]);
}

#[tokio::test]
async fn demands_that_are_wrong_or_a_session_that_ended_keep_what_was_typed() {
    let site = Site::new();
    let bearer = site.issue(Grant::new(Kind::Access)).await.bearer;
    let fields = [("bearer", bearer.expose()), ("audience", "shop"), ("max_age", "soon")];
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.post("/console/bearer", &fields).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("shop</textarea>") && page.text.contains("value=\"soon\""));
    page.hides(&[bearer.expose()]);
    let page = browser.post("/console/bearer", &[fields[0], ("chain", "nowhere")]).await;
    assert_eq!(page.status, 422);
    assert!(page.text.contains("no chain of this name"), "{}", page.text);
    let ended = site.browser().post("/console/bearer", &fields).await;
    assert_eq!(ended.status, 401);
    assert!(ended.text.contains("kept.audience"));
    ended.hides(&[bearer.expose()]);
}

#[tokio::test]
async fn a_bearer_that_is_bound_to_a_key_is_refused_without_the_key() {
    let site = Site::new();
    let key = Confirmation::Jkt("0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I".parse().unwrap());
    let issued = site.issue(Grant::new(Kind::Access).confirmation(key.clone())).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let bearer = ("bearer", &*format!("DPoP {}", issued.bearer.expose()));
    let bound_to = format!("the DPoP key {}", key.thumbprint());
    let page = browser.post("/console/bearer", &[bearer]).await;
    page.shows(&["Bound to", &bound_to, "It is refused, for one reason.", "without a proof"]);
    let page = browser.post("/console/bearer", &[bearer, ("jkt", "another")]).await;
    page.shows(&["The DPoP key another was proven.", "confirmation_mismatch"]);
    let proven = ("jkt", key.thumbprint().as_str());
    let page = browser.post("/console/bearer", &[bearer, proven]).await;
    page.shows(&["It is accepted", &format!("Its presenter has to prove {bound_to}.")]);
    // By its id, it is presented by nobody.
    let path = format!("/console/tokens/{}", issued.token.id);
    browser.get(&path).await.shows(&["Bound to", &bound_to]);
    browser.get(&format!("{path}/explain")).await.shows(&["It is accepted"]);
    let page = browser.get(&format!("{path}/explain?x5t_s256=another")).await;
    page.shows(&["The certificate another was proven."]);
}
