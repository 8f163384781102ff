//! JWTs and refresh tokens that are bound to a key: what a thief of one can do at each route.

use keyfob::{Grant, Kind};
use keyfob_jwt::access_token;
use serde_json::{Value, json};

use crate::dpop::{ACCESS_TOKEN, CREDENTIALS, Client, EXCHANGE, authz, send, service, text};
use crate::jwt::{self, ORDERS, keys};
use crate::support::{Key, Service};

/// Returns the key that a JWT names, as a service reads it that never asks.
async fn named_key(service: &Service, jwt: &str) -> Option<Value> {
    let (token, _) = access_token::open(jwt, &keys(service).await).unwrap();
    token.cnf.map(|cnf| serde_json::to_value(cnf).unwrap())
}

/// A JWT that is bound to the key of a client, and the caller that it was issued to.
async fn bound(service: &Service, client: &Client<'_>) -> (String, Key) {
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("read keyfob:admin");
    let caller = service.key_of(grant.audience(ORDERS)).await;
    let form = [&CREDENTIALS[..], &[("resource", ORDERS)]].concat();
    let reply = client.ask(Some(&caller), &form).await;
    assert_eq!((reply.status.as_u16(), text(&reply, "token_type")), (200, "DPoP".into()));
    (text(&reply, "access_token"), caller)
}

#[tokio::test]
async fn a_jwt_names_the_key_that_it_is_bound_to() {
    let service = service(jwt::settings()).await;
    let client = Client::new(&service);
    let jkt = client.key.confirmation().thumbprint().as_str().to_owned();
    let (by_proof, caller) = bound(&service, &client).await;
    assert_eq!(named_key(&service, &by_proof).await, Some(json!({ "jkt": jkt })));
    let admin = service.admin().await;
    for cnf in [json!({ "jkt": jkt }), json!({ "x5t#S256": jkt })] {
        let mut grant = jwt::grant();
        grant["cnf"] = cnf.clone();
        let reply = service.post("/v1/tokens", &admin, grant).await;
        assert_eq!(reply.status, 201, "{}", reply.json());
        assert_eq!(named_key(&service, &text(&reply, "bearer")).await, Some(cnf));
    }
    let form = [&CREDENTIALS[..], &[("resource", ORDERS)]].concat();
    let free = send(&service, Some(&caller), &form, &[]).await;
    assert_eq!(named_key(&service, &text(&free, "access_token")).await, None);
}

#[tokio::test]
async fn a_stolen_bound_jwt_is_refused_at_every_route() {
    let service = service(jwt::settings()).await;
    let (client, thief) = (Client::new(&service), Client::new(&service));
    let (jwt, caller) = bound(&service, &client).await;
    let url = "https://shop.example/orders";
    let described = [("x-original-method", "GET"), ("x-original-url", url)];

    // A gateway.
    let pass = async |scheme: &str, proof: Option<&str>| {
        let authorization = format!("{scheme} {jwt}");
        let presented = [Some(("authorization", &*authorization)), proof.map(|it| ("dpop", it))];
        let headers: Vec<_> = presented.into_iter().flatten().chain(described).collect();
        authz(&service, &headers).await.status.as_u16()
    };
    let own = client.proof("GET", url, Some(&jwt), None);
    let other = thief.proof("GET", url, Some(&jwt), None);
    assert_eq!(pass("Bearer", None).await, 401);
    assert_eq!(pass("DPoP", None).await, 401);
    assert_eq!(pass("DPoP", Some(&other)).await, 401);
    assert_eq!(pass("Bearer", Some(&own)).await, 401, "not as a bearer token (section 7.1)");
    let own = client.proof("GET", url, Some(&jwt), None);
    assert_eq!(pass("DPoP", Some(&own)).await, 200);

    // A service that asks.
    let gate = service.key("gate", "keyfob:introspect").await;
    let validate = async |dpop: Value| {
        let reply =
            service.post("/v1/validate", &gate, json!({ "token": jwt, "dpop": dpop })).await;
        reply.json()["code"].clone()
    };
    let told = |proof: String| json!({ "proof": proof, "method": "GET", "url": url });
    let other = thief.proof("GET", url, Some(&jwt), None);
    assert_eq!(validate(Value::Null).await, "confirmation_mismatch");
    assert_eq!(validate(told(other)).await, "confirmation_mismatch");
    assert_eq!(validate(told(client.proof("GET", url, Some(&jwt), None))).await, Value::Null);

    // The token endpoint.
    let exchange =
        [("grant_type", EXCHANGE), ("subject_token", &*jwt), ("subject_token_type", ACCESS_TOKEN)];
    let exchange = [&exchange[..], &[("resource", ORDERS)]].concat();
    let stolen = send(&service, Some(&caller), &exchange, &[]).await;
    assert_eq!(stolen.error(), (400, "invalid_request".into()));
    let stolen = thief.ask(Some(&caller), &exchange).await;
    assert_eq!(stolen.error(), (400, "invalid_request".into()));

    // The service itself.
    let authorization = format!("Bearer {jwt}");
    for path in ["/v1/caller", "/v1/tokens"] {
        assert_eq!(service.get(path, Some(&authorization)).await.status, 401, "{path}");
    }
}

#[tokio::test]
async fn a_stolen_bound_token_is_neither_derived_from_nor_refreshed() {
    let service = service(jwt::settings()).await;
    let (client, admin) = (Client::new(&service), service.admin().await);
    let of = |key: &Client<'_>| json!({ "jkt": key.key.confirmation().thumbprint().as_str() });
    let grant = |kind| {
        let grant = Grant::new(kind).subject("alice").scope("read");
        grant.confirmation(client.key.confirmation())
    };
    let access = service.manager.issue(grant(Kind::Access)).await.unwrap();
    let refresh = service.manager.issue(grant(Kind::Refresh)).await.unwrap();
    let derive = format!("/v1/tokens/{}/derive", access.token.id);
    for (path, bearer, code) in [
        (&*derive, &access.bearer, "confirmation_mismatch"),
        ("/v1/refresh", &refresh.bearer, "wrong_presenter"),
    ] {
        let body = json!({ "token": bearer.expose(), "scopes": ["read"] });
        let with = |cnf: Value| {
            let mut body = body.clone();
            body["cnf"] = cnf;
            body
        };
        for stolen in [body.clone(), with(of(&Client::new(&service)))] {
            let reply = service.post(path, &admin, stolen).await;
            assert_eq!(reply.error(), (401, code.into()), "{path}");
        }
        assert_eq!(service.post(path, &admin, with(of(&client))).await.status, 200, "{path}");
    }
}
