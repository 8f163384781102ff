//! Changing one token: metadata, secrets, derived tokens, the end.

use http::Method;
use keyfob::token::{Allowed, MayIssue};
use keyfob::values::NameSet;
use keyfob::{Grant, Kind, Scope};
use keyfob_api::{IssuedBody, RevokeAnswer, RevokeOutcome, TokenBody};
use serde_json::json;

use crate::support::Service;

#[tokio::test]
async fn metadata_is_changed_and_the_rest_stays() {
    let service = Service::start().await;
    let admin = service.admin().await;
    let grant = Grant::new(Kind::Session).label("env", "dev").tag("old").device_id("phone-1");
    let id = service.manager.issue(grant).await.unwrap().token.id;
    let path = format!("/v1/tokens/{id}");
    let change = json!({"labels": {"env": "prod"}, "remove_tags": ["old"], "tags": ["vip"]});
    let reply = service.json(Method::PATCH, &path, &admin, change).await;
    let token: TokenBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(token.metadata.labels.get("env").unwrap(), "prod");
    assert_eq!(token.metadata.tags.to_string(), "vip");
    assert_eq!(token.metadata.device.id.unwrap(), "phone-1");
    for (body, code) in
        [(json!({}), "nothing_to_change"), (json!({"scopes": ["x"]}), "invalid_json")]
    {
        let reply = service.json(Method::PATCH, &path, &admin, body).await;
        assert_eq!(reply.error(), (400, code.into()));
    }
}

#[tokio::test]
async fn a_key_gets_a_new_secret_and_the_old_one_overlaps() {
    let service = Service::start().await;
    let key = service.key("app", "read").await;
    let id = service.manager.validate_active(key.bearer.as_str()).await.unwrap().id;
    let path = format!("/v1/tokens/{id}/rotate");
    // A key rotates itself without a further scope.
    let reply = service.post(&path, &key, json!({})).await;
    let issued: IssuedBody = serde_json::from_slice(&reply.body).unwrap();
    for bearer in [key.bearer.as_str(), issued.bearer.expose()] {
        assert!(service.manager.validate_active(bearer).await.is_ok());
    }
    let admin = service.admin().await;
    let read: TokenBody =
        serde_json::from_slice(&service.get_as(&format!("/v1/tokens/{id}"), &admin).await.body)
            .unwrap();
    assert!(read.older_secret_until.is_some_and(|until| until > service.manager.now()));
    let reply = service.post(&path, &admin, json!({"overlap": "0"})).await;
    assert_eq!(reply.status, 200);
    assert!(service.manager.validate_active(issued.bearer.expose()).await.is_err());
    let reply = service.get_as(&format!("/v1/tokens/{id}"), &admin).await;
    assert!(!String::from_utf8(reply.body.to_vec()).unwrap().contains("older_secret_until"));
    let reply = service.post(&path, &admin, json!({"overlap": "soon"})).await;
    assert_eq!(reply.error(), (400, "invalid_value".into()));
}

#[tokio::test]
async fn nobody_gets_the_secret_of_a_stronger_key() {
    let service = Service::start().await;
    let stronger = Grant::new(Kind::ApiKey).client("admin").scope("keyfob:admin");
    let stronger = service.manager.issue(stronger).await.unwrap().token.id;
    let path = format!("/v1/tokens/{stronger}/rotate");
    let issuer = Grant::new(Kind::ApiKey).client("issuer").scope("keyfob:issue");
    let issuer = service.key_of(issuer.may_issue(MayIssue::all())).await;
    assert_eq!(
        service.post(&path, &issuer, json!({})).await.error(),
        (403, "beyond_bounds".into())
    );
    // Not even by the name of the same client.
    let sibling = service.key("admin", "read").await;
    let reply = service.post(&path, &sibling, json!({})).await;
    assert_eq!(reply.error(), (404, "token_not_found".into()));
    let other = Grant::new(Kind::ApiKey).client("other").scope("read");
    let other = service.manager.issue(other).await.unwrap().token.id;
    let path = format!("/v1/tokens/{other}/rotate");
    assert_eq!(service.post(&path, &issuer, json!({})).await.status, 200);
}

