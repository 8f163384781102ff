//! Revoking many tokens: count, confirm, run, count again.

use http::Request;
use keyfob::{Grant, Kind, RevokeRequest};
use serde_json::Value;

use crate::support::{Browser, Site};

const SCOPES: &str = "keyfob:read keyfob:revoke";

async fn site_with(count: usize) -> Site {
    let site = Site::new();
    for n in 0..count {
        let grant = Grant::new(Kind::Session).subject(format!("user-{}", n % 2)).tag("beta");
        site.issue(grant.device_id(format!("laptop-{n}"))).await;
    }
    site
}

/// Sends the form as `run.js` does it. Returns the lines.
async fn lines(browser: &mut Browser<'_>, fields: &[(&str, &str)]) -> Vec<Value> {
    let request = Request::post("/console/revoke")
        .header("sec-fetch-site", "same-origin")
        .header("accept", "application/x-ndjson");
    let reply = browser.send_form(request, fields).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(reply.header("content-type"), "application/x-ndjson");
    reply.text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test]
async fn a_page_counts_and_shows_before_anything_is_revoked() {
    let site = site_with(30).await;
    let mut browser = site.signed_in(SCOPES).await;
    let reply = browser.get("/console/revoke?filter=tag:beta").await;
    reply.shows(&[
        r#"data-alive="30""#,
        "The first 20 of them",
        r#"name="expect" value="30""#,
        r#"data-run-total="30""#,
        "Revoke 30",
    ]);
    reply.hides(&["Your own session"]);
    assert_eq!(reply.text.matches("<bdi>laptop-").count(), 20);
    browser.get("/console/revoke/done?filter=tag:beta").await.shows(&[r#"data-alive="30""#]);
}

#[tokio::test]
async fn a_filter_is_revoked_with_progress() {
    let site = site_with(250).await;
    let mut browser = site.signed_in(SCOPES).await;
    let fields =
        [("filter", "tag:beta"), ("reason", "end of beta"), ("expect", "250"), ("confirm", "250")];
    let lines = lines(&mut browser, &fields).await;
    let states: Vec<_> = lines.iter().map(|line| line["state"].as_str().unwrap()).collect();
    assert_eq!(states.last(), Some(&"done"));
    assert_eq!(lines.last().unwrap()["revoked"], 250);
    let done = browser.get("/console/revoke/done?filter=tag:beta&revoked=4711").await;
    done.shows(&[
        r#"data-alive="0""#,
        "Check: ",
        "end of beta",
        "250 ms, or another",
        "Tell the user",
    ]);
    // The page is a proof: it takes no number from its address.
    done.hides(&["4711"]);
    // Who may ask the server for its settings reads the bound itself, and then everybody does.
    let mut admin = site.signed_in("keyfob:admin").await;
    let done = admin.get("/console/revoke/done?filter=tag:beta").await;
    done.shows(&["at the latest 250 ms after it was revoked"]);
}

#[tokio::test]
async fn a_run_resumes_where_its_last_line_was() {
    let site = site_with(250).await;
    let mut browser = site.signed_in(SCOPES).await;
    let fields = [("filter", "tag:beta state:active"), ("throttle", "100000"), ("reason", "x")];
    let first = lines(&mut browser, &fields).await.remove(0);
    let (filter, resume) = (first["filter"].as_str().unwrap(), first["resume"].as_str().unwrap());
    let fields = [("filter", filter), ("resume", resume), ("reason", "x")];
    let rest = lines(&mut browser, &fields).await;
    // All were revoked by the first run, which was read to its end.
    let examined = rest.last().unwrap()["examined"].as_u64().unwrap();
    assert!(examined < 250, "{examined}");
    assert_eq!(rest.last().unwrap()["state"], "done");
}

#[tokio::test]
async fn without_scripts_the_run_ends_on_a_page() {
    let site = site_with(3).await;
    let mut browser = site.signed_in(SCOPES).await;
    let fields = [("filter", "tag:beta"), ("reason", "x"), ("expect", "3"), ("confirm", "3")];
    let reply = browser.post("/console/revoke", &fields).await;
    assert_eq!(reply.header("location"), "/console/revoke/done?filter=tag%3Abeta");
}

#[tokio::test(start_paused = true)]
async fn without_scripts_a_long_run_stops_and_is_continued() {
    let site = site_with(250).await;
    let mut browser = site.signed_in(SCOPES).await;
    // A page of 100, and then a wait of ten seconds.
    let fields = [
        ("filter", "tag:beta state:active"),
        ("reason", "x"),
        ("throttle", "10"),
        ("expect", "250"),
        ("confirm", "250"),
    ];
    let paused = browser.post("/console/revoke", &fields).await;
    paused.shows(&["Not over yet", "<strong>100</strong> revoked", "Continue"]);
    let value = |name: &str| {
        let (_, rest) = paused.text.split_once(&format!(r#"name="{name}" value=""#)).unwrap();
        rest.split('"').next().unwrap().to_owned()
    };
    let names = ["filter", "named", "resume", "reason", "revoked", "examined", "seconds"];
    let fields: Vec<_> = names.iter().map(|name| (*name, value(name))).collect();
    let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let done = browser.post("/console/revoke", &fields).await;
    let expected = "/console/revoke/done?filter=tag%3Abeta+state%3Aactive";
    assert_eq!(done.header("location"), expected, "{}", done.text);
    browser.get(expected).await.shows(&[r#"data-alive="0""#]);
}

#[tokio::test]
async fn nothing_is_revoked_without_a_confirmation() {
    let site = site_with(3).await;
    let mut browser = site.signed_in(SCOPES).await;
    let fields = [("filter", "tag:beta"), ("reason", "a <b>"), ("expect", "3"), ("confirm", "2")];
    let reply = browser.post("/console/revoke", &fields).await;
    assert_eq!(reply.status, 422);
    assert!(reply.text.contains("Nothing was revoked"));
    assert!(reply.text.contains(r#"name="reason" value="a &lt;b&gt;""#), "what was typed is kept");
    browser.get("/console/revoke?filter=tag:beta").await.shows(&[r#"data-alive="3""#]);
    let long = "x".repeat(257);
    let fields = [("filter", "tag:beta"), ("reason", long.as_str())];
    assert_eq!(browser.post("/console/revoke", &fields).await.status, 422);
}

#[tokio::test]
async fn a_reason_is_asked_for_before_anything_is_revoked() {
    let site = site_with(2).await;
    let id = site.issue(Grant::new(Kind::Session).subject("alice")).await.token.id;
    let mut browser = site.signed_in(SCOPES).await;
    let page = browser.get("/console/revoke?filter=tag:beta").await;
    page.shows(&["data-guarded", "(required)", "word for word", "Cancel"]);
    let fields = [("filter", "tag:beta"), ("reason", " "), ("expect", "2"), ("confirm", "2")];
    for (path, fields) in [
        ("/console/revoke".to_owned(), &fields[..]),
        (format!("/console/tokens/{id}/revoke"), &[("reason", "")]),
    ] {
        let reply = browser.post(&path, fields).await;
        assert_eq!(reply.status, 422, "{path}");
        assert!(reply.text.contains("Give a reason"), "{}", reply.text);
    }
    browser.get("/console/revoke?filter=tag:beta").await.shows(&[r#"data-alive="2""#]);
}

#[tokio::test]
async fn a_limit_of_the_speed_is_offered_for_many_tokens_only() {
    let site = site_with(1_000).await;
    let mut browser = site.signed_in(SCOPES).await;
    browser.get("/console/revoke?filter=tag:beta").await.shows(&["Speed limit (optional)"]);
    let few = browser.get("/console/revoke?filter=tag:beta+subject:user-1").await;
    few.shows(&[r#"data-alive="500""#]);
    few.hides(&["Speed limit"]);
}

#[tokio::test]
async fn the_sentence_says_whether_other_sessions_are_alive() {
    let site = site_with(4).await;
    let mut browser = site.signed_in(SCOPES).await;
    let fields = [("filter", "device:laptop-1"), ("reason", "lost")];
    browser.post("/console/revoke", &fields).await;
    let done = browser.get("/console/revoke/done?filter=device:laptop-1").await;
    done.shows(&["Your session was ended on", "Your other sessions stay signed in."]);
    let fields = [("filter", "device:laptop-3"), ("reason", "lost")];
    browser.post("/console/revoke", &fields).await;
    let done = browser.get("/console/revoke/done?filter=subject:user-1").await;
    done.shows(&["You were signed out on", "Please sign in again."]);
}

#[tokio::test]
async fn every_page_has_a_place_for_runs_that_are_not_over() {
    let site = site_with(0).await;
    let mut browser = site.signed_in("keyfob:admin").await;
    for path in ["/console", "/console/tokens", "/console/live", "/console/bearer"] {
        browser.get(path).await.shows(&["data-unfinished"]);
    }
    site.browser().get("/console/sign-in").await.hides(&["data-unfinished"]);
}

#[tokio::test]
async fn everything_of_a_subject_ends_in_one_step() {
    let site = site_with(4).await;
    let mut browser = site.signed_in(SCOPES).await;
    let page = browser.get("/console/revoke?subject=user-1").await;
    page.shows(&[r#"data-alive="2""#, "in one step", r#"name="subject" value="user-1""#]);
    page.hides(&["data-run="]);
    let fields =
        [("subject", "user-1"), ("reason", "laptop stolen"), ("expect", "2"), ("confirm", "2")];
    let reply = browser.post("/console/revoke", &fields).await;
    assert_eq!(reply.header("location"), "/console/revoke/done?subject=user-1");
    let done = browser.get("/console/revoke/done?subject=user-1").await;
    done.shows(&[
        r#"data-alive="0""#,
        "All your sessions were ended on",
        "Reason: laptop stolen.",
        "/console/subjects/user%2D1",
    ]);
    // A page about what was not revoked does not say that it was.
    let other = browser.get("/console/revoke/done?subject=user-0").await;
    other.shows(&[r#"data-alive="2""#, "none is revoked"]);
    other.hides(&["Tell the user", "250 ms"]);
}

#[tokio::test]
async fn everything_of_a_client_ends_and_ones_own_is_warned_of() {
    let site = site_with(0).await;
    site.key("shop", "read").await;
    let mut browser = site.signed_in(SCOPES).await;
    browser.get("/console/revoke?client=shop").await.hides(&["Your own session"]);
    let key = "The API key that you signed in with is among them.";
    browser.get("/console/revoke?client=ops").await.shows(&[key, "another admin key"]);
    browser.get("/console/revoke?filter=kind:api-key").await.shows(&[key]);
    browser.get("/console/revoke?filter=tag:keyfob-console").await.shows(&["Your own session"]);
    let fields = [("client", "shop"), ("reason", "key leaked")];
    browser.post("/console/revoke", &fields).await;
    let done = browser.get("/console/revoke/done?client=shop").await;
    done.shows(&[r#"data-alive="0""#, "All keys and tokens of shop were revoked"]);
}

#[tokio::test]
async fn tokens_are_revoked_one_by_one() {
    let site = site_with(0).await;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(site.issue(Grant::new(Kind::Session).subject("alice")).await.token.id.to_string());
    }
    let mut browser = site.signed_in(SCOPES).await;
    let named = format!("token={}&token={}", ids[0], ids[1]);
    let page = browser.get(&format!("/console/revoke?{named}")).await;
    page.shows(&[r#"data-alive="2""#, r#"name="expect" value="2""#, &ids[0], &ids[1]]);
    page.hides(&[&ids[2]]);
    browser.get(&format!("/console/revoke?token={}", ids[2])).await.hides(&["name=\"expect\""]);
    let fields = [("token", ids[0].as_str()), ("token", &ids[1]), ("reason", "lost")];
    let reply = browser.post("/console/revoke", &fields).await;
    assert_eq!(reply.header("location"), format!("/console/revoke/done?{named}"));
    browser.get(reply.header("location")).await.shows(&[r#"data-alive="0""#, "Reason: lost."]);
    assert_eq!(site.manager.get(ids[2].parse().unwrap()).await.unwrap().revocation, None);
}

#[tokio::test]
async fn nothing_to_revoke_is_said() {
    let site = site_with(1).await;
    let mut browser = site.signed_in(SCOPES).await;
    let page = browser.get("/console/revoke?filter=tag:gamma").await;
    page.shows(&[r#"data-alive="0""#, "nothing to revoke", "data-run-over"]);
    page.hides(&["<form class=\"card\""]);
}

#[tokio::test]
async fn a_wrong_target_is_pointed_at() {
    let site = site_with(0).await;
    let mut browser = site.signed_in(SCOPES).await;
    browser.get("/console/revoke").await.shows(&["data-unfinished", "All that match a filter"]);
    for query in ["filter=subjct:alice", "token=nonsense"] {
        let reply = browser.get(&format!("/console/revoke?{query}")).await;
        assert_eq!(reply.status, 400, "{query}");
        reply.hides(&["data-alive"]);
    }
    let reply = browser.post("/console/revoke", &[("filter", "subjct:alice")]).await;
    assert_eq!(reply.status, 400);
}

#[tokio::test]
async fn a_key_without_the_scope_revokes_nothing() {
    let site = site_with(2).await;
    let mut browser = site.signed_in("keyfob:read").await;
    assert_eq!(browser.get("/console/revoke?filter=tag:beta").await.status, 403);
    let fields = [("filter", "tag:beta"), ("reason", "x"), ("expect", "2"), ("confirm", "2")];
    assert_eq!(browser.post("/console/revoke", &fields).await.status, 403);
    browser.get("/console/tokens?filter=tag:beta").await.hides(&["/console/revoke"]);
}

#[tokio::test]
async fn hostile_filters_and_reasons_are_only_text() {
    let site = site_with(0).await;
    let hostile = "<script>alert(1)</script>\u{202e}";
    for _ in 0..2 {
        let issued = site.issue(Grant::new(Kind::Session).subject(hostile)).await;
        site.manager.revoke(issued.token.id, RevokeRequest::reason(hostile)).await.unwrap();
        site.issue(Grant::new(Kind::Session).subject(hostile)).await;
    }
    let mut browser = site.signed_in(SCOPES).await;
    let query = form_urlencoded::byte_serialize(hostile.as_bytes()).collect::<String>();
    for path in ["/console/revoke", "/console/revoke/done"] {
        let reply = browser.get(&format!("{path}?subject={query}")).await;
        reply.shows(&["&lt;script&gt;", r"\u{202e}"]);
        reply.hides(&["<script>alert"]);
        let reply = browser.get(&format!("{path}?filter=subject:%22{query}%22")).await;
        reply.shows(&["&lt;script&gt;"]);
        reply.hides(&["<script>alert"]);
    }
}

#[tokio::test]
async fn a_session_that_ended_starts_no_run_and_says_so() {
    let site = site_with(1).await;
    let mut browser = site.browser();
    let request = Request::post("/console/revoke")
        .header("sec-fetch-site", "same-origin")
        .header("accept", "application/x-ndjson");
    let reply = browser.send_form(request, &[("filter", "tag:beta")]).await;
    assert_eq!(reply.status, 401);
}
