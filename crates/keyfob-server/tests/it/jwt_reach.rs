//! What services and clients learn from the server about JWTs: metadata of resources (RFC 9728), signed introspection
//! (RFC 9701), and that a list is not served when the store does not answer.

use std::sync::Arc;

use http::Request;
use keyfob::{Grant, Kind, TokenManager};
use keyfob_jwt::access_token;
use keyfob_jwt::jws::Unverified;
use keyfob_jwt::key_set::NotSigned;
use serde_json::{Value, json};

use crate::failing_store::FailingStore;
use crate::jwt::*;
use crate::support::{Reply, Service};

const METADATA: &str =
    "/.well-known/oauth-protected-resource?resource=https%3A%2F%2Forders.example";
const SIGNED: &str = "application/token-introspection+jwt";

#[tokio::test]
async fn a_client_that_only_knows_a_service_finds_where_its_tokens_are_issued() {
    let mut settings = settings();
    settings.jwt.audiences.insert("shop".parse().unwrap());
    let service = Service::with(settings).await;
    let refused = service.get(&format!("/authz?audience={ORDERS}"), None).await;
    assert_eq!(refused.status, 401);
    let challenge = refused.headers["www-authenticate"].to_str().unwrap();
    let (_, rest) = challenge.split_once("resource_metadata=\"").unwrap();
    let (uri, _) = rest.split_once('"').unwrap();
    assert_eq!(uri, format!("{ISSUER}{METADATA}"));

    let reply = service.get(uri.strip_prefix(ISSUER).unwrap(), None).await;
    assert_eq!(reply.headers["cache-control"], "public, max-age=300");
    let metadata = reply.json();
    assert_eq!(metadata["resource"], ORDERS);
    assert_eq!(metadata["authorization_servers"], json!([ISSUER]));
    assert_eq!(metadata["bearer_methods_supported"], json!(["header"]));

    // What is no URL, or not configured, has no metadata.
    for other in ["shop", "https://orders.example/", "https://bank.example"] {
        let path = format!("/.well-known/oauth-protected-resource?resource={other}");
        let reply = service.get(&path, None).await;
        assert_eq!(reply.error(), (404, "unknown_resource".into()), "{other}");
        let refused = service.get(&format!("/authz?audience={other}"), None).await;
        let challenge = refused.headers["www-authenticate"].to_str().unwrap();
        assert!(!challenge.contains("resource_metadata"), "{challenge}");
    }
    let missing = service.get("/.well-known/oauth-protected-resource", None).await;
    assert_eq!(missing.error().0, 400);
}

async fn introspect(service: &Service, key: &str, token: &str, accept: &str) -> Reply {
    let request = Request::post(format!("{}/oauth2/introspect", service.url))
        .header("authorization", key)
        .header("accept", accept)
        .header("content-type", "application/x-www-form-urlencoded");
    service.send(request.body(format!("token={token}").into()).unwrap()).await
}

#[tokio::test]
async fn an_answer_of_introspection_is_signed_for_a_caller_that_asks_for_it() {
    let service = start().await;
    let key = Grant::new(Kind::ApiKey).client("orders").scopes("keyfob:introspect");
    let key = service.key_of(key.audience(ORDERS)).await.basic();
    let admin = service.admin().await;
    let (jwt, token) = issue(&service, &admin, grant()).await;
    let keys = keys(&service).await;
    let claims = async |presented: &str| {
        let reply = introspect(&service, &key, presented, SIGNED).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["content-type"]),
            (200, &SIGNED.parse().unwrap())
        );
        assert_eq!(reply.headers["cache-control"], "no-store");
        let text = String::from_utf8(reply.body.to_vec()).unwrap();
        let answer = Unverified::parse(&text).unwrap();
        let verified = keys.verified(&answer, "token-introspection+jwt").unwrap();
        // Nobody takes it for an access token.
        assert_eq!(access_token::open(&text, &keys).unwrap_err(), NotSigned::Type);
        verified.payload::<Value>().unwrap()
    };
    let answer = claims(&jwt).await;
    assert_eq!((&answer["iss"], &answer["aud"]), (&json!(ISSUER), &json!("orders")));
    assert!(answer["iat"].is_u64() && answer.get("sub").is_none() && answer.get("exp").is_none());
    assert_eq!(answer["token_introspection"]["active"], true);
    assert_eq!(answer["token_introspection"]["jti"], token.jti);
    let unknown = claims("unknown").await;
    assert_eq!(unknown["token_introspection"], json!({ "active": false }));

    let plain = introspect(&service, &key, &jwt, "application/json").await;
    assert_eq!(plain.json(), answer["token_introspection"]);
    let unauthenticated = introspect(&service, "Basic YTpi", &jwt, SIGNED).await;
    assert_eq!(unauthenticated.status, 401);
    let metadata = service.get("/.well-known/oauth-authorization-server", None).await.json();
    assert_eq!(metadata["introspection_signing_alg_values_supported"], json!(["ES256"]));

    // Without keys the answer is what it always was.
    let without = Service::start().await;
    let admin = without.admin().await.basic();
    let plain = introspect(&without, &admin, "unknown", SIGNED).await;
    assert_eq!(plain.json(), json!({ "active": false }));
}

#[tokio::test]
async fn no_list_is_served_while_the_store_does_not_answer() {
    let store = Arc::new(FailingStore::new());
    let service = Service::over(TokenManager::new(Arc::clone(&store)), settings()).await;
    let admin = service.admin().await;
    let (_, token) = issue(&service, &admin, grant()).await;
    assert_eq!(list(&service, &token).await.list.revoked(), 0);
    let uri = token.status.as_ref().unwrap().status_list.uri.clone();
    let path = uri.strip_prefix(ISSUER).unwrap();
    store.set_down(true);
    after_the_bound().await;
    for _ in 0..2 {
        let reply = service.get(path, None).await;
        assert_eq!(reply.status, 503);
        assert!(reply.headers.contains_key("retry-after"));
        assert!(!reply.headers.contains_key("etag"));
    }
    store.set_down(false);
    let admin_revokes = service.manager.revoke(token.jti.parse().unwrap(), "stolen");
    admin_revokes.await.unwrap();
    after_the_bound().await;
    assert_eq!(list(&service, &token).await.list.revoked(), 1);
}
