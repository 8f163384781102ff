//! Introspection (RFC 7662).

use keyfob::{Grant, Kind, RevokeRequest, Timestamp, Ttl};
use serde_json::json;

use crate::support::Service;

const PATH: &str = "/oauth2/introspect";

fn access() -> Grant {
    Grant::new(Kind::Access).subject("alice").audience("shop").scopes("read write")
}

#[tokio::test]
async fn an_active_token_is_shown_with_the_members_of_the_standard() {
    let service = Service::start().await;
    let key = service.key("gateway", "keyfob:introspect").await;
    let grant = access()
        .client("app")
        .issuer("https://tokens.example")
        .not_before(Timestamp::from_millis(1_000))
        .username("Alice")
        .device_id("phone")
        .claims(&json!({"plan": "team", "device_id": "mine"}));
    let issued = service.manager.issue(grant).await.unwrap();
    let form = [("token", issued.bearer.expose()), ("token_type_hint", "nonsense")];
    let reply = service.form(PATH, Some(&key.basic()), &form).await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["cache-control"]),
        (200, &"no-store".parse().unwrap())
    );
    let token = &issued.token;
    let expected = json!({
        "active": true, "scope": "read write", "client_id": "app", "token_type": "Bearer",
        "exp": token.expires_at.unwrap().as_secs(), "iat": token.issued_at.as_secs(), "nbf": 1,
        "sub": "alice", "aud": "shop", "iss": "https://tokens.example", "jti": token.id.to_string(),
        "kind": "access", "device_id": "phone", "username": "Alice", "plan": "team",
    });
    assert_eq!(reply.json(), expected);
}

#[tokio::test]
async fn an_inactive_token_is_shown_without_a_reason() {
    let service = Service::start().await;
    let key = service.key("gateway", "keyfob:introspect").await;
    let revoked = service.manager.issue(access()).await.unwrap();
    service.manager.revoke(revoked.token.id, RevokeRequest::reason("test")).await.unwrap();
    let revoked = revoked.bearer.expose();
    let expired = service.bearer(access().ttl(Ttl::from_millis(1).unwrap())).await;
    tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    let unknown = format!("{}x", &expired[..expired.len() - 1]);
    for bearer in [revoked, &expired, &unknown, "nonsense", "a b", "\u{0}"] {
        let reply = service.form(PATH, Some(&key.basic()), &[("token", bearer)]).await;
        assert_eq!((reply.status.as_u16(), reply.json()), (200, json!({"active": false})));
    }
}

#[tokio::test]
async fn a_caller_with_audiences_sees_the_tokens_that_are_meant_for_it() {
    let service = Service::start().await;
    let of = |audience: &str| {
        let grant = Grant::new(Kind::ApiKey).client("gateway").scope("keyfob:introspect");
        service.key_of(grant.audience(audience))
    };
    let (shop, bank) = (of("shop").await, of("bank").await);
    let bearer = service.bearer(access()).await;
    let for_all = service.bearer(Grant::new(Kind::Access)).await;
    for (key, bearer, is_active) in
        [(&shop, &bearer, true), (&bank, &bearer, false), (&shop, &for_all, false)]
    {
        let reply = service.form(PATH, Some(&key.basic()), &[("token", bearer)]).await;
        assert_eq!(reply.json()["active"], is_active, "{key:?}");
    }
}

#[tokio::test]
async fn a_refresh_token_is_active_only_for_its_own_client() {
    let service = Service::start().await;
    let app = service.key("app", "keyfob:introspect").await;
    let gateway = service.key("gateway", "keyfob:introspect").await;
    let bearer = service.bearer(Grant::new(Kind::Refresh).subject("alice").client("app")).await;
    for (key, is_active) in [(app, true), (gateway, false)] {
        let reply = service.form(PATH, Some(&key.basic()), &[("token", &bearer)]).await;
        assert_eq!(reply.json()["active"], is_active, "{key:?}");
        assert_eq!(reply.json().get("token_type"), None);
    }
}

/// The request as Spring Security's introspector sends it.
#[tokio::test]
async fn the_introspector_of_spring_security_gets_its_answer() {
    let service = Service::start().await;
    let key = service.key("shop", "keyfob:introspect").await;
    let issued = service.manager.issue(access()).await.unwrap();
    let request = http::Request::post(format!("{}{PATH}", service.url))
        .header("accept", "application/json, application/*+json")
        .header("content-type", "application/x-www-form-urlencoded;charset=UTF-8")
        .header("authorization", key.basic());
    let form = format!("token={}", issued.bearer.expose());
    let reply = service.send(request.body(form.into_bytes().into()).unwrap()).await;
    assert_eq!(reply.headers["content-type"], "application/json");
    assert_eq!((reply.status.as_u16(), &reply.json()["scope"]), (200, &json!("read write")));
}
