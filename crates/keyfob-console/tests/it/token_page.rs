//! The page of one token, and what can be done on it.

use keyfob::bearer::BearerKey;
use keyfob::token::{JwtForm, StatusListId};
use keyfob::{
    Filter, Grant, Issued, Kind, Paging, Presentation, RevokeRequest, TokenState, Ttl,
    ValidationChain,
};

use crate::support::Site;

fn path(issued: &Issued) -> String {
    format!("/console/tokens/{}", issued.token.id)
}

/// Derives an access token from another token.
async fn derived(site: &Site, parent: &Issued) -> Issued {
    let presented = Presentation::new(parent.bearer.expose());
    site.manager.derive(presented, Grant::new(Kind::Access).scope("read")).await.unwrap()
}

#[tokio::test]
async fn a_token_is_shown_with_its_state_history_and_family() {
    let site = Site::new();
    let session = Grant::new(Kind::Session).subject("alice").scope("read").label("team", "shop");
    let session = site.issue(session.by("login")).await;
    let child = derived(&site, &session).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.get(&path(&session)).await;
    page.shows(&[
        "alice",
        "team=shop",
        "by <bdi>login</bdi>",
        "The path that it took: active",
        "(this token)",
        &path(&child),
        "is revoked with this token",
    ]);
    page.hides(&["/revoke\"", "/rotate\"", "Change…"]);
    browser.get(&path(&child)).await.shows(&[&path(&session), "(this token)"]);
    assert_eq!(browser.get("/console/tokens/tok_00d1h88n000000000000000001").await.status, 404);
    assert_eq!(browser.get("/console/tokens/nonsense").await.status, 404);
}

#[tokio::test]
async fn a_jwt_shows_its_place_in_a_status_list() {
    let site = Site::new();
    let (list, key) = (StatusListId::from_bytes([9; 16]), BearerKey::from_bytes([5; 32]));
    let place = JwtForm { list, index: 4711, key: 1 };
    let grant = || Grant::new(Kind::Access).subject("alice").ttl(Ttl::from_mins(5));
    let jwt = site.issue(grant().jwt(place, key)).await;
    let opaque = site.issue(grant()).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.get(&path(&jwt)).await;
    page.shows(&["JWT, place 4711 of the status list", &list.to_string()]);
    browser.get(&path(&opaque)).await.hides(&["status list"]);
}

#[tokio::test]
async fn a_revoked_token_says_who_and_why() {
    let site = Site::new();
    let session = site.issue(Grant::new(Kind::Session).subject("alice")).await;
    let why = RevokeRequest::reason("laptop stolen").by("support");
    site.manager.revoke_subject(&"alice".parse().unwrap(), why).await.unwrap();
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.get(&path(&session)).await;
    page.shows(&["laptop stolen", "support", "Everything of its subject was revoked."]);
    page.shows(&["active (now), then revoked (now)"]);
}

