//! Bearers that were found where they should not be.

use aws_lc_rs::encoding::{AsDer as _, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _};
use axum::body::Bytes;
use base64ct::{Base64, Encoding as _};
use http::Request;
use http_body_util::Full;
use keyfob::{Grant, Kind};
use keyfob_server::Settings;
use keyfob_server::leaks::{GithubKeys, InvalidGithubKeys};
use serde_json::{Value, json};

use crate::support::{Reply, Service};

#[tokio::test]
async fn a_bearer_that_a_scanner_found_is_revoked_and_its_owner_is_named() {
    let service = Service::start().await;
    let scanner = service.key("scanner", "keyfob:revoke").await;
    let leaked = service.bearer(Grant::new(Kind::ApiKey).subject("alice").client("ci")).await;
    let kept = service.bearer(Grant::new(Kind::ApiKey).subject("bob")).await;
    // The id of a token with another secret: anyone who knows the id alone revokes nothing.
    let other = service.bearer(Grant::new(Kind::ApiKey)).await;
    let tokens =
        json!([format!(" {leaked}\n"), "ghp_something", "", leaked, &kept[..kept.len() - 1]]);
    let reply = service.post("/v1/leaks", &scanner, json!({ "tokens": tokens })).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let json = reply.json();
    let outcomes: Vec<_> = json.as_array().unwrap().iter().map(|one| &one["outcome"]).collect();
    assert_eq!(outcomes[1..3], ["not_ours", "not_ours"]);
    assert_eq!(outcomes[4], "not_ours");
    // The same text twice in one request: one of both is the first.
    let mut twice = [outcomes[0].as_str().unwrap(), outcomes[3].as_str().unwrap()];
    twice.sort_unstable();
    assert_eq!(twice, ["already_revoked", "revoked"]);
    assert_eq!(json[0]["token"]["subject"], "alice");
    assert_eq!(json[0]["token"]["revocation"]["reason"], "leaked");
    assert_eq!(json[0]["token"]["revocation"]["by"], "scanner");
    assert!(json[1].get("token").is_none());
    assert!(service.manager.validate_active(&*leaked).await.is_err());
    for alive in [&kept, &other] {
        assert!(service.manager.validate_active(&**alive).await.is_ok());
    }
    let why = json!({ "tokens": [kept], "reason": "leaked: in a screenshot" });
    let reply = service.post("/v1/leaks", &scanner, why).await;
    assert_eq!(reply.json()[0]["token"]["revocation"]["reason"], "leaked: in a screenshot");
}

#[tokio::test]
async fn a_caller_needs_the_scope_and_a_bounded_request() {
    let service = Service::start().await;
    let reader = service.key("reader", "keyfob:read").await;
    let body = json!({ "tokens": [] });
    assert_eq!(service.post("/v1/leaks", &reader, body.clone()).await.status, 403);
    let scanner = service.key("scanner", "keyfob:revoke").await;
    assert_eq!(service.post("/v1/leaks", &scanner, body).await.json(), json!([]));
    let many = json!({ "tokens": vec!["x"; 1_001] });
    let refused = service.post("/v1/leaks", &scanner, many).await;
    assert_eq!(refused.error(), (400, "too_many_items".into()));
    // Somebody who may not look at a token revokes it, and does not learn whose it is.
    let grant = Grant::new(Kind::ApiKey).client("eu").scopes("keyfob:revoke").audience("eu");
    let confined = service.key_of(grant).await;
    let leaked = service.bearer(Grant::new(Kind::ApiKey).subject("alice").audience("us")).await;
    let reply = service.post("/v1/leaks", &confined, json!({ "tokens": [leaked] })).await;
    assert_eq!(reply.json(), json!([{ "outcome": "revoked" }]));
}

/// The example of GitHub's documentation of its partner programme, as a text in JSON.
pub(crate) const GITHUB_KEY: &str = r"-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEYAGMWO8XgCamYKMJS6jc/qgvSlAd\nAjPuDPRcXU22YxgBrz+zoN19MzuRyW87qEt9/AmtoNP5GrobzUvQSyJFVw==\n-----END PUBLIC KEY-----\n";

#[tokio::test]
async fn the_example_of_github_is_taken() {
    let id = "bcb53661c06b4728e59d897fb6165d5c9cda0fd9cdf9d09ead458168deb7518c";
    let signature = "MEQCIQDaMKqrGnE27S0kgMrEK0eYBmyG0LeZismAEz/BgZyt7AIfXt9fErtRS4XaeSt/AO1RtBY66YcAdjxji410VQV4xg==";
    let body = r#"[{"source":"commit","token":"some_token","type":"some_type","url":"https://example.com/base-repo-url/"}]"#;
    let keys = format!(
        r#"{{"public_keys":[{{"key_identifier":"{id}","key":"{GITHUB_KEY}","is_current":true}}]}}"#
    );
    let keys = GithubKeys::parse(&keys).unwrap();
    let service = Service::with(Settings::new().github_keys(keys)).await;
    let reply = send(&service, id, signature, body).await;
    assert_eq!((reply.status.as_u16(), &reply.json()[0]["label"]), (200, &json!("false_positive")));
    let changed = body.replace("some_token", "same_token");
    assert_eq!(send(&service, id, signature, &changed).await.status, 401);
}

