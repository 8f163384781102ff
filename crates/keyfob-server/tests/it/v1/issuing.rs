//! `POST /v1/tokens`.

use http::{Method, Request};
use http_body_util::Full;
use keyfob::token::{Allowed, MayIssue};
use keyfob::values::NameSet;
use keyfob::{Audience, Grant, Kind, Scope};
use keyfob_api::{IssueOutcome, IssuedBody};
use keyfob_server::Settings;
use serde_json::json;

use crate::support::{Key, Reply, Service};

const PATH: &str = "/v1/tokens";

/// A key that may hand out the scope `read` for the audience `shop`.
async fn issuer(service: &Service) -> Key {
    let scopes = Allowed::Only(NameSet::from_names([Scope::new("read").unwrap()]).unwrap());
    let audiences = Allowed::Only(NameSet::from_names([Audience::new("shop").unwrap()]).unwrap());
    let grant = Grant::new(Kind::ApiKey).client("issuer").scope("keyfob:issue");
    service.key_of(grant.may_issue(MayIssue::new(scopes, audiences))).await
}

#[tokio::test]
async fn a_token_is_issued_with_its_bearer_and_its_place() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let grant = r#"{"subject":"alice","scopes":["read"],"ttl":"15m","claims":{"b":1,"a":2}}"#;
    let auth = admin.bearer();
    let reply = service.raw(Method::POST, PATH, Some(&auth), "application/json", grant).await;
    assert_eq!(reply.status, 201);
    assert_eq!(reply.headers["cache-control"], "no-store");
    let issued: IssuedBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(issued.token.claims.get(), r#"{"b":1,"a":2}"#, "the order of claims stays");
    let token = service.manager.validate_active(issued.bearer.expose()).await.unwrap();
    assert_eq!(reply.headers["location"], format!("/v1/tokens/{}", token.id));
    assert_eq!(token.subject.unwrap(), "alice");
    let history = service.manager.history(token.id).await.unwrap();
    assert_eq!(history[0].by.as_ref().unwrap(), "admin", "the caller is the actor");
}

#[tokio::test]
async fn many_tokens_are_issued_in_order() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let grants: Vec<_> = (0..100).map(|n| json!({"subject": format!("user{n}")})).collect();
    let reply = service.post(PATH, &admin, json!(grants)).await;
    assert_eq!(reply.status, 201);
    let issued: Vec<IssueOutcome> = serde_json::from_slice(&reply.body).unwrap();
    for (n, outcome) in issued.iter().enumerate() {
        let IssueOutcome::Issued(issued) = outcome else { panic!("{outcome:?}") };
        assert_eq!(issued.token.subject.as_ref().unwrap(), &format!("user{n}"));
    }
    assert_eq!(issued.len(), 100);
    assert_eq!(service.post(PATH, &admin, json!([])).await.json(), json!([]));
}

#[tokio::test]
async fn nothing_is_issued_if_one_of_many_is_not_valid() {
    let service = Service::start().await;
    let admin = service.admin().await;
    for (bad, code) in [
        (json!({"subjct": "x"}), "invalid_json"),
        (json!({"ttl": "1h", "expires_at": "+1h"}), "invalid_value"),
        (json!({"claims": {"sub": "x"}}), "invalid_value"),
        (json!(7), "invalid_json"),
    ] {
        let reply = service.post(PATH, &admin, json!([{"subject": "alice"}, bad])).await;
        assert_eq!(reply.error(), (400, code.into()), "{bad}");
    }
    let thousand_and_one = vec![json!({}); 1_001];
    let reply = service.post(PATH, &admin, json!(thousand_and_one)).await;
    assert_eq!(reply.error(), (400, "invalid_json".into()));
    let subject = keyfob::Filter::new().subject("alice");
    assert_eq!(service.manager.count(&subject).await.unwrap(), 0);
}

