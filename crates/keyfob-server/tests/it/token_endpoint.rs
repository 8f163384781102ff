//! The token endpoint (RFC 6749, RFC 8693).

use keyfob::{Grant, Kind, RevokeRequest};
use keyfob_server::Settings;

use crate::support::{Key, Reply, Service};

const PATH: &str = "/oauth2/token";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

async fn ask(service: &Service, key: &Key, parameters: &[(&str, &str)]) -> Reply {
    service.form(PATH, Some(&key.basic()), parameters).await
}

fn text(reply: &Reply, member: &str) -> String {
    reply.json()[member].as_str().unwrap_or_else(|| panic!("{}", reply.json())).to_owned()
}

#[tokio::test]
async fn a_refresh_token_is_exchanged_and_a_retry_gets_the_same_pair() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let grant = Grant::new(Kind::Refresh).subject("alice").client("app").scopes("read write");
    let first = service.bearer(grant).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*first), ("scope", "read")];
    let reply = ask(&service, &key, &form).await;
    assert_eq!((reply.status.as_u16(), text(&reply, "token_type")), (200, "Bearer".into()));
    assert_eq!(text(&reply, "scope"), "read");
    assert!(reply.json()["expires_in"].as_u64().is_some_and(|seconds| seconds > 0));
    let again = ask(&service, &key, &form).await;
    for member in ["access_token", "refresh_token"] {
        assert_eq!(text(&reply, member), text(&again, member));
    }
    assert!(service.manager.validate_active(&*text(&reply, "access_token")).await.is_ok());
}

#[tokio::test]
async fn fifty_exchanges_at_once_get_the_same_pair() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let first = service.bearer(Grant::new(Kind::Refresh).subject("alice").client("app")).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*first)];
    let replies = futures_util::future::join_all((0..50).map(|_| ask(&service, &key, &form))).await;
    let expected = replies[0].json();
    for reply in &replies {
        assert_eq!(reply.status, 200);
        for member in ["access_token", "refresh_token"] {
            assert_eq!(reply.json()[member], expected[member]);
        }
    }
}

#[tokio::test]
async fn a_refresh_token_of_another_client_is_an_invalid_grant() {
    let service = Service::start().await;
    let other = service.key("other", "").await;
    let bearer = service.bearer(Grant::new(Kind::Refresh).subject("alice").client("app")).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*bearer)];
    let reply = ask(&service, &other, &form).await;
    assert_eq!(reply.error(), (400, "invalid_grant".into()));
    let form = [("grant_type", "refresh_token"), ("refresh_token", "nonsense")];
    assert_eq!(ask(&service, &other, &form).await.error(), (400, "invalid_grant".into()));
}

#[tokio::test]
async fn more_scope_than_the_refresh_token_has_is_refused() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let grant = Grant::new(Kind::Refresh).subject("alice").client("app").scope("read");
    let bearer = service.bearer(grant).await;
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*bearer), ("scope", "write")];
    assert_eq!(ask(&service, &key, &form).await.error(), (400, "invalid_scope".into()));
}

#[tokio::test]
async fn a_public_client_names_itself_if_the_settings_know_it() {
    let service = Service::with(Settings::new().public_client("spa".parse().unwrap())).await;
    let grant = |client: &str| Grant::new(Kind::Refresh).subject("alice").client(client);
    for (client, expected) in [("spa", 200), ("app", 401)] {
        let bearer = service.bearer(grant(client)).await;
        let form =
            [("grant_type", "refresh_token"), ("refresh_token", &*bearer), ("client_id", client)];
        assert_eq!(service.form(PATH, None, &form).await.status, expected, "{client}");
    }
    let form = [("grant_type", "client_credentials"), ("client_id", "spa")];
    let reply = service.form(PATH, None, &form).await;
    assert_eq!(reply.error(), (400, "unauthorized_client".into()));
}

#[tokio::test]
async fn client_credentials_give_a_token_that_is_revoked_with_its_key() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("read write keyfob:issue");
    let issued = service.manager.issue(grant.audience("shop")).await.unwrap();
    let key = Key { client: "app".into(), bearer: issued.bearer.expose().into() };
    let reply = ask(&service, &key, &[("grant_type", "client_credentials")]).await;
    assert_eq!(text(&reply, "scope"), "read write");
    assert_eq!(reply.json().get("refresh_token"), None);
    let bearer = text(&reply, "access_token");
    let token = service.manager.validate_active(&*bearer).await.unwrap();
    assert_eq!(token.client.unwrap(), "app");
    assert!(token.audiences.contains("shop"));
    service.manager.revoke(issued.token.id, RevokeRequest::reason("stolen")).await.unwrap();
    assert!(service.manager.validate_active(&*bearer).await.is_err());
}

