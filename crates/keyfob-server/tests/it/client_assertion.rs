//! Clients that sign with a key of their own (`private_key_jwt`, RFC 7523).

use std::cell::Cell;
use std::sync::Arc;

use keyfob::token::ClientKey;
use keyfob::{
    Grant, Kind, LimitBy, LimitPolicy, Limits, LocalLimits, MemoryStore, TokenId, TokenManager, Ttl,
};
use keyfob_jwt::client_assertion::ASSERTION_TYPE;
use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
use keyfob_server::Settings;
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::fresh_namespace;
use serde_json::{Value, json};

use crate::support::{Reply, Service, manager_on_redis};

pub(crate) const TOKEN: &str = "/oauth2/token";
pub(crate) const INTROSPECT: &str = "/oauth2/introspect";
const REVOKE: &str = "/oauth2/revoke";
const ISSUER: &str = "https://auth.example";
pub(crate) const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

pub(crate) fn settings() -> Settings {
    Settings::new().issuer(ISSUER.parse().unwrap())
}

async fn over(store: Arc<MemoryStore>, limits: &Limits) -> Service {
    let manager = TokenManager::builder(store).limits(limits.clone()).build();
    Service::over(manager, settings()).await
}

fn limits() -> Limits {
    Limits::new(LocalLimits::new())
}

pub(crate) async fn start() -> Service {
    over(Arc::new(MemoryStore::new().unwrap()), &limits()).await
}

/// A client with a key, as a server knows it.
pub(crate) struct Client {
    pub(crate) key: SigningKey,
    pub(crate) id: TokenId,
    pub(crate) made: Cell<u32>,
}

impl Client {
    /// Registers the key of a client.
    async fn new(manager: &TokenManager, seed: u8, grant: Grant) -> Self {
        let key = SigningKey::derive(&[seed; 32], SigningAlgorithm::Es256).unwrap();
        let public = ClientKey::from_json(&serde_json::to_string(key.public()).unwrap()).unwrap();
        let id = manager.issue(grant.client_key(public)).await.unwrap().token.id;
        Self { key, id, made: Cell::default() }
    }

    pub(crate) async fn shop(service: &Service, seed: u8) -> Self {
        let grant = Grant::new(Kind::ApiKey).client("shop").scopes("read keyfob:introspect");
        Self::new(&service.manager, seed, grant).await
    }

    pub(crate) fn claims(&self, now: u64) -> Value {
        self.made.set(self.made.get() + 1);
        let jti = self.made.get().to_string();
        json!({ "iss": "shop", "sub": "shop", "aud": ISSUER, "jti": jti, "iat": now, "exp": now + 60 })
    }

    fn sign(&self, claims: &Value) -> String {
        self.sign_as(&json!({ "alg": "ES256", "kid": self.id.to_string() }), claims)
    }

    pub(crate) fn sign_as(&self, header: &Value, claims: &Value) -> String {
        let (header, claims) = (header.to_string(), claims.to_string());
        self.key.sign_compact(header.as_bytes(), claims.as_bytes()).unwrap()
    }

    pub(crate) fn assertion(&self, service: &Service) -> String {
        self.sign(&self.claims(service.manager.now().as_secs()))
    }
}