#[tokio::test]
async fn a_text_that_is_no_bearer_leaves_nothing_behind() {
    let service = Service::start().await;
    let scanner = service.key("scanner", "keyfob:revoke").await;
    let before = service.manager.latest_event().await.unwrap();
    let documents = || async {
        let list = keyfob::store::ListDocuments { folder: None, after: None, limit: 100 };
        service.manager.list_documents(&list).await.unwrap().len()
    };
    let documents_before = documents().await;
    let texts = ["ghp_something", "fob_at_nonsense", "eyJhbGciOiJFUzI1NiJ9.e30.AAAA"];
    let reply = service.post("/v1/leaks", &scanner, json!({ "tokens": texts })).await;
    assert!(reply.json().as_array().unwrap().iter().all(|one| one["outcome"] == "not_ours"));
    assert_eq!(service.manager.latest_event().await.unwrap(), before);
    assert_eq!(documents().await, documents_before);
}

/// GitHub, with a key of its own.
struct Github(EcdsaKeyPair);

impl Github {
    fn new() -> Self {
        Self(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap())
    }

    /// What the address of its keys answers.
    fn keys(&self) -> String {
        let der: PublicKeyX509Der<'_> = self.0.public_key().as_der().unwrap();
        let text = Base64::encode_string(der.as_ref());
        let key = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        json!({ "public_keys": [{ "key_identifier": "one", "key": key, "is_current": true }] })
            .to_string()
    }

    fn sign(&self, body: &str) -> String {
        let signature = self.0.sign(&SystemRandom::new(), body.as_bytes()).unwrap();
        Base64::encode_string(signature.as_ref())
    }
}

async fn send(service: &Service, key: &str, signature: &str, body: &str) -> Reply {
    let request = Request::post(format!("{}/leaks/github", service.url));
    let request = request
        .header("content-type", "application/json")
        .header("github-public-key-identifier", key)
        .header("github-public-key-signature", signature);
    service.send(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
}

#[tokio::test]
async fn github_learns_which_texts_were_bearers_and_those_are_revoked() {
    let github = Github::new();
    let keys = GithubKeys::parse(&github.keys()).unwrap();
    let service = Service::with(Settings::new().github_keys(keys)).await;
    let leaked = service.manager.issue(Grant::new(Kind::ApiKey).subject("alice")).await.unwrap();
    let url = "https://github.com/a/b/blob/main/.env";
    let found = |token: &str| json!({ "token": token, "type": "keyfob_key", "url": url, "source": "content" });
    let body = json!([found(leaked.bearer.expose()), found("fob_ak_nonsense")]).to_string();
    let reply = send(&service, "one", &github.sign(&body), &body).await;
    assert_eq!(reply.status, 200, "{}", reply.json());
    let labels: Vec<Value> =
        reply.json().as_array().unwrap().iter().map(|one| one["label"].clone()).collect();
    assert_eq!(labels, ["true_positive", "false_positive"]);
    assert_eq!(reply.json()[0]["token_type"], "keyfob_key");
    let answer = String::from_utf8(reply.body.to_vec()).unwrap();
    assert!(!answer.contains(leaked.bearer.expose()), "the secret is not sent back");
    let revocation = service.manager.get(leaked.token.id).await.unwrap().revocation.unwrap();
    assert_eq!(revocation.reason.unwrap().as_str(), format!("leaked: found by GitHub: {url}"));
    assert_eq!(revocation.by.unwrap().as_str(), "github");
}

#[tokio::test]
async fn nobody_else_revokes_by_that_address() {
    let (github, other) = (Github::new(), Github::new());
    let keys = GithubKeys::parse(&github.keys()).unwrap();
    let service = Service::with(Settings::new().github_keys(keys)).await;
    let bearer = service.bearer(Grant::new(Kind::ApiKey)).await;
    let body = json!([{ "token": bearer, "type": "keyfob_key" }]).to_string();
    let good = github.sign(&body);
    for (key, signature, body) in [
        ("one", "", body.as_str()),
        ("one", "AAAA", &body),
        ("one", &other.sign(&body), &body),
        ("two", &good, &body),
        ("one", &good, "[]"),
    ] {
        let reply = send(&service, key, signature, body).await;
        assert_eq!(reply.error(), (401, "invalid_signature".into()), "{key} {body}");
    }
    assert!(service.manager.validate_active(&*bearer).await.is_ok());
    assert_eq!(send(&service, "one", &good, &body).await.status, 200);
    // A service without the keys does not take part.
    let without = Service::start().await;
    assert_eq!(send(&without, "one", &good, &body).await.error(), (404, "no_github_keys".into()));
}

#[test]
fn keys_of_another_kind_are_refused_by_name() {
    assert_eq!(GithubKeys::parse("{}"), Err(InvalidGithubKeys::NotTheJson));
    let other = json!({ "public_keys": [{ "key_identifier": "rsa", "key": "x" }] }).to_string();
    assert_eq!(GithubKeys::parse(&other), Err(InvalidGithubKeys::Key("rsa".into())));
}
