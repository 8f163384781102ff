//! Every response of RFC 6750, and the details that it must not contain.

use axum::Router;
use axum::routing::get as route;
use keyfob::{Denied, Kind, RevokeRequest, Timestamp, Token, Ttl, ValidationChain};
use keyfob_tower::{AuthLayer, Authenticated, RequireScope};
use serde::{Deserialize, Serialize};

use crate::harness::*;

#[derive(Clone, Serialize, Deserialize)]
struct Plan {
    tier: String,
}

async fn me(auth: Authenticated) -> String {
    auth.subject().map(ToString::to_string).unwrap_or_default()
}

async fn plan(auth: Authenticated<Plan>) -> String {
    auth.claims.private.tier
}

async fn home(auth: Option<Authenticated>) -> &'static str {
    if auth.is_some() { "welcome back" } else { "hello" }
}

fn chain() -> ValidationChain {
    ValidationChain::new().allow_audience("shop")
}

fn app(bench: &Bench) -> Router {
    let auth = AuthLayer::new(bench.manager.clone(), chain()).unwrap().realm("shop").unwrap();
    let write = RequireScope::all(["orders:write", "read"]).unwrap();
    let open = Router::new().route("/home", route(home)).layer(auth.clone().optional());
    Router::new()
        .route("/me", route(me))
        .route("/plan", route(plan))
        .route("/write", route(me).layer(write))
        .layer(auth)
        .merge(open)
        .route("/bare", route(me))
        .route("/bare-home", route(home))
}

const INVALID: &str = "Bearer realm=\"shop\", error=\"invalid_token\", error_description=\"the token is \
    malformed, expired, revoked or not accepted here\"";

#[tokio::test]
async fn a_good_token_is_let_through() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let token = bearer(&bench.access().await);
    for scheme in [token.clone(), token.replace("Bearer", "bEARER")] {
        let answer = get(address, "/me", &[("authorization", &scheme)]).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (200, "user123"));
        assert!(!answer.headers.contains_key("cache-control"), "the service decides that");
    }
}

#[tokio::test]
async fn without_credentials_there_is_a_challenge_and_no_error_code() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    for headers in [&[][..], &[("authorization", "Basic eDp5")]] {
        let answer = get(address, "/me", headers).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"shop\"");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("content-type"), "application/problem+json");
        assert_eq!(answer.json()["code"], "unauthenticated");
        assert_eq!(answer.json()["status"], 401);
    }
}

#[tokio::test]
async fn a_token_that_is_not_good_is_invalid_and_no_reason_leaks() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let expired = bench.issue(grant().ttl(Ttl::from_secs(1))).await;
    let foreign = bench.issue(grant_for("other")).await;
    let revoked = bench.access().await;
    bench.manager.revoke(revoked.token.id, RevokeRequest::reason("stolen")).await.unwrap();
    bench.clock.advance(Ttl::from_secs(2));
    let unknown = bearer(&crate::harness::bench().access().await);
    let tokens =
        [bearer(&expired), bearer(&foreign), bearer(&revoked), unknown, "Bearer fob_at_x".into()];
    let mut bodies = Vec::new();
    for token in tokens {
        let answer = get(address, "/me", &[("authorization", &token)]).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), INVALID);
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["code"], "invalid_token");
        bodies.push(answer.body);
    }
    bodies.dedup();
    assert_eq!(bodies.len(), 1, "the responses are identical: {bodies:?}");
}

fn grant_for(audience: &str) -> keyfob::Grant {
    keyfob::Grant::new(Kind::Access).subject("user123").audience(audience)
}

#[tokio::test]
async fn a_scope_that_is_missing_is_named() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let token = bearer(&bench.access().await);
    let answer = get(address, "/write", &[("authorization", &token)]).await;
    assert_eq!(answer.status, 403);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.starts_with("Bearer realm=\"shop\", error=\"insufficient_scope\""));
    assert!(challenge.ends_with("scope=\"orders:write read\""), "{challenge}");
    assert_eq!(answer.header("cache-control"), "no-store");
    assert_eq!(answer.json()["code"], "insufficient_scope");
    let token = bearer(&bench.issue(grant().scope("orders:write")).await);
    assert_eq!(get(address, "/write", &[("authorization", &token)]).await.status, 200);
    assert_eq!(get(address, "/write", &[]).await.status, 401);
}

#[tokio::test]
async fn the_scopes_of_a_chain_are_named_as_well() {
    let bench = bench();
    let chain = chain().require_scope("admin").require_scope("read");
    let auth = AuthLayer::new(bench.manager.clone(), chain).unwrap();
    let address = serve(Router::new().route("/", route(me)).layer(auth)).await;
    let token = bearer(&bench.access().await);
    let answer = get(address, "/", &[("authorization", &token)]).await;
    assert_eq!(answer.status, 403);
    let challenge = answer.header("www-authenticate");
    assert!(challenge.ends_with("scope=\"admin read\""), "{challenge}");
}

