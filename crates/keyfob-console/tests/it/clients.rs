//! Clients: the list, and one with its keys and limits.

use keyfob::{Grant, Kind, RevokeRequest, RotateRequest};

use crate::support::Site;

#[tokio::test]
async fn clients_are_listed_with_their_keys_and_tokens() {
    let site = Site::new();
    site.key("shop", "read").await;
    site.key("shop", "read").await;
    for _ in 0..3 {
        site.issue(Grant::new(Kind::Access).client("web")).await;
    }
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/clients").await;
    reply.shows(&["/console/clients/shop", "/console/clients/web", "/console/clients/ops"]);
    let (_, row) = reply.text.split_once("/console/clients/web").unwrap();
    assert!(row.contains(r#"<td class="number">3</td><td class="number">0</td>"#), "{row}");
    let found = browser.get("/console/find/client?client=find").await;
    assert_eq!(found.header("location"), "/console/clients/find");
}

#[tokio::test]
async fn an_overlap_of_two_secrets_is_shown_until_it_ends() {
    let site = Site::new();
    let grant = || Grant::new(Kind::ApiKey).client("shop").scope("orders:read");
    let rotated = site.issue(grant()).await;
    site.manager.validate_active(&rotated.bearer).await.unwrap();
    site.manager.rotate(rotated.token.id, RotateRequest::new().by("ops")).await.unwrap();
    let mut browser = site.signed_in("keyfob:read keyfob:revoke keyfob:events").await;
    browser.get("/console/clients").await.shows(&["two work"]);
    let reply = browser.get("/console/clients/shop").await;
    reply.shows(&[
        "Two work: the older one ends",
        "<meter",
        "No use of the older one was seen",
        "orders:read",
        "/console/revoke?client=shop",
        "<strong>1</strong> alive",
        "No limit of this server counts by client",
    ]);
    site.manager.revoke(rotated.token.id, RevokeRequest::reason("leaked")).await.unwrap();
    let reply = browser.get("/console/clients/shop").await;
    reply.shows(&["<strong>0</strong> alive", "revoked"]);
    reply.hides(&["Two work"]);
    let mut reader = site.signed_in("keyfob:read").await;
    reader.get("/console/clients/shop").await.hides(&["/console/revoke"]);
}

#[tokio::test]
async fn a_client_without_keys_says_what_to_do() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/clients/it%27s%20new").await;
    reply.shows(&["has no API key", r"keyfob client add 'it'\''s new'"]);
}

#[tokio::test]
async fn hostile_values_are_only_text() {
    let site = Site::new();
    let hostile = "<script>alert(1)</script>\u{202e}\"'&";
    site.issue(Grant::new(Kind::ApiKey).client(hostile)).await;
    let mut browser = site.signed_in("keyfob:read keyfob:revoke").await;
    let list = browser.get("/console/clients").await;
    let query = form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
    let found = browser.get(&format!("/console/find/client?client={query}")).await;
    let one = browser.get(found.header("location")).await;
    for reply in [list, one] {
        reply.shows(&["&lt;script&gt;", r"\u{202e}"]);
        reply.hides(&["<script>alert", "\u{202e}"]);
    }
}
