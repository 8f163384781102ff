//! The keys of clients that sign: registered by the API, shown, and useless without a signature.

use std::cell::Cell;

use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
use serde_json::json;

use crate::client_assertion::*;
use crate::support::Service;

#[tokio::test]
async fn the_bearer_of_such_a_key_opens_nothing_by_itself() {
    let service = start().await;
    let admin = service.admin().await;
    let client = Client::shop(&service, 1).await;
    let bearer = service.manager.client_key_bearer(client.id).unwrap();
    let bearer = bearer.expose();
    let authorization = format!("Bearer {bearer}");
    assert_eq!(service.get("/v1/caller", Some(&authorization)).await.status, 401);
    assert_eq!(service.get("/authz", Some(&authorization)).await.status, 401);
    let form = [CREDENTIALS[0], ("client_id", "shop"), ("client_secret", bearer)];
    assert_eq!(service.form(TOKEN, None, &form).await.error(), (401, "invalid_client".into()));
    let reply = service.post("/v1/validate", &admin, json!({ "token": bearer })).await;
    assert_eq!(reply.json()["code"], "confirmation_mismatch");
    // A service that asks learns which key has to be proven.
    let form = [("token", bearer)];
    let reply = service.form(INTROSPECT, Some(&admin.basic()), &form).await;
    assert_eq!(reply.json()["cnf"]["jkt"], client.key.kid());
    assert_eq!(reply.json()["token_type"], "DPoP");
    // After the client itself has used the key, and it is cached.
    assert!(authenticates(&service, &client).await);
    assert_eq!(service.get("/v1/caller", Some(&authorization)).await.status, 401);
}

#[tokio::test]
async fn a_key_is_registered_by_the_api() {
    let service = start().await;
    let admin = service.admin().await;
    let key = SigningKey::derive(&[5; 32], SigningAlgorithm::EdDsa).unwrap();
    let jwk = serde_json::to_value(key.public()).unwrap();
    let body =
        json!({ "kind": "api-key", "client": "shop", "scopes": ["read"], "client_key": jwk });
    let reply = service.post("/v1/tokens", &admin, body.clone()).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    let id = text(&reply, "id");
    let shown = service.get_as(&format!("/v1/tokens/{id}"), &admin).await.json();
    // The name that the client had for the key is not kept.
    let expected = json!({ "kty": "OKP", "crv": "Ed25519", "x": jwk["x"], "alg": "EdDSA" });
    assert_eq!(shown["client_key"], expected);
    let client = Client { key, id: id.parse().unwrap(), made: Cell::default() };
    let claims = client.claims(service.manager.now().as_secs());
    let assertion = client.sign_as(&json!({ "alg": "EdDSA", "kid": id }), &claims);
    assert_eq!(ask(&service, TOKEN, &assertion, &CREDENTIALS).await.status, 200);

    // It has no secret that could be replaced.
    let reply = service.post(&format!("/v1/tokens/{id}/rotate"), &admin, json!({})).await;
    assert_eq!(reply.error(), (400, "invalid_value".into()));
    for (name, value) in [
        ("kind", json!("access")),
        ("client", json!(null)),
        ("cnf", json!({ "jkt": "x" })),
        ("client_key", json!({ "kty": "oct", "k": "AAAA" })),
        ("client_key", json!({ "kty": "OKP", "crv": "Ed25519", "x": jwk["x"], "d": "AAAA" })),
        ("client_key", json!({ "kty": "RSA", "n": "AQAB", "e": "AQAB", "alg": "RS256" })),
    ] {
        let mut body = body.clone();
        body[name] = value;
        let reply = service.post("/v1/tokens", &admin, body.clone()).await;
        assert_eq!(reply.status, 400, "{body}");
    }
    // A key hands out no more than it may, whatever the client authenticates by.
    let issuer = service.key("issuer", "keyfob:issue").await;
    assert_eq!(service.post("/v1/tokens", &issuer, body).await.error().1, "beyond_bounds");
}

#[tokio::test]
async fn the_metadata_offers_assertions_where_something_remembers_them() {
    let path = "/.well-known/oauth-authorization-server";
    let metadata = start().await.get(path, None).await.json();
    let without = Service::with(settings()).await;
    let plain = without.get(path, None).await.json();
    for endpoint in ["token", "introspection", "revocation"] {
        let methods = format!("{endpoint}_endpoint_auth_methods_supported");
        let algorithms = format!("{endpoint}_endpoint_auth_signing_alg_values_supported");
        let all = metadata[&methods].as_array().unwrap();
        assert!(all.contains(&json!("private_key_jwt")), "{all:?}");
        let names = metadata[&algorithms].as_array().unwrap();
        assert!(names.contains(&json!("ES256")) && names.contains(&json!("RS256")));
        assert!(!names.contains(&json!("none")) && !names.contains(&json!("HS256")));
        assert!(!plain[&methods].as_array().unwrap().contains(&json!("private_key_jwt")));
        assert_eq!(plain.get(&algorithms), None);
    }
    let client = Client::shop(&without, 1).await;
    let reply = ask(&without, TOKEN, &client.assertion(&without), &CREDENTIALS).await;
    assert_eq!(reply.error(), (400, "invalid_request".into()));
}
