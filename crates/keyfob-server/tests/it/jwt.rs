//! Access tokens as JWTs, and their status lists.

use std::time::Duration;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use keyfob::{Grant, Kind, MemoryStore, RevokeRequest, TokenManager, Ttl};
use keyfob_jwt::access_token::{self, AccessToken, AccessTokenPolicy};
use keyfob_jwt::key_set::KeySet;
use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
use keyfob_jwt::status_list::{self, StatusListToken};
use keyfob_server::Settings;
use keyfob_server::jwt::{JwtKeySeed, JwtKeys, JwtSettings};
use serde_json::{Value, json};

use crate::support::{Key, Reply, Service};

pub(crate) const ISSUER: &str = "https://tokens.example";
pub(crate) const ORDERS: &str = "https://orders.example";
const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";
const JWT: &str = "urn:ietf:params:oauth:token-type:jwt";
const SEED: [u8; 32] = [7; 32];

pub(crate) fn settings() -> Settings {
    let seed = JwtKeySeed { version: 1, is_active: true, seed: SEED.into() };
    let mut jwt = JwtSettings::default();
    jwt.keys = Some(JwtKeys::derive([seed]).unwrap());
    jwt.audiences.insert(ORDERS.parse().unwrap());
    Settings::new().issuer(ISSUER.parse().unwrap()).jwt(jwt)
}

pub(crate) async fn start() -> Service {
    Service::with(settings()).await
}

pub(crate) fn text(reply: &Reply, member: &str) -> String {
    reply.json()[member].as_str().unwrap_or_else(|| panic!("{}", reply.json())).to_owned()
}

pub(crate) async fn keys(service: &Service) -> KeySet {
    let reply = service.get("/.well-known/jwks.json", None).await;
    assert_eq!(reply.headers["content-type"], "application/jwk-set+json");
    assert_eq!(reply.headers["cache-control"], "public, max-age=300");
    KeySet::parse(&reply.body).unwrap()
}

/// Checks a JWT as a service does that never asks.
pub(crate) async fn checked(service: &Service, jwt: &str) -> AccessToken {
    let keys = keys(service).await;
    let (token, _) = access_token::open(jwt, &keys).unwrap();
    let policy =
        AccessTokenPolicy { issuer: ISSUER, audience: Some(ORDERS), clock_skew: Ttl::from_secs(5) };
    token.check(&policy, service.manager.now()).unwrap();
    token
}

/// Fetches the list that a token names.
pub(crate) async fn list(service: &Service, token: &AccessToken) -> StatusListToken {
    let uri = &token.status.as_ref().unwrap().status_list.uri;
    let reply = service.get(uri.strip_prefix(ISSUER).unwrap(), None).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.headers["content-type"], "application/statuslist+jwt");
    let text = std::str::from_utf8(&reply.body).unwrap();
    let list = status_list::open(text, &keys(service).await).unwrap();
    assert_eq!(&list.uri, uri);
    // As long as the settings say.
    assert_eq!(list.ttl, Some(Ttl::from_mins(1)));
    assert_eq!(list.expires_at, Some(list.issued_at + Ttl::from_mins(10)));
    list
}

pub(crate) async fn is_revoked(service: &Service, token: &AccessToken) -> bool {
    let index = token.status.as_ref().unwrap().status_list.idx;
    list(service, token).await.list.is_revoked(index).unwrap()
}

/// Waits for longer than the bound on what is served.
pub(crate) async fn after_the_bound() {
    tokio::time::sleep(Duration::from_millis(1_050)).await;
}

async fn is_active(service: &Service, admin: &Key, presented: &str) -> bool {
    let form = [("token", presented)];
    let reply = service.form("/oauth2/introspect", Some(&admin.basic()), &form).await;
    reply.json()["active"].as_bool().unwrap()
}

pub(crate) fn grant() -> Value {
    json!({ "subject": "alice", "client": "web", "audience": [ORDERS], "scopes": ["read"], "format": "jwt" })
}

pub(crate) async fn issue(service: &Service, admin: &Key, body: Value) -> (String, AccessToken) {
    let reply = service.post("/v1/tokens", admin, body).await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    let jwt = text(&reply, "bearer");
    let token = checked(service, &jwt).await;
    (jwt, token)
}