#[tokio::test]
async fn a_narrower_token_is_derived_within_the_bounds_of_the_caller() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::Session).subject("alice").scopes("mail calendar").audience("shop");
    let parent = service.manager.issue(grant).await.unwrap();
    let path = format!("/v1/tokens/{}/derive", parent.token.id);
    let admin = service.admin().await;
    let body = json!({"token": parent.bearer.expose(), "scopes": ["calendar"], "acting": "agent-7",
                      "ttl": "5m"});
    let reply = service.post(&path, &admin, body.clone()).await;
    let derived: IssuedBody = serde_json::from_slice(&reply.body).unwrap();
    assert_eq!(derived.token.subject.unwrap(), "alice");
    assert_eq!(derived.token.claims.get(), r#"{"act":{"sub":"agent-7"}}"#);
    let unbounded = service.key("app", "keyfob:issue").await;
    assert_eq!(service.post(&path, &unbounded, body).await.error(), (403, "beyond_bounds".into()));
    let wider = json!({"token": parent.bearer.expose(), "scopes": ["admin"]});
    assert_eq!(service.post(&path, &admin, wider).await.status, 400);
    let elsewhere = "/v1/tokens/tok_00000000000000000000000000/derive";
    let reply = service.post(elsewhere, &admin, json!({"token": parent.bearer.expose()})).await;
    assert_eq!(reply.error(), (404, "token_not_found".into()));
    let reply = service.post(&path, &admin, json!({"token": "nonsense"})).await;
    assert_eq!(reply.error(), (401, "token_malformed".into()));
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_within_the_bounds_of_the_caller() {
    let service = Service::start().await;
    let refresh = async |scopes: &str, audience: &str| {
        let grant = Grant::new(Kind::Refresh).subject("alice").scopes(scopes).audience(audience);
        service.manager.issue(grant).await.unwrap().bearer.expose().to_owned()
    };
    let issuer = Grant::new(Kind::ApiKey).client("issuer").scope("keyfob:issue");
    let scopes = NameSet::from_names([Scope::new("read").unwrap()]).unwrap();
    let reading = MayIssue::new(Allowed::Only(scopes), Allowed::All);
    let issuer = service.key_of(issuer.may_issue(reading)).await;
    let bearer = refresh("read write", "shop").await;
    let beyond = (403, "beyond_bounds".into());
    let all = service.post("/v1/refresh", &issuer, json!({"token": bearer})).await;
    assert_eq!(all.error(), beyond);
    let narrower = json!({"token": bearer, "scopes": ["read"]});
    assert_eq!(service.post("/v1/refresh", &issuer, narrower.clone()).await.status, 200);
    // Scopes of management, that the caller does not have itself.
    let admin = refresh("keyfob:admin", "shop").await;
    let reply = service.post("/v1/refresh", &issuer, json!({"token": admin})).await;
    assert_eq!(reply.error(), beyond);
    // Without the scope, nobody has a token refreshed.
    let reader = service.key("reader", "keyfob:read").await;
    let reply = service.post("/v1/refresh", &reader, narrower).await;
    assert_eq!(reply.error(), (403, "insufficient_scope".into()));
    let unknown = json!({"token": "nonsense"});
    assert_eq!(service.post("/v1/refresh", &issuer, unknown).await.status, 401);
}

#[tokio::test]
async fn a_token_is_revoked_by_its_client_or_with_the_scope() {
    let service = Service::start().await;
    let issue = || service.manager.issue(Grant::new(Kind::Access).client("app"));
    let app = service.key("app", "").await;
    let other = service.key("other", "keyfob:read").await;
    let operator = service.key("operator", "keyfob:revoke").await;
    for key in [&app, &operator] {
        let id = issue().await.unwrap().token.id;
        let path = format!("/v1/tokens/{id}?reason=user+logout");
        let refused = service.json(Method::DELETE, &path, &other, ()).await;
        assert_eq!(refused.error(), (404, "token_not_found".into()));
        for outcome in [RevokeOutcome::Revoked, RevokeOutcome::AlreadyRevoked] {
            let reply = service.json(Method::DELETE, &path, key, ()).await;
            let answer: RevokeAnswer = serde_json::from_slice(&reply.body).unwrap();
            assert_eq!(answer.outcome, outcome);
            assert_eq!(answer.revocation.unwrap().reason.unwrap(), "user logout");
        }
    }
}
