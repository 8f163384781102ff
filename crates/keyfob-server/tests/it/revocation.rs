//! Revocation (RFC 7009).

use keyfob::{Grant, Kind};

use crate::support::Service;

const PATH: &str = "/oauth2/revoke";

#[tokio::test]
async fn a_client_revokes_its_own_tokens_and_repeats_do_no_harm() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let issued = service.manager.issue(Grant::new(Kind::Access).client("app")).await.unwrap();
    for _ in 0..2 {
        let form = [("token", issued.bearer.expose()), ("token_type_hint", "refresh_token")];
        let reply = service.form(PATH, Some(&key.basic()), &form).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (200, 0));
        assert!(service.manager.validate_active(&issued.bearer).await.is_err());
    }
    let history = service.manager.history(issued.token.id).await.unwrap();
    assert_eq!(history.last().unwrap().by.as_ref().unwrap().as_str(), "app");
}

#[tokio::test]
async fn an_unknown_token_is_revoked_as_far_as_anybody_can_tell() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let reply = service.form(PATH, Some(&key.basic()), &[("token", "nonsense")]).await;
    assert_eq!(reply.status, 200);
}

#[tokio::test]
async fn the_tokens_of_another_client_need_the_scope() {
    let service = Service::start().await;
    let issued = service.manager.issue(Grant::new(Kind::Access).client("app")).await.unwrap();
    let form = [("token", issued.bearer.expose())];
    let other = service.key("other", "keyfob:introspect").await;
    let reply = service.form(PATH, Some(&other.basic()), &form).await;
    assert_eq!(reply.error(), (400, "unauthorized_client".into()));
    assert!(service.manager.validate_active(&issued.bearer).await.is_ok());
    let operator = service.key("operator", "keyfob:revoke").await;
    assert_eq!(service.form(PATH, Some(&operator.basic()), &form).await.status, 200);
    assert!(service.manager.validate_active(&issued.bearer).await.is_err());
}

#[tokio::test]
async fn a_refresh_token_is_revoked_with_its_access_tokens() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let grant = Grant::new(Kind::Refresh).subject("alice").client("app").scope("read");
    let pair = service.manager.issue_pair(grant, Default::default()).await.unwrap();
    let form = [("token", pair.refresh.bearer.expose())];
    assert_eq!(service.form(PATH, Some(&key.basic()), &form).await.status, 200);
    assert!(service.manager.validate_active(&pair.access.bearer).await.is_err());
}