#[tokio::test]
async fn client_credentials_give_a_jwt_for_an_audience_that_takes_them() {
    let service = start().await;
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("read write");
    let grant = grant.audience(ORDERS).audience("shop");
    let key = service.key_of(grant).await;
    let ask = |resource: &'static [(&'static str, &'static str)]| {
        let (service, key) = (&service, &key);
        async move {
            let form = [&[("grant_type", "client_credentials")], resource].concat();
            service.form("/oauth2/token", Some(&key.basic()), &form).await
        }
    };
    let reply = ask(&[("resource", ORDERS), ("scope", "read")]).await;
    let token = checked(&service, &text(&reply, "access_token")).await;
    assert_eq!((&*token.sub, &*token.client_id), ("app", "app"));
    assert_eq!((token.scope.as_deref(), token.exp - token.iat), (Some("read"), 900));
    assert!(reply.json()["expires_in"].as_u64().is_some_and(|secs| secs <= 900));
    let opaque = ask(&[("audience", "shop")]).await;
    assert!(text(&opaque, "access_token").starts_with("fob_at_"));
    for wrong in [
        &[("resource", ORDERS), ("audience", "shop")][..],
        &[],
        &[("resource", "orders")],
        &[("resource", "https://orders.example#a")],
        &[("resource", "https://bank.example")],
    ] {
        assert_eq!(ask(wrong).await.error(), (400, "invalid_target".into()), "{wrong:?}");
    }
    // With the key ends what was derived from it.
    assert!(!is_revoked(&service, &token).await);
    let id = service.manager.validate_active(&*key.bearer).await.unwrap().id;
    service.manager.revoke(id, "stolen").await.unwrap();
    after_the_bound().await;
    assert!(is_revoked(&service, &token).await);
}

#[tokio::test]
async fn a_token_is_exchanged_for_a_jwt() {
    let service = start().await;
    let key = service.key_of(Grant::new(Kind::ApiKey).client("shop").audience("shop")).await;
    let session = Grant::new(Kind::Session).subject("alice").client("web").scopes("read write");
    let session = service.bearer(session.audience("shop").audience("stock")).await;
    let ask = |kind: &'static str, subject: String| {
        let (service, key) = (&service, &key);
        async move {
            let form = [
                ("grant_type", EXCHANGE),
                ("subject_token", &*subject),
                ("subject_token_type", ACCESS_TOKEN),
                ("requested_token_type", kind),
                ("audience", "shop"),
            ];
            service.form("/oauth2/token", Some(&key.basic()), &form).await
        }
    };
    let reply = ask(JWT, session.clone()).await;
    assert_eq!(text(&reply, "issued_token_type"), JWT);
    let jwt = text(&reply, "access_token");
    let (token, keys) = (jwt.clone(), keys(&service).await);
    let (token, _) = access_token::open(&token, &keys).unwrap();
    assert_eq!(token.act, Some(json!({ "sub": "shop" })));
    assert_eq!(token.sub, "alice");
    // A JWT may be exchanged like any other token.
    let reply = ask(ACCESS_TOKEN, jwt).await;
    assert_eq!(text(&reply, "issued_token_type"), ACCESS_TOKEN);
    assert!(text(&reply, "access_token").starts_with("fob_at_"));
}

#[tokio::test]
async fn the_service_takes_its_own_jwts_wherever_it_takes_bearers() {
    let service = start().await;
    let admin = service.admin().await;
    let (jwt, token) = issue(&service, &admin, grant()).await;
    assert!(is_active(&service, &admin, &jwt).await);
    let bearer = format!("Bearer {jwt}");
    assert_eq!(service.get("/authz?scope=read", Some(&bearer)).await.status, 200);
    assert_eq!(service.get("/authz?scope=write", Some(&bearer)).await.status, 403);
    let reply = service.post("/v1/validate", &admin, json!({ "token": jwt })).await;
    assert_eq!(reply.json()["token"]["id"], token.jti);
    let place = token.status.unwrap().status_list;
    assert_eq!(reply.json()["token"]["jwt"]["index"], place.idx);
    let reply =
        service.post("/v1/explain", &admin, json!({ "token": jwt, "scopes": ["write"] })).await;
    assert_eq!(reply.json()["refusals"][0]["code"], "insufficient_scope", "{}", reply.json());
    let reply = service.get_as("/v1/tokens?filter=subject:alice", &admin).await;
    assert_eq!(reply.json()["tokens"][0]["id"], token.jti);

    let (leaked, _) = issue(&service, &admin, grant()).await;
    let reply = service.post("/v1/leaks", &admin, json!({ "tokens": [leaked] })).await;
    assert_eq!(reply.json()[0]["outcome"], "revoked", "{}", reply.json());
    assert!(!is_active(&service, &admin, &leaked).await);

    let form = [("token", &*jwt)];
    assert_eq!(service.form("/oauth2/revoke", Some(&admin.basic()), &form).await.status, 200);
    assert!(!is_active(&service, &admin, &jwt).await);
    assert_eq!(service.get("/authz", Some(&bearer)).await.status, 401);
}