#[tokio::test]
async fn a_key_hands_out_no_more_than_its_bounds() {
    let service = Service::start().await;
    let key = issuer(&service).await;
    let good = json!({"scopes": ["read"], "audience": ["shop"]});
    assert_eq!(service.post(PATH, &key, good.clone()).await.status, 201);
    for wide in [
        json!({"scopes": ["write"], "audience": ["shop"]}),
        json!({"scopes": ["read"], "audience": ["bank"]}),
        json!({"scopes": ["read"]}),
        json!({"scopes": ["keyfob:admin"], "audience": ["shop"]}),
        json!({"scopes": ["keyfob:read"], "audience": ["shop"]}),
        json!({"kind": "api-key", "audience": ["shop"], "may_issue": {"scopes": "all"}}),
    ] {
        for body in [wide.clone(), json!([good, wide])] {
            let reply = service.post(PATH, &key, body).await;
            assert_eq!(reply.error(), (403, "beyond_bounds".into()), "{wide}");
        }
    }
    let narrower = json!({"kind": "api-key", "audience": ["shop"], "scopes": ["keyfob:issue"],
                          "may_issue": {"scopes": ["read"]}});
    assert_eq!(service.post(PATH, &key, narrower).await.status, 201);
}

#[tokio::test]
async fn a_body_is_json_and_bounded() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let auth = admin.bearer();
    let send = |content_type, body: Vec<u8>| {
        service.raw(Method::POST, PATH, Some(&auth), content_type, body)
    };
    assert_eq!(send("text/plain", b"{}".to_vec()).await.status, 415);
    for body in
        [&b""[..], b"{", b"\xff", b"null", b"\"x\"", b"{\"subject\":\"a\",\"subject\":\"b\"}"]
    {
        let reply = send("application/json", body.to_vec()).await;
        assert_eq!(reply.error(), (400, "invalid_json".into()), "{body:?}");
    }
    let reply = send("application/json", vec![b' '; 5 * 1024 * 1024]).await;
    assert_eq!(reply.error(), (413, "too_large".into()));
    // Without credentials, the body is not looked at.
    let reply = service.raw(Method::POST, PATH, None, "text/plain", "x").await;
    assert_eq!(reply.error(), (401, "unauthenticated".into()));
}

/// Sends a request with an idempotency key.
async fn keyed(service: &Service, path: &str, key: &Key, name: &str, body: &str) -> Reply {
    let request = Request::post(format!("{}{path}", service.url))
        .header("authorization", key.bearer())
        .header("content-type", "application/json")
        .header("idempotency-key", name);
    service.send(request.body(Full::from(body.to_owned())).unwrap()).await
}

#[tokio::test]
async fn a_repeat_to_another_server_gets_the_same_answer() {
    let service = Service::start().await;
    let other = Service::over(service.manager.clone(), Settings::new()).await;
    let admin = service.admin().await;
    let bodies = [r#"{"subject":"alice"}"#, r#"[{"subject":"alice"},{"client":"app"}]"#];
    for (name, body) in ["one", "many"].into_iter().zip(bodies) {
        let first = keyed(&service, PATH, &admin, name, body).await;
        assert_eq!(first.status, 201);
        let again = keyed(&other, PATH, &admin, name, body).await;
        assert_eq!((again.status, &again.body), (first.status, &first.body));
        let changed = body.replace("alice", "bob");
        let changed = keyed(&other, PATH, &admin, name, &changed).await;
        assert_eq!(changed.error(), (409, "idempotency_key_reused".into()));
        let client = service.key("other", "keyfob:admin").await;
        let theirs = keyed(&service, PATH, &client, name, body).await;
        assert_eq!(theirs.status, 201);
        assert_ne!(theirs.body, first.body);
    }
}

#[tokio::test]
async fn a_repeat_to_derive_gets_the_same_token() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let parent = service.manager.issue(Grant::new(Kind::Session).subject("alice")).await.unwrap();
    let path = format!("{PATH}/{}/derive", parent.token.id);
    let body = json!({"token": parent.bearer.expose()}).to_string();
    let first = keyed(&service, &path, &admin, "k1", &body).await;
    assert_eq!(first.status, 200);
    let again = keyed(&service, &path, &admin, "k1", &body).await;
    assert_eq!(again.body, first.body);
}

#[tokio::test]
async fn a_key_that_is_not_a_name_is_refused() {
    let service = Service::start().await;
    let admin = service.admin().await;
    for name in ["", "two words", &"x".repeat(256)] {
        let reply = keyed(&service, PATH, &admin, name, r#"{"subject":"alice"}"#).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()), "{name}");
    }
}