#[tokio::test]
async fn recent_refusals_are_counted_by_reason() {
    let site = Site::new();
    let issued = site.issue(Grant::new(Kind::Session).audience("shop")).await;
    let demands = ValidationChain::new().allow_audience("bank");
    for _ in 0..2 {
        assert!(site.manager.validate(&issued.bearer, &demands).await.is_err());
    }
    let mut browser = site.signed_in("keyfob:admin").await;
    let mut page = browser.get(&path(&issued)).await;
    // Observations are written a little later.
    for _ in 0..100 {
        if page.text.contains("invalid_audience") {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        page = browser.get(&path(&issued)).await;
    }
    page.shows(&["Refused lately", "it is not meant for the service that refused it"]);
    let mut reader = site.signed_in("keyfob:read").await;
    reader.get(&path(&issued)).await.hides(&["Refused lately"]);
}

#[tokio::test]
async fn the_explanation_says_of_each_rule_whether_it_is_met() {
    let site = Site::new();
    let grant = Grant::new(Kind::Access).audience("shop").scope("read");
    let issued = site.issue(grant).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let explain = format!("{}/explain", path(&issued));
    let page = browser.get(&explain).await;
    page.shows(&["It is accepted: every rule is met.", "It has to be active."]);
    let demands = "kind=access&kind=session&audience=bank%0D%0Atill&scopes=read+write&any_scopes=read\
                   &issuer=idp&max_age=1h&claims=plan&device_id=phone-7";
    let page = browser.get(&format!("{explain}?{demands}")).await;
    page.shows(&[
        "It is refused, for 5 reasons.",
        "Its kind has to be access or session.",
        "It has to be for bank or till.",
        "It is for shop.",
        "It lacks write. It has read.",
        "It has no issuer.",
        "Token lacks the claim plan.",
        "It is bound to no device.",
        "invalid_audience",
        "&quot;audience&quot;:[&quot;bank&quot;,&quot;till&quot;]",
        "bank\r\ntill</textarea>",
    ]);
    assert_eq!(page.text.matches("data-met=\"true\"").count(), 4, "{}", page.text);
    site.manager.revoke(issued.token.id, RevokeRequest::reason("left").by("ops")).await.unwrap();
    let page = browser.get(&explain).await;
    page.shows(&["It was revoked now by ops. The token itself was revoked. Reason: left."]);
}

#[tokio::test]
async fn a_wrong_demand_is_shown_at_its_field() {
    let site = Site::new();
    let issued = site.issue(Grant::new(Kind::Access)).await;
    let mut browser = site.signed_in("keyfob:read").await;
    for wrong in ["max_age=soon", "scopes=a%22b", "chain=nowhere", "kind=gold"] {
        let page = browser.get(&format!("{}/explain?audience=x&{wrong}", path(&issued))).await;
        assert_eq!(page.status, 422, "{wrong}: {}", page.text);
        let (name, value) = wrong.split_once('=').unwrap();
        assert!(page.text.contains("class=\"wrong\""), "{wrong}: {}", page.text);
        assert!(name == "kind" || page.text.contains(&value.replace("%22", "&quot;")));
    }
}

#[tokio::test]
async fn a_cascade_is_shown_before_a_token_is_revoked() {
    let site = Site::new();
    let session = site.issue(Grant::new(Kind::Session).subject("alice").scope("read")).await;
    let child = derived(&site, &session).await;
    let mut browser = site.signed_in("keyfob:read keyfob:revoke").await;
    let revoke = format!("{}/revoke", path(&session));
    browser.get(&path(&session)).await.shows(&[&format!("href=\"{revoke}\"")]);
    let page = browser.get(&revoke).await;
    page.shows(&["2 tokens", &child.token.id.to_string(), "name=\"reason\""]);
    page.hides(&["Your own session", "data-confirm"]);
    let reply = browser.post(&revoke, &[("reason", "laptop stolen")]).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    let page = browser.get(reply.header("location")).await;
    page.shows(&["Revoked, with all that descends from it.", "laptop stolen"]);
    let child = site.manager.get(child.token.id).await.unwrap();
    assert_eq!(child.state(site.manager.now()), TokenState::Revoked);
    let again = browser.post(&revoke, &[("reason", "again")]).await;
    assert!(again.header("location").ends_with("done=revoked-before"));
}

#[tokio::test]
async fn a_reason_that_cannot_be_stored_revokes_nothing() {
    let site = Site::new();
    let session = site.issue(Grant::new(Kind::Session)).await;
    let mut browser = site.signed_in("keyfob:read keyfob:revoke").await;
    let long = "long ".repeat(100);
    let reply = browser.post(&format!("{}/revoke", path(&session)), &[("reason", &long)]).await;
    assert_eq!(reply.status, 422);
    assert!(reply.text.contains(long.trim()) && reply.text.contains("at most 256"));
    assert!(site.manager.get(session.token.id).await.unwrap().revocation.is_none());
}

#[tokio::test]
async fn many_tokens_fall_only_after_a_word_was_typed() {
    let site = Site::new();
    let session = site.issue(Grant::new(Kind::Session).subject("alice").scope("read")).await;
    for _ in 0..25 {
        derived(&site, &session).await;
    }
    let mut browser = site.signed_in("keyfob:read keyfob:revoke").await;
    let revoke = format!("{}/revoke", path(&session));
    let page = browser.get(&revoke).await;
    page.shows(&["26 tokens", "These are the first 20.", "data-confirm=\"revoke\""]);
    let reply = browser.post(&revoke, &[("reason", "r"), ("word", "no")]).await;
    assert_eq!(reply.status, 422);
    let reply = browser.post(&revoke, &[("reason", "r"), ("word", "revoke")]).await;
    assert_eq!(reply.status, 303);
}

#[tokio::test]
async fn a_page_says_that_the_own_session_falls() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:admin").await;
    let keys = Filter::new().kind(Kind::ApiKey);
    let keys = site.manager.list(&keys, Paging::new(10)).await.unwrap();
    let revoke = format!("/console/tokens/{}/revoke", keys.tokens[0].id);
    browser.get(&revoke).await.shows(&["You signed in with this key", "another admin key"]);
    let own = Filter::new().kind(Kind::Session);
    let own = site.manager.list(&own, Paging::new(10)).await.unwrap().tokens[0].id;
    let revoke = format!("/console/tokens/{own}/revoke");
    browser.get(&revoke).await.shows(&["Your own session is revoked with it"]);
}