#[tokio::test]
async fn client_credentials_give_no_more_than_the_key_has() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::ApiKey).client("app").scope("read").audience("shop");
    let key = service.key_of(grant).await;
    let with = |name, value| [("grant_type", "client_credentials"), (name, value)];
    for (name, value, error) in [
        ("scope", "write", "invalid_scope"),
        ("scope", "keyfob:admin", "invalid_scope"),
        ("audience", "bank", "invalid_target"),
        ("resource", "bank", "invalid_target"),
    ] {
        let reply = ask(&service, &key, &with(name, value)).await;
        assert_eq!(reply.error(), (400, error.into()), "{name}={value}");
    }
}

#[tokio::test]
async fn a_service_exchanges_a_token_that_is_meant_for_it() {
    let service = Service::start().await;
    let shop = service.key_of(Grant::new(Kind::ApiKey).client("shop").audience("shop")).await;
    let grant = Grant::new(Kind::Session).subject("alice").client("web").scopes("read write");
    let session = service.manager.issue(grant.audience("shop")).await.unwrap();
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", session.bearer.expose()),
        ("subject_token_type", ACCESS_TOKEN),
        ("scope", "read"),
    ];
    let reply = ask(&service, &shop, &form).await;
    assert_eq!(text(&reply, "issued_token_type"), ACCESS_TOKEN);
    let bearer = text(&reply, "access_token");
    let token = service.manager.validate_active(&*bearer).await.unwrap();
    assert_eq!(token.subject.unwrap(), "alice");
    let actors = serde_json::to_value(token.claims.registered.actors.unwrap()).unwrap();
    assert_eq!(actors["sub"], "shop");
    service.manager.revoke(session.token.id, RevokeRequest::reason("logout")).await.unwrap();
    assert!(service.manager.validate_active(&*bearer).await.is_err());
}

#[tokio::test]
async fn an_exchange_passes_no_reserved_scope_on_that_the_client_lacks() {
    let service = Service::start().await;
    let shop = service.key_of(Grant::new(Kind::ApiKey).client("shop").audience("shop")).await;
    let admin = Grant::new(Kind::Access).subject("alice").scopes("read keyfob:admin");
    let bearer = service.bearer(admin.audience("shop")).await;
    let exchange = |scope: Option<&'static str>| {
        let bearer = bearer.clone();
        let (service, shop) = (&service, &shop);
        async move {
            let mut form = vec![
                ("grant_type", EXCHANGE),
                ("subject_token", &*bearer),
                ("subject_token_type", ACCESS_TOKEN),
            ];
            form.extend(scope.map(|scope| ("scope", scope)));
            ask(service, shop, &form).await
        }
    };
    assert_eq!(text(&exchange(None).await, "scope"), "read");
    let reply = exchange(Some("keyfob:admin")).await;
    assert_eq!(reply.error(), (400, "invalid_scope".into()));
}

#[tokio::test]
async fn an_exchange_is_refused_for_tokens_of_others_and_for_what_is_not_valid() {
    let service = Service::start().await;
    let bank = service.key_of(Grant::new(Kind::ApiKey).client("bank").audience("bank")).await;
    let bearer = service.bearer(Grant::new(Kind::Access).subject("alice").audience("shop")).await;
    let exchange = |token, kind| {
        [("grant_type", EXCHANGE), ("subject_token", token), ("subject_token_type", kind)]
    };
    let reply = ask(&service, &bank, &exchange(&*bearer, ACCESS_TOKEN)).await;
    assert_eq!(reply.error(), (400, "unauthorized_client".into()));
    let reply = ask(&service, &bank, &exchange("nonsense", ACCESS_TOKEN)).await;
    assert_eq!(reply.error(), (400, "invalid_request".into()));
    let reply = ask(&service, &bank, &exchange(&*bearer, "urn:x")).await;
    assert_eq!(reply.error(), (400, "invalid_request".into()));
}

#[tokio::test]
async fn a_grant_type_that_is_unknown_or_missing_has_an_error_of_its_own() {
    let service = Service::start().await;
    let key = service.key("app", "").await;
    let reply = ask(&service, &key, &[("grant_type", "password")]).await;
    assert_eq!(reply.error(), (400, "unsupported_grant_type".into()));
    assert_eq!(ask(&service, &key, &[]).await.error(), (400, "invalid_request".into()));
}
