//! Signing in and out, and what protects a session.

use base64ct::{Base64, Encoding as _};
use http::Request;
use keyfob::token::Confirmation;
use keyfob::{Filter, Grant, Kind, Paging, RevokeRequest};
use keyfob_server::{CertificateSettings, Settings};
use keyfob_tower::{CertificateHeader, TrustedProxies};

use crate::support::Site;

#[tokio::test]
async fn a_key_opens_a_session_that_is_listed_and_can_be_revoked() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    browser.get("/console/tokens?filter=kind:session").await.shows(&["ops", "session"]);
    let page =
        site.manager.list(&Filter::new().kind(Kind::Session), Paging::new(10)).await.unwrap();
    let session = &page.tokens[0];
    assert_eq!(session.scopes.to_string(), "keyfob:read");
    assert_eq!(session.metadata.device.user_agent.as_ref().unwrap().as_str(), "A browser");
    assert!(session.idle_timeout.is_some() && session.absolute_expiry.is_some());
    site.manager.revoke(session.id, RevokeRequest::reason("stolen")).await.unwrap();
    assert_eq!(browser.get("/console/tokens").await.status, 401);
}

#[tokio::test]
async fn a_session_ends_with_its_key() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    let key =
        site.manager.list(&Filter::new().kind(Kind::ApiKey), Paging::new(10)).await.unwrap().tokens
            [0]
        .id;
    site.manager.revoke(key, RevokeRequest::reason("left")).await.unwrap();
    assert_eq!(browser.get("/console/tokens").await.status, 401);
}

#[tokio::test]
async fn a_key_that_is_bound_to_a_certificate_signs_in_with_it_alone() {
    let certificates = CertificateSettings {
        header: Some(CertificateHeader::ClientCert),
        bound_access_tokens: false,
    };
    let proxies = TrustedProxies::x_forwarded_for(["198.51.100.0/24"]).unwrap();
    let site = Site::with(Settings::new().trusted_proxies(proxies).certificates(certificates));
    let grant = Grant::new(Kind::ApiKey).client("ops").scope("keyfob:read");
    let key = site.issue(grant.confirmation(Confirmation::of_certificate(b"own"))).await;
    let key = key.bearer.expose();
    let named = |certificate: &[u8]| Some(format!(":{}:", Base64::encode_string(certificate)));
    let proxy = "198.51.100.7".parse().unwrap();
    for wrong in [None, named(b"another")] {
        let mut browser = site.browser().at(proxy).showing(wrong);
        assert_eq!(browser.post("/console/sign-in", &[("key", key)]).await.status, 422);
    }
    let mut browser = site.browser().at(proxy).showing(named(b"own"));
    assert_eq!(browser.post("/console/sign-in", &[("key", key)]).await.status, 303);
    assert_eq!(browser.get("/console/tokens").await.status, 200);
    // A cookie that is stolen is of no use without the certificate, nor is a header that no proxy has written.
    let mut thief = browser.at("203.0.113.9".parse().unwrap());
    assert_eq!(thief.get("/console/tokens").await.status, 401);
    let mut thief = thief.at(proxy).showing(None);
    assert_eq!(thief.get("/console/tokens").await.status, 401);
}

#[tokio::test]
async fn a_text_that_is_no_key_opens_nothing() {
    let site = Site::new();
    let powerless = site.key("shop", "read").await;
    let session = site.issue(keyfob::Grant::new(Kind::Session).scope("keyfob:admin")).await;
    let mut browser = site.browser();
    for key in ["", "nonsense", "a\u{7}b", &powerless, session.bearer.expose()] {
        let reply = browser.post("/console/sign-in", &[("key", key)]).await;
        assert_eq!(reply.status, 422, "{}", reply.text);
        assert!(browser.cookie.is_none());
        assert!(key.len() < 10 || !reply.text.contains(key));
    }
}

#[tokio::test]
async fn the_cookie_is_for_this_site_and_for_no_script() {
    let site = Site::new();
    let key = site.key("ops", "keyfob:read").await;
    let mut browser = site.browser();
    let plain = browser.post("/console/sign-in", &[("key", &key)]).await;
    assert!(plain.header("set-cookie").ends_with("; Path=/console; HttpOnly; SameSite=Strict"));
    let by_tls = Request::post("/console/sign-in").header("origin", "https://keys.example");
    let by_tls = browser.send_form(by_tls, &[("key", &key)]).await;
    let cookie = by_tls.header("set-cookie");
    assert!(cookie.starts_with("__Host-keyfob-console="), "{cookie}");
    assert!(cookie.ends_with("; Path=/; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
}

#[tokio::test]
async fn nothing_is_changed_for_another_site() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    for foreign in [
        Request::post("/console/sign-out"),
        Request::post("/console/sign-out").header("sec-fetch-site", "cross-site"),
        Request::post("/console/sign-out").header("origin", "https://evil.example"),
    ] {
        let reply = browser.send_form(foreign, &[]).await;
        assert_eq!(reply.status, 403, "{}", reply.text);
    }
    assert_eq!(browser.get("/console/tokens").await.status, 200);
}

#[tokio::test]
async fn signing_out_revokes_the_session() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    let stolen = browser.cookie.clone();
    let reply = browser.post("/console/sign-out", &[]).await;
    assert_eq!(reply.header("location"), "/console/sign-in");
    assert!(browser.cookie.is_none());
    browser.cookie = stolen;
    assert_eq!(browser.get("/console/tokens").await.status, 401);
}