#[tokio::test]
async fn a_rotated_key_shows_its_new_secret_once() {
    let site = Site::new();
    let key = site.issue(Grant::new(Kind::ApiKey).client("shop")).await;
    let mut browser = site.signed_in("keyfob:admin").await;
    let rotate = format!("{}/rotate", path(&key));
    browser.get(&rotate).await.shows(&["name=\"overlap\" value=\"24h\"", "Rotate now"]);
    let wrong = browser.post(&rotate, &[("overlap", "a week")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.text.contains("value=\"a week\""));
    let page = browser.post(&rotate, &[("overlap", "0")]).await;
    page.shows(&["data-copy=\"secret\"", "The old secret has ended.", "fob_ak_"]);
    let (_, rest) = page.text.split_once("fob_ak_").unwrap();
    let secret = format!("fob_ak_{}", rest.split('<').next().unwrap());
    assert!(site.manager.validate_active(&secret).await.is_ok());
    assert_eq!(page.text.matches(&secret).count(), 1, "not in the calls, nor in the title");
    browser.get(&path(&key)).await.hides(&[&secret]);
}

#[tokio::test]
async fn metadata_is_changed_in_place() {
    let site = Site::new();
    let grant = Grant::new(Kind::Session).label("team", "shop").tag("beta");
    let issued = site.issue(grant).await;
    let mut browser = site.signed_in("keyfob:read keyfob:issue").await;
    let change = format!("{}/metadata", path(&issued));
    browser.get(&path(&issued)).await.shows(&[&change, "team=shop</textarea>"]);
    let fields = [
        ("labels", "team=till\r\nfloor=2"),
        ("seen.labels", "team=shop"),
        ("tags", ""),
        ("seen.tags", "beta"),
        ("app", "shop"),
    ];
    let reply = browser.post(&change, &fields).await;
    assert_eq!(reply.status, 303, "{}", reply.text);
    let page = browser.get(reply.header("location")).await;
    page.shows(&["The change is stored.", "team=till", "floor=2", "Metadata changed"]);
    let token = site.manager.get(issued.token.id).await.unwrap();
    assert!(token.metadata.tags.is_empty() && token.metadata.labels.len() == 2);
    assert_eq!(token.metadata.app.unwrap().as_str(), "shop");
}

#[tokio::test]
async fn a_change_that_fails_loses_nothing_that_was_typed() {
    let site = Site::new();
    let issued = site.issue(Grant::new(Kind::Session).label("team", "shop")).await;
    let mut browser = site.signed_in("keyfob:read keyfob:issue").await;
    let change = format!("{}/metadata", path(&issued));
    let wrong = [("labels", "no label"), ("seen.labels", "team=shop"), ("ip", "here")];
    let reply = browser.post(&change, &wrong).await;
    assert_eq!(reply.status, 422);
    for text in ["no label</textarea>", "value=\"here\"", "Line 1: write a label as key=value"] {
        assert!(reply.text.contains(text), "{text}: {}", reply.text);
    }
    // Somebody else was faster.
    let stale = [("labels", "team=till"), ("seen.labels", "team=bank"), ("app", "x")];
    let reply = browser.post(&change, &stale).await;
    assert_eq!(reply.status, 409);
    for text in ["team=till</textarea>", "Somebody has changed this", "value=\"team=shop\""] {
        assert!(reply.text.contains(text), "{text}: {}", reply.text);
    }
    site.manager.revoke(issued.token.id, RevokeRequest::reason("left")).await.unwrap();
    let late = [("labels", "team=till"), ("seen.labels", "team=shop")];
    let reply = browser.post(&change, &late).await;
    assert_eq!(reply.status, 409);
    assert!(reply.text.contains("team=till</textarea>"), "{}", reply.text);
    let ended = site.browser().post(&change, &late).await;
    assert_eq!(ended.status, 401);
    assert!(ended.text.contains("name=\"kept.labels\" value=\"team=till\""), "{}", ended.text);
}

#[tokio::test]
async fn a_person_without_the_scope_changes_nothing() {
    let site = Site::new();
    let key = site.issue(Grant::new(Kind::ApiKey).client("shop")).await;
    let mut browser = site.signed_in("keyfob:read").await;
    for (what, field) in [("revoke", "reason"), ("rotate", "overlap"), ("metadata", "app")] {
        let reply = browser.post(&format!("{}/{what}", path(&key)), &[(field, "1h")]).await;
        assert!([403, 404].contains(&reply.status.as_u16()), "{what}: {}", reply.status);
    }
    browser.get(&format!("{}/revoke", path(&key))).await.hides(&["Revoke now"]);
    let token = site.manager.get(key.token.id).await.unwrap();
    assert!(token.revocation.is_none() && token.metadata.app.is_none());
    assert_eq!(token.generation.number(), 0);
}

#[tokio::test]
async fn hostile_values_of_a_token_are_only_text() {
    let site = Site::new();
    let evil = "</textarea><script>alert(1)</script>\u{202e}\"'&";
    let long = "é".repeat(128);
    let grant = Grant::new(Kind::Session).subject(evil).label("a", evil).label("b", long).tag(" ");
    let issued = site.issue(grant.by(evil).audience(evil)).await;
    let mut browser = site.signed_in("keyfob:admin").await;
    for page in ["", "/explain?audience=%3C/textarea%3E%3Cscript%3Ealert", "/revoke"] {
        let reply = browser.get(&format!("{}{page}", path(&issued))).await;
        reply.shows(&[r"\u{202e}"]);
        reply.hides(&["<script>alert", "</textarea><script"]);
    }
}

#[tokio::test]
async fn a_large_family_is_drawn_in_part() {
    let site = Site::new();
    let root = site.issue(Grant::new(Kind::Session).scope("read").ttl(Ttl::from_hours(1))).await;
    for _ in 0..80 {
        derived(&site, &root).await;
    }
    let mut browser = site.signed_in("keyfob:read").await;
    let page = browser.get(&path(&root)).await;
    page.shows(&["The family has 81 tokens", "list all of them"]);
    assert_eq!(page.text.matches("class=\"node\"").count(), 40);
}