#[tokio::test]
async fn every_way_to_revoke_is_in_the_list_within_its_bound() {
    let service = start().await;
    let admin = service.admin().await;
    let manager = service.manager.clone();
    let because = || RevokeRequest::reason("test");
    let of = |client: &str, subject: &str| json!({ "subject": subject, "client": client, "audience": [ORDERS], "format": "jwt" });
    let (_, single) = issue(&service, &admin, of("a", "s1")).await;
    let (_, by_subject) = issue(&service, &admin, of("a", "s2")).await;
    let (_, by_client) = issue(&service, &admin, of("b", "s3")).await;
    let (_, by_all) = issue(&service, &admin, of("c", "s4")).await;
    let all = [&single, &by_subject, &by_client, &by_all];
    assert_eq!(list(&service, &single).await.list.revoked(), 0);
    let revoked = |count| {
        let (service, single) = (&service, &single);
        async move {
            after_the_bound().await;
            assert_eq!(list(service, single).await.list.revoked(), count);
        }
    };
    manager.revoke(single.jti.parse().unwrap(), because()).await.unwrap();
    revoked(1).await;
    manager.revoke_subject(&"s2".parse().unwrap(), because()).await.unwrap();
    revoked(2).await;
    manager.revoke_client(&"b".parse().unwrap(), because()).await.unwrap();
    revoked(3).await;
    manager.revoke_all(because()).await.unwrap();
    revoked(4).await;
    for token in all {
        assert!(is_revoked(&service, token).await);
    }
}

#[tokio::test]
async fn tokens_and_lists_are_signed_by_the_algorithm_of_the_settings() {
    for algorithm in SigningAlgorithm::ALL {
        let mut settings = settings();
        settings.jwt.algorithm = algorithm;
        let service = Service::with(settings).await;
        let admin = service.admin().await;
        let (jwt, token) = issue(&service, &admin, grant()).await;
        let header = Base64UrlUnpadded::decode_vec(jwt.split('.').next().unwrap()).unwrap();
        let header: Value = serde_json::from_slice(&header).unwrap();
        assert_eq!(header["alg"], algorithm.as_str());
        assert!(!is_revoked(&service, &token).await);
        service.manager.revoke(token.jti.parse().unwrap(), "logout").await.unwrap();
        after_the_bound().await;
        assert!(is_revoked(&service, &token).await);
    }
}

#[tokio::test]
async fn a_list_is_the_same_on_every_server_and_changes_only_when_it_has_to() {
    let store = std::sync::Arc::new(MemoryStore::new().unwrap());
    let node = || Service::over(TokenManager::new(store.clone()), settings());
    let (first, second) = (node().await, node().await);
    let admin = first.admin().await;
    let (_, token) = issue(&first, &admin, grant()).await;
    assert!(!is_revoked(&second, &token).await);
    first.manager.revoke(token.jti.parse().unwrap(), "logout").await.unwrap();
    after_the_bound().await;
    assert!(is_revoked(&first, &token).await && is_revoked(&second, &token).await);

    let uri = token.status.unwrap().status_list.uri;
    let path = uri.strip_prefix(ISSUER).unwrap();
    let reply = first.get(path, None).await;
    assert_eq!(reply.headers["cache-control"], "public, max-age=60");
    let request = http::Request::get(format!("{}{path}", first.url));
    let request = request.header("if-none-match", &reply.headers["etag"]);
    let again = first.send(request.body(Default::default()).unwrap()).await;
    assert_eq!((again.status.as_u16(), again.body.len()), (304, 0));
    for unknown in ["0", "00000000000000000000000000000000", &path[14..45]] {
        let reply = first.get(&format!("/status-lists/{unknown}"), None).await;
        assert_eq!(reply.error(), (404, "unknown_status_list".into()), "{unknown}");
    }
}