#[tokio::test]
async fn a_request_with_malformed_or_ambiguous_credentials_is_bad() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let token = bearer(&bench.access().await);
    let secret = token.trim_start_matches("Bearer ");
    let in_query = format!("/me?access_token={secret}");
    let both = format!("/me?a=b&access%5Ftoken={secret}");
    let long = format!("Bearer {}", "x".repeat(9_000));
    let cases: [(&str, &[(&str, &str)]); 6] = [
        (&in_query, &[]),
        (&both, &[("authorization", &token)]),
        ("/me", &[("authorization", &token), ("authorization", &token)]),
        ("/me", &[("authorization", "Bearer")]),
        ("/me", &[("authorization", "Bearer a b")]),
        ("/me", &[("authorization", &long)]),
    ];
    for (path, headers) in cases {
        let answer = get(address, path, headers).await;
        assert_eq!(answer.status, 400, "{path} {headers:?}");
        let challenge = answer.header("www-authenticate");
        assert!(challenge.contains("error=\"invalid_request\""), "{challenge}");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["code"], "invalid_request");
        assert!(!answer.body.contains(secret) && !challenge.contains(secret));
    }
}

#[tokio::test]
async fn an_undecided_request_gets_503() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let token = bearer(&bench.access().await);
    bench.store.fail();
    let other = bearer(&bench.issue(grant()).await);
    for token in [token, other] {
        let answer = get(address, "/me", &[("authorization", &token)]).await;
        assert_eq!(answer.status, 503);
        assert_eq!(answer.header("retry-after"), "1");
        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.json()["code"], "temporarily_unavailable");
        assert!(!answer.body.contains("10.9.8.7"), "{}", answer.body);
        assert!(!answer.headers.contains_key("www-authenticate"));
    }
}

#[tokio::test]
async fn claims_are_read_as_a_type_and_a_mismatch_is_an_invalid_token() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let issue =
        |json: &str| grant().claims(&serde_json::from_str::<serde_json::Value>(json).unwrap());
    let team = bearer(&bench.issue(issue(r#"{"tier":"team"}"#)).await);
    assert_eq!(get(address, "/plan", &[("authorization", &team)]).await.body, "team");
    assert_eq!(get(address, "/me", &[("authorization", &team)]).await.body, "user123");
    let mismatch = bearer(&bench.issue(issue(r#"{"tier":4711}"#)).await);
    for token in [mismatch, bearer(&bench.access().await)] {
        let answer = get(address, "/plan", &[("authorization", &token)]).await;
        assert_eq!(answer.status, 401);
        assert_eq!(answer.header("www-authenticate"), INVALID);
        assert!(!answer.body.contains("4711"));
    }
}

#[tokio::test]
async fn optional_authentication_lets_through_what_has_no_credentials_and_no_bad_ones() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    assert_eq!(get(address, "/home", &[]).await.body, "hello");
    let token = bearer(&bench.access().await);
    assert_eq!(get(address, "/home", &[("authorization", &token)]).await.body, "welcome back");
    let bad = get(address, "/home", &[("authorization", "Bearer fob_at_x")]).await;
    assert_eq!(bad.status, 401);
    assert_eq!(get(address, "/home?access_token=x", &[]).await.status, 400);
}

#[tokio::test]
async fn a_rule_of_the_application_denies_without_its_text() {
    let bench = bench();
    let rule = |_: &Token, _: Timestamp| Err(Denied::new("closed", "account 4711 is closed"));
    let auth = AuthLayer::new(bench.manager.clone(), chain().rule(rule)).unwrap();
    let address = serve(Router::new().route("/", route(me)).layer(auth)).await;
    let token = bearer(&bench.access().await);
    let answer = get(address, "/", &[("authorization", &token)]).await;
    assert_eq!(answer.status, 403);
    assert_eq!(answer.json()["code"], "access_denied");
    assert!(!answer.body.contains("4711") && !answer.body.contains("closed"));
}

#[tokio::test]
async fn a_route_without_a_layer_is_a_fault_of_the_service() {
    let bench = bench();
    let address = serve(app(&bench)).await;
    let token = bearer(&bench.access().await);
    for path in ["/bare", "/bare-home"] {
        let answer = get(address, path, &[("authorization", &token)]).await;
        assert_eq!(answer.status, 500, "{path}");
        assert_eq!(answer.json()["code"], "server_error");
    }
}

#[tokio::test]
async fn a_chain_or_a_realm_that_is_not_valid_is_refused_when_it_is_built() {
    let bench = bench();
    let chain = ValidationChain::new().allow_audience("");
    assert!(AuthLayer::new(bench.manager.clone(), chain).is_err());
    for realm in ["a\"b", "a\\b", "a\nb", "é"] {
        let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new()).unwrap();
        assert!(auth.realm(realm).is_err(), "{realm}");
    }
    assert!(RequireScope::new("two words").is_err());
}
