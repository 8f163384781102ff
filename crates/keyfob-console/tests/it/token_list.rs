//! The list of tokens.

use keyfob::{Grant, Kind};

use crate::support::Site;

#[tokio::test]
async fn tokens_are_found_by_a_filter() {
    let site = Site::new();
    for subject in ["alice", "bob"] {
        site.issue(Grant::new(Kind::Session).subject(subject)).await;
    }
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/tokens?filter=subject:alice").await;
    reply.shows(&["alice", "These are all.", "/console/subjects/alice"]);
    reply.hides(&["bob"]);
    browser.get("/console/tokens?filter=subject:carol").await.shows(&["No token matches"]);
}

#[tokio::test]
async fn a_wrong_filter_is_pointed_at() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/tokens?filter=tag:mobile+subjct:alice").await;
    assert_eq!(reply.status, 400);
    for text in ["column 12", "did you mean", "           ^", "tag:mobile subjct:alice"] {
        assert!(reply.text.contains(text), "{text}");
    }
    // It is said once.
    reply.hides(&["Did you mean"]);
}

#[tokio::test]
async fn a_filter_by_tag_or_label_shows_both_unasked() {
    let site = Site::new();
    let grant = Grant::new(Kind::Session).subject("alice").tag("beta").label("team", "shop");
    site.issue(grant.clone()).await;
    site.issue(grant).await;
    let mut browser = site.signed_in("keyfob:read keyfob:revoke").await;
    for filter in ["tag:beta", "label:team=shop"] {
        let heading = "<th scope=\"col\">Labels and tags</th>";
        let list = browser.get(&format!("/console/tokens?filter={filter}")).await;
        list.shows(&[heading, "team=shop", "data-column=\"labels\""]);
        // One who chose others gets those.
        let chosen = browser.get(&format!("/console/tokens?filter={filter}&column=id")).await;
        chosen.hides(&[heading]);
        browser
            .get(&format!("/console/revoke?filter={filter}"))
            .await
            .shows(&[heading, "team=shop"]);
    }
    browser.get("/console/tokens?filter=subject:alice").await.hides(&["data-column=\"labels\""]);
}

#[tokio::test]
async fn pages_follow_each_other_without_a_gap() {
    let site = Site::new();
    for n in 0..120 {
        site.issue(Grant::new(Kind::Access).subject(format!("user-{n:03}"))).await;
    }
    let mut browser = site.signed_in("keyfob:read").await;
    let mut path = "/console/tokens?filter=kind:access".to_owned();
    let mut seen = std::collections::BTreeSet::new();
    loop {
        let reply = browser.get(&path).await;
        let found = reply.text.split("/console/subjects/user%2D").skip(1);
        seen.extend(found.map(|rest| rest[..3].to_owned()));
        let Some((_, rest)) = reply.text.split_once(r#"rel="next" href=""#) else { break };
        path = rest.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(seen.len(), 120);
}

#[tokio::test]
async fn hostile_values_are_only_text() {
    let site = Site::new();
    let subject = "<script>alert(1)</script>\u{202e}\"'&";
    site.issue(Grant::new(Kind::Session).subject(subject).label("name", "مرحبا 🎉 <b>")).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let reply = browser.get("/console/tokens?column=subject&column=labels").await;
    reply.shows(&["&lt;script&gt;", r"\u{202e}", "مرحبا 🎉 &lt;b&gt;"]);
    reply.hides(&["<script>alert", "\u{202e}", "<b>"]);
}

#[tokio::test]
async fn a_list_is_exported_as_csv_and_as_json_lines() {
    let site = Site::new();
    let issued = site.issue(Grant::new(Kind::Session).subject("=cmd()")).await;
    let mut browser = site.signed_in("keyfob:read").await;
    let csv = browser.get("/console/tokens.csv?filter=kind:session").await;
    csv.shows(&["\"id\",\"kind\"", "\"'=cmd()\"", &issued.token.id.to_string()]);
    assert!(csv.header("content-disposition").contains("tokens.csv"));
    let lines = browser.get("/console/tokens.jsonl?filter=kind:session").await.text;
    for line in lines.lines() {
        serde_json::from_str::<serde_json::Value>(line).unwrap();
    }
    assert_eq!(lines.lines().count(), 2, "the session of the console is one of them");
}

#[tokio::test]
async fn a_key_without_the_scope_sees_no_tokens() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:introspect").await;
    let reply = browser.get("/console/tokens").await;
    reply.hides(&["/console/tokens.csv?", "<td data-column"]);
    assert!(reply.text.contains("keyfob:read"), "{}", reply.text);
}