#[tokio::test]
async fn a_token_that_others_have_signed_or_changed_is_refused() {
    let service = start().await;
    let admin = service.admin().await;
    let (jwt, token) = issue(&service, &admin, grant()).await;
    let ours = SigningKey::derive(&SEED, SigningAlgorithm::Es256).unwrap();
    let theirs = SigningKey::derive(&[8; 32], SigningAlgorithm::Es256).unwrap();
    assert!(is_active(&service, &admin, &token.sign(&ours).unwrap()).await, "the key is ours");

    let mut other = token.clone();
    other.iss = "https://other.example".into();
    // An opaque token is no JWT, even if the servers themselves sign one for it.
    let opaque = Grant::new(Kind::Access).subject("alice").client("web").audience(ORDERS);
    let opaque = service.manager.issue(opaque).await.unwrap();
    let mut of_opaque = token.clone();
    of_opaque.jti = opaque.token.id.to_string();
    let (head, rest) = jwt.split_once('.').unwrap();
    let (claims, _) = rest.split_once('.').unwrap();
    for (what, forged) in [
        ("another key", token.sign(&theirs).unwrap()),
        ("another type", ours.sign("JWT", &token).unwrap()),
        ("another issuer", other.sign(&ours).unwrap()),
        ("an opaque record", of_opaque.sign(&ours).unwrap()),
        ("no signature", format!("{head}.{claims}.")),
        ("a proof", ours.sign("dpop+jwt", &token).unwrap()),
        ("cut", jwt[..jwt.len() - 1].to_owned()),
        ("more", format!("{jwt}.a")),
    ] {
        assert!(!is_active(&service, &admin, &forged).await, "{what}");
        let reply = service.get("/authz", Some(&format!("Bearer {forged}"))).await;
        assert_eq!(reply.status, 401, "{what}");
    }
}

#[tokio::test]
async fn a_grant_that_cannot_be_a_jwt_is_refused_when_it_is_asked_for() {
    let service = start().await;
    let admin = service.admin().await;
    let cases = [
        (json!({ "ttl": "16m" }), "jwt_lives_too_long"),
        (json!({ "ttl": "never" }), "jwt_lives_too_long"),
        (json!({ "audience": [] }), "not_a_jwt"),
        (json!({ "client": null }), "not_a_jwt"),
        (json!({ "kind": "session" }), "invalid_value"),
        (json!({ "uses": 3 }), "invalid_value"),
        (json!({ "idle": "5m" }), "invalid_value"),
    ];
    for (change, code) in cases {
        let mut body = grant();
        for (name, value) in change.as_object().unwrap() {
            body[name] = value.clone();
        }
        let reply = service.post("/v1/tokens", &admin, body).await;
        assert_eq!(reply.error(), (400, code.into()), "{change}");
    }
    let without = Service::start().await;
    let admin = without.admin().await;
    assert_eq!(without.post("/v1/tokens", &admin, grant()).await.error().1, "no_jwt_keys");
    assert_eq!(without.get("/.well-known/jwks.json", None).await.error().1, "no_jwt_keys");
    assert_eq!(
        without.get("/.well-known/oauth-authorization-server", None).await.json().get("jwks_uri"),
        None
    );
}

#[tokio::test]
async fn a_key_that_is_being_replaced_still_verifies() {
    let store = std::sync::Arc::new(MemoryStore::new().unwrap());
    let with = |seeds: &[(u16, bool)]| {
        let seeds = seeds.iter().map(|(version, is_active)| JwtKeySeed {
            version: *version,
            is_active: *is_active,
            seed: [*version as u8; 32].into(),
        });
        let mut settings = settings();
        settings.jwt.keys = Some(JwtKeys::derive(seeds).unwrap());
        Service::over(TokenManager::new(store.clone()), settings)
    };
    let before = with(&[(1, true), (2, false)]).await;
    let admin = before.admin().await;
    let (jwt, _) = issue(&before, &admin, grant()).await;
    let after = with(&[(1, false), (2, true)]).await;
    assert!(is_active(&after, &admin, &jwt).await);
    let (newer, _) = issue(&after, &admin, grant()).await;
    // Who has the older set knows the newer key already.
    checked(&before, &newer).await;
    assert!(is_active(&before, &admin, &newer).await);
    let retired = with(&[(2, true)]).await;
    assert!(!is_active(&retired, &admin, &jwt).await);
    assert!(is_active(&retired, &admin, &newer).await);
}