pub(crate) async fn ask(
    service: &Service,
    path: &str,
    assertion: &str,
    form: &[(&str, &str)],
) -> Reply {
    let credentials = [("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)];
    service.form(path, None, &[&credentials[..], form].concat()).await
}

pub(crate) async fn authenticates(service: &Service, client: &Client) -> bool {
    ask(service, TOKEN, &client.assertion(service), &CREDENTIALS).await.status == 200
}

pub(crate) fn text(reply: &Reply, member: &str) -> String {
    reply.json()[member].as_str().unwrap_or_else(|| panic!("{}", reply.json())).to_owned()
}

/// The error and the code of a refusal.
fn refusal(reply: &Reply) -> (u16, String, String) {
    let json = reply.json();
    let description = json["error_description"].as_str().unwrap_or_default();
    let code = description.split(':').next().unwrap_or_default();
    (reply.status.as_u16(), text(reply, "error"), code.to_owned())
}

fn invalid_client(code: &str) -> (u16, String, String) {
    (401, "invalid_client".to_owned(), code.to_owned())
}

/// Two servers that share nothing but a Redis.
#[tokio::test]
async fn servers_of_one_redis_take_an_assertion_once_and_refuse_a_revoked_key_in_time() {
    let namespace = fresh_namespace();
    let server = async || {
        let manager = manager_on_redis(&namespace).await;
        Service::over(manager, settings()).await
    };
    let (first, second) = (server().await, server().await);
    let client = Client::shop(&first, 1).await;
    for _ in 0..8 {
        let assertion = client.assertion(&first);
        assert_eq!(ask(&first, TOKEN, &assertion, &CREDENTIALS).await.status, 200);
        let reply = ask(&second, TOKEN, &assertion, &CREDENTIALS).await;
        assert_eq!(refusal(&reply), invalid_client("assertion_used"));
        assert!(authenticates(&second, &client).await);
    }
    first.manager.revoke(client.id, "stolen").await.unwrap();
    tokio::time::sleep(first.manager.max_staleness()).await;
    assert!(!authenticates(&second, &client).await && !authenticates(&first, &client).await);
}

#[tokio::test]
async fn a_client_that_signs_does_all_that_one_with_a_secret_does() {
    let service = start().await;
    let client = Client::shop(&service, 1).await;
    let by = async |path: &str, form: &[(&str, &str)]| {
        ask(&service, path, &client.assertion(&service), form).await
    };
    // The access token is no more bound than that of a client with a secret.
    let reply = by(TOKEN, &CREDENTIALS).await;
    assert_eq!(
        (text(&reply, "token_type"), text(&reply, "scope")),
        ("Bearer".into(), "read".into())
    );
    let access = text(&reply, "access_token");
    let token = service.manager.validate_active(&*access).await.unwrap();
    assert_eq!(
        (token.client.as_ref().unwrap().as_str(), token.ancestors),
        ("shop", vec![client.id])
    );
    assert_eq!(token.claims.registered.client_key, None);

    let grant = Grant::new(Kind::Refresh).subject("alice").client("shop").scope("read");
    let refresh = service.bearer(grant).await;
    let form =
        [("grant_type", "refresh_token"), ("refresh_token", &*refresh), ("client_id", "shop")];
    let refreshed = by(TOKEN, &form).await;
    let refreshed = text(&refreshed, "access_token");
    assert_eq!(by(INTROSPECT, &[("token", &refreshed)]).await.json()["sub"], "alice");
    assert_eq!(by(REVOKE, &[("token", &refreshed)]).await.status, 200);
    let reply = by(INTROSPECT, &[("token", &refreshed)]).await;
    assert_eq!(reply.json(), json!({ "active": false }));

    // Who did it is recorded by name.
    let revoked: TokenId =
        keyfob::BearerToken::parse(&refreshed, service.manager.prefix()).unwrap().id();
    let history = service.manager.history(revoked).await.unwrap();
    assert_eq!(history.last().unwrap().by.as_ref().unwrap().as_str(), "shop");

    // A token that manages the service has to be asked for, as with a secret. Then it opens `/v1`.
    let form = [CREDENTIALS[0], ("scope", "keyfob:introspect")];
    let bearer = text(&by(TOKEN, &form).await, "access_token");
    let caller = service.get("/v1/caller", Some(&format!("Bearer {bearer}"))).await;
    assert_eq!(caller.json()["client"], "shop");
}

#[tokio::test]
async fn every_assertion_that_is_not_for_this_server_and_client_is_refused() {
    let service = start().await;
    let client = Client::shop(&service, 1).await;
    let now = service.manager.now().as_secs();
    let endpoint = format!("{ISSUER}{TOKEN}");
    let with = |name: &str, value: Value| {
        let mut claims = client.claims(now);
        claims[name] = value;
        client.sign(&claims)
    };
    let accepted = ask(&service, TOKEN, &with("aud", json!(endpoint)), &CREDENTIALS).await;
    assert_eq!(accepted.status, 200, "{}", accepted.json());
    let header = |name: &str, value: Value| {
        let mut header = json!({ "alg": "ES256", "kid": client.id.to_string() });
        header[name] = value;
        client.sign_as(&header, &client.claims(now))
    };
    let other = Client::new(&service.manager, 2, Grant::new(Kind::ApiKey).client("bank")).await;
    let secret = service.key("shop", "read").await;
    let secret = service.manager.validate_active(&*secret.bearer).await.unwrap().id.to_string();
    let nobody = TokenId::from_bytes([9; 16]).to_string();
    let mut tampered = client.assertion(&service);
    tampered.replace_range(tampered.len() - 8.., "AAAAAAAA");
    for (assertion, code) in [
        ("a.b.c".to_owned(), "assertion_malformed"),
        ("x".repeat(5_000), "assertion_malformed"),
        (header("alg", json!("none")), "assertion_malformed"),
        (header("alg", json!("HS256")), "assertion_malformed"),
        (header("alg", json!("RS256")), "assertion_key"),
        (header("alg", json!("EdDSA")), "assertion_key"),
        (header("typ", json!("dpop+jwt")), "assertion_type"),
        (header("crit", json!(["exp"])), "assertion_critical"),
        (header("kid", json!("key-1")), "assertion_key"),
        (header("kid", json!(nobody)), "assertion_key"),
        // The key of another client, and an API key with a secret.
        (header("kid", json!(other.id.to_string())), "assertion_key"),
        (header("kid", json!(secret)), "assertion_key"),
        (
            other.sign_as(
                &json!({ "alg": "ES256", "kid": client.id.to_string() }),
                &client.claims(now),
            ),
            "assertion_key",
        ),
        (tampered, "assertion_key"),
        (with("iss", json!("bank")), "assertion_client"),
        (with("aud", json!("https://other.example")), "assertion_audience"),
        (with("aud", json!(format!("{ISSUER}{INTROSPECT}"))), "assertion_audience"),
        (with("aud", json!([ISSUER])), "assertion_audience"),
        (with("exp", json!(now - 10)), "assertion_expired"),
        (with("exp", json!(now + 400)), "assertion_lives_too_long"),
        (with("iat", json!(now + 20)), "assertion_in_future"),
        (with("nbf", json!(now + 20)), "assertion_in_future"),
        (with("jti", json!("")), "assertion_id"),
    ] {
        for path in [TOKEN, INTROSPECT, REVOKE] {
            let reply = ask(&service, path, &assertion, &[CREDENTIALS[0], ("token", "x")]).await;
            assert_eq!(refusal(&reply), invalid_client(code), "{path} {assertion}");
            assert!(reply.headers.contains_key("www-authenticate"));
        }
    }
    let named = [CREDENTIALS[0], ("client_id", "bank")];
    let reply = ask(&service, TOKEN, &client.assertion(&service), &named).await;
    assert_eq!(refusal(&reply), invalid_client("assertion_client"));
    // One way to authenticate, and in a way that is said.
    let assertion = client.assertion(&service);
    let secret = [("client_id", "shop"), ("client_secret", "s"), CREDENTIALS[0]];
    assert_eq!(ask(&service, TOKEN, &assertion, &secret).await.error().1, "invalid_request");
    let form = [CREDENTIALS[0], ("client_assertion", &*assertion)];
    assert_eq!(service.form(TOKEN, None, &form).await.error(), (400, "invalid_request".into()));
    assert_eq!(ask(&service, TOKEN, &assertion, &CREDENTIALS).await.status, 200);
}

#[tokio::test]
async fn an_assertion_counts_once_for_all_servers_and_ends_of_itself() {
    let (store, limits) = (Arc::new(MemoryStore::new().unwrap()), limits());
    let (first, second) = (over(store.clone(), &limits).await, over(store, &limits).await);
    let client = Client::shop(&first, 1).await;
    let assertion = client.assertion(&first);
    assert_eq!(ask(&first, TOKEN, &assertion, &CREDENTIALS).await.status, 200);
    for (service, path) in [(&first, TOKEN), (&second, TOKEN), (&second, INTROSPECT)] {
        let reply = ask(service, path, &assertion, &[CREDENTIALS[0], ("token", "x")]).await;
        assert_eq!(refusal(&reply), invalid_client("assertion_used"));
    }
    // One that was made before the process began may have been used before.
    let mut claims = client.claims(first.manager.now().as_secs());
    claims["iat"] = (first.manager.now().as_secs() - 100).into();
    let reply = ask(&first, TOKEN, &client.sign(&claims), &CREDENTIALS).await;
    assert_eq!(refusal(&reply), invalid_client("assertion_used"));
    // A request that is refused for something else has used the assertion up too.
    let assertion = client.assertion(&first);
    let form = [CREDENTIALS[0], ("scope", "write")];
    assert_eq!(ask(&first, TOKEN, &assertion, &form).await.error().1, "invalid_scope");
    assert_eq!(ask(&first, TOKEN, &assertion, &form).await.error().1, "invalid_client");
}

#[tokio::test]
async fn keys_are_replaced_with_an_overlap_and_a_revoked_one_is_refused() {
    let (store, limits) = (Arc::new(MemoryStore::new().unwrap()), limits());
    let (first, second) = (over(store.clone(), &limits).await, over(store, &limits).await);
    let older = Client::shop(&first, 1).await;
    assert!(authenticates(&first, &older).await && authenticates(&second, &older).await);
    let newer = Client::shop(&second, 2).await;
    for service in [&first, &second] {
        assert!(authenticates(service, &older).await && authenticates(service, &newer).await);
    }
    // Both are the same client: what was issued to it stays its own.
    let refresh = first.bearer(Grant::new(Kind::Refresh).subject("alice").client("shop")).await;
    first.manager.revoke(older.id, "replaced").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    for service in [&first, &second] {
        let reply = ask(service, TOKEN, &older.assertion(service), &CREDENTIALS).await;
        assert_eq!(reply.error(), (401, "invalid_client".into()));
        assert!(authenticates(service, &newer).await);
    }
    let form = [("grant_type", "refresh_token"), ("refresh_token", &*refresh)];
    let refreshed = ask(&first, TOKEN, &newer.assertion(&first), &form).await;
    assert_eq!(refreshed.status, 200);
    // A key that has ended is refused too, and so is one that a server sees for the first time.
    let grant = Grant::new(Kind::ApiKey).client("shop").ttl(Ttl::from_millis(60).unwrap());
    let short = Client::new(&first.manager, 3, grant).await;
    tokio::time::sleep(std::time::Duration::from_millis(80)).await;
    assert!(!authenticates(&first, &short).await);
    let third = Client::shop(&first, 4).await;
    first.manager.revoke_client(&"shop".parse().unwrap(), "left").await.unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert!(!authenticates(&second, &third).await && !authenticates(&second, &newer).await);
}

#[tokio::test]
async fn assertions_are_counted_by_what_became_of_them() {
    let recorder = MemoryRecorder::default();
    let service = {
        let _here = metrics::set_default_local_recorder(&recorder);
        start().await
    };
    let client = Client::shop(&service, 1).await;
    let thief = SigningKey::derive(&[9; 32], SigningAlgorithm::Es256).unwrap();
    let thief = Client { key: thief, id: client.id, made: Cell::default() };
    let assertion = client.assertion(&service);
    for text in [&assertion, &assertion, &thief.assertion(&service), "a.b.c"] {
        ask(&service, TOKEN, text, &CREDENTIALS).await;
    }
    const NAME: &str = "keyfob_client_assertions_total";
    for outcome in ["accepted", "assertion_used", "assertion_key", "assertion_malformed"] {
        assert_eq!(recorder.value(NAME, [outcome]), 1.0, "{outcome}");
    }
    assert_eq!(recorder.sum(NAME), 4.0);
}

#[tokio::test]
async fn wrong_assertions_are_failed_attempts() {
    let attempts = LimitPolicy::new("attempts", LimitBy::FailedAttempts, "2/1h".parse().unwrap());
    let limits = limits().policy(attempts.unwrap()).unwrap();
    let service = over(Arc::new(MemoryStore::new().unwrap()), &limits).await;
    let client = Client::shop(&service, 1).await;
    let thief = SigningKey::derive(&[9; 32], SigningAlgorithm::Es256).unwrap();
    let thief = Client { key: thief, id: client.id, made: Cell::default() };
    assert!(authenticates(&service, &client).await);
    for _ in 0..2 {
        let reply = ask(&service, TOKEN, &thief.assertion(&service), &CREDENTIALS).await;
        assert_eq!(refusal(&reply), invalid_client("assertion_key"));
    }
    for client in [&thief, &client] {
        let reply = ask(&service, TOKEN, &client.assertion(&service), &CREDENTIALS).await;
        assert_eq!(reply.error(), (429, "temporarily_unavailable".into()));
        assert!(reply.headers.contains_key("retry-after"));
    }
}