#[tokio::test]
async fn a_form_that_a_session_did_not_outlive_is_kept() {
    let site = Site::new();
    let key = site.key("ops", "keyfob:read").await;
    let mut browser = site.browser();
    let typed = [("reason", "a \"laptop\" was stolen"), ("key", "hunter2")];
    let ended = browser.post("/console/sign-out", &typed).await;
    assert_eq!(ended.status, 401);
    assert!(ended.text.contains("kept.reason") && ended.text.contains("was stolen"));
    ended.hides(&["hunter2"]);
    let fields = [
        ("key", key.as_str()),
        ("then", "/console/sign-out-of-all"),
        ("kept", "1"),
        ("kept.reason", "stolen"),
    ];
    // The path is none of the pages that may follow, so only the session is opened.
    let reply = browser.post("/console/sign-in", &fields).await;
    assert_eq!(reply.header("location"), "/console");
    let fields = [
        ("key", key.as_str()),
        ("then", "/console/tokens"),
        ("kept", "1"),
        ("kept.reason", "stolen"),
    ];
    let reply = browser.post("/console/sign-in", &fields).await;
    reply.shows(&[r#"action="/console/tokens""#, r#"name="reason" value="stolen""#]);
}

#[tokio::test]
async fn an_address_may_not_try_often() {
    let site = Site::new();
    let mut browser = site.browser();
    let mut last = 0;
    for _ in 0..11 {
        last = browser.post("/console/sign-in", &[("key", "nonsense")]).await.status.as_u16();
    }
    assert_eq!(last, 429);
    let mut other = site.browser().at([192, 0, 2, 2].into());
    assert_eq!(other.post("/console/sign-in", &[("key", "nonsense")]).await.status, 422);
}

#[tokio::test]
async fn people_behind_a_trusted_proxy_do_not_share_their_attempts() {
    let proxies = TrustedProxies::x_forwarded_for(["192.0.2.1"]).unwrap();
    let site = Site::with(Settings::new().trusted_proxies(proxies));
    let mut browser = site.browser();
    let mut attempt = async |client: &str| {
        let request = Request::post("/console/sign-in")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", client);
        browser.send_form(request, &[("key", "nonsense")]).await.status.as_u16()
    };
    for _ in 0..10 {
        assert_eq!(attempt("203.0.113.7").await, 422);
    }
    assert_eq!(attempt("203.0.113.7").await, 429);
    assert_eq!(attempt("203.0.113.8").await, 422);
    // What somebody says who is no trusted proxy does not count.
    let mut elsewhere = site.browser().at([198, 51, 100, 1].into());
    let mut last = 0;
    for n in 0..11 {
        let request = Request::post("/console/sign-in")
            .header("sec-fetch-site", "same-origin")
            .header("x-forwarded-for", format!("203.0.113.{n}"));
        last = elsewhere.send_form(request, &[("key", "nonsense")]).await.status.as_u16();
    }
    assert_eq!(last, 429);
}

#[tokio::test]
async fn every_answer_forbids_inline_scripts_and_frames() {
    let site = Site::new();
    let mut browser = site.signed_in("keyfob:read").await;
    for path in ["/console/tokens", "/console/nowhere", "/console/sign-in"] {
        let reply = browser.get(path).await;
        let policy = reply.header("content-security-policy");
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        assert!(!policy.contains("unsafe"));
        assert_eq!(reply.header("cache-control"), "no-store");
        reply.hides(&["<script>", " style=", "onclick", "javascript:"]);
    }
}

#[tokio::test]
async fn a_link_of_another_site_leads_on_by_one_more_step() {
    let site = Site::new();
    let reply = site.browser().follow_foreign_link("/console/tokens?filter=a%3Ab").await;
    assert_eq!(reply.status, 401);
    assert!(reply.text.contains(r#"<a href="/console/tokens?filter=a%3Ab">Continue</a>"#));
}
