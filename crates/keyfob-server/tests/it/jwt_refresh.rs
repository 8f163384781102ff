//! Refresh tokens that give JWTs.

use keyfob::{Grant, Kind, MemoryStore, TokenManager};
use keyfob_server::jwt::{JwtKeySeed, JwtKeys};

use crate::jwt::*;
use crate::support::Service;

#[tokio::test]
async fn a_refresh_token_gives_a_jwt_for_an_audience_that_takes_them() {
    let service = start().await;
    let key = service.key("web", "").await;
    let family = |audiences: &'static [&'static str]| {
        let grant = Grant::new(Kind::Refresh).subject("alice").client("web").scopes("read write");
        service.bearer(audiences.iter().fold(grant, |grant, name| grant.audience(*name)))
    };
    let ask = async |refresh: &str, more: &[(&'static str, &'static str)]| {
        let form = [("grant_type", "refresh_token"), ("refresh_token", refresh)];
        service.form("/oauth2/token", Some(&key.basic()), &[&form[..], more].concat()).await
    };
    // By the audience of the family.
    let first = family(&[ORDERS]).await;
    let reply = ask(&first, &[("scope", "read")]).await;
    let token = checked(&service, &text(&reply, "access_token")).await;
    assert_eq!(
        (&*token.sub, &*token.client_id, token.scope.as_deref()),
        ("alice", "web", Some("read"))
    );
    assert_eq!(token.exp - token.iat, 900);
    assert!(reply.json()["expires_in"].as_u64().is_some_and(|secs| secs <= 900));
    // A retry gets the same token, in the same place of a list, and the same refresh token.
    let again = ask(&first, &[("scope", "read")]).await;
    assert_eq!(checked(&service, &text(&again, "access_token")).await, token);
    assert_eq!(text(&again, "refresh_token"), text(&reply, "refresh_token"));
    let next = ask(&text(&reply, "refresh_token"), &[("resource", ORDERS)]).await;
    let next = checked(&service, &text(&next, "access_token")).await;
    assert_ne!(next.jti, token.jti);

    // By what the request names of two audiences (RFC 8707 section 2.2).
    let both = family(&[ORDERS, "shop"]).await;
    for wrong in [
        &[][..],
        &[("resource", ORDERS), ("audience", "shop")],
        &[("resource", "https://bank.example")],
        &[("resource", "orders")],
    ] {
        assert_eq!(ask(&both, wrong).await.error(), (400, "invalid_target".into()), "{wrong:?}");
    }
    let reply = ask(&both, &[("resource", ORDERS)]).await;
    let token = checked(&service, &text(&reply, "access_token")).await;
    let reply = ask(&text(&reply, "refresh_token"), &[("audience", "shop")]).await;
    let opaque = service.manager.validate_active(&*text(&reply, "access_token")).await.unwrap();
    assert!(opaque.audiences.contains("shop") && !opaque.audiences.contains(ORDERS));

    // With the family ends the JWT.
    assert!(!is_revoked(&service, &token).await);
    let form = [("token", &*text(&reply, "refresh_token"))];
    let revoked = service.form("/oauth2/revoke", Some(&key.basic()), &form).await;
    assert_eq!(revoked.status, 200);
    after_the_bound().await;
    assert!(is_revoked(&service, &token).await);

    // A JWT names a client.
    let nobody = service.bearer(Grant::new(Kind::Refresh).subject("bob").audience(ORDERS)).await;
    assert_eq!(ask(&nobody, &[]).await.error(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_refresh_is_retried_at_a_server_that_signs_with_another_key() {
    let store = std::sync::Arc::new(MemoryStore::new().unwrap());
    let with = |active: u16| {
        let seeds = [1, 2].map(|version: u16| JwtKeySeed {
            version,
            is_active: version == active,
            seed: [version as u8; 32].into(),
        });
        let mut settings = settings();
        settings.jwt.keys = Some(JwtKeys::derive(seeds).unwrap());
        Service::over(TokenManager::new(store.clone()), settings)
    };
    let (before, after) = (with(1).await, with(2).await);
    let key = before.key("web", "").await;
    let grant = Grant::new(Kind::Refresh).subject("alice").client("web").audience(ORDERS);
    let refresh = before.bearer(grant).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    let mut tokens = Vec::new();
    for service in [&before, &after] {
        let reply = service.form("/oauth2/token", Some(&key.basic()), &form).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        tokens.push(checked(service, &text(&reply, "access_token")).await);
    }
    assert_eq!(tokens[0], tokens[1]);
}
