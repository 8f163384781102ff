//! Proofs of possession (RFC 9449): at the token endpoint, at `/authz`, and in `/v1/validate`.

use axum::body::Bytes;
use http::Request;
use http_body_util::Full;
use keyfob::{Grant, Kind, Limits, LocalLimits, MemoryStore, Metrics, Presentation, TokenManager};
use keyfob_jwt::dpop::{ProofKey, ProofRequest};
use keyfob_server::{DpopSettings, Settings};
use keyfob_testkit::recorder::MemoryRecorder;
use keyfob_testkit::redis::fresh_namespace;
use serde_json::{Value, json};

use crate::support::{FORM, Key, Reply, Service, manager_on_redis};

const TOKEN: &str = "/oauth2/token";
pub(crate) const ISSUER: &str = "https://auth.example";
pub(crate) const EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";
pub(crate) const ACCESS_TOKEN: &str = "urn:ietf:params:oauth:token-type:access_token";

/// A service whose manager remembers used proofs.
pub(crate) async fn service(settings: Settings) -> Service {
    counted(settings, Metrics::none()).await
}

async fn counted(settings: Settings, metrics: Metrics) -> Service {
    let limits = Limits::new(LocalLimits::new());
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits);
    let manager = manager.metrics(metrics).build();
    Service::over(manager, settings.issuer(ISSUER.parse().unwrap())).await
}

/// A client with a key.
pub(crate) struct Client<'a> {
    service: &'a Service,
    pub(crate) key: ProofKey,
    proofs: std::cell::Cell<u32>,
}

impl<'a> Client<'a> {
    pub(crate) fn new(service: &'a Service) -> Self {
        let key = ProofKey::generate().unwrap();
        Self { service, key, proofs: Default::default() }
    }

    /// A new proof for a request.
    pub(crate) fn proof(
        &self,
        method: &str,
        uri: &str,
        token: Option<&str>,
        nonce: Option<&str>,
    ) -> String {
        self.proofs.set(self.proofs.get() + 1);
        let uri = uri.parse().unwrap();
        let request = ProofRequest { method, uri: &uri, access_token: token };
        let jti = self.proofs.get().to_string();
        self.key.sign(&request, &jti, nonce, self.service.manager.now()).unwrap()
    }

    fn token_proof(&self, nonce: Option<&str>) -> String {
        self.proof("POST", &format!("{ISSUER}{TOKEN}"), None, nonce)
    }

    /// Asks the token endpoint, with a proof.
    pub(crate) async fn ask(&self, caller: Option<&Key>, form: &[(&str, &str)]) -> Reply {
        send(self.service, caller, form, &[&self.token_proof(None)]).await
    }

    /// Whether the key opens a token.
    async fn opens(&self, bearer: &str) -> bool {
        let key = self.key.confirmation();
        let presented = Presentation::new(bearer).confirmation(&key);
        self.service.manager.validate_active(presented).await.is_ok()
    }
}

pub(crate) async fn send(
    service: &Service,
    caller: Option<&Key>,
    form: &[(&str, &str)],
    proofs: &[&str],
) -> Reply {
    let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    let mut request = Request::post(format!("{}{TOKEN}", service.url)).header("content-type", FORM);
    if let Some(key) = caller {
        request = request.header("authorization", key.basic());
    }
    for proof in proofs {
        request = request.header("dpop", *proof);
    }
    service.send(request.body(Full::new(Bytes::from(body))).unwrap()).await
}

pub(crate) fn text(reply: &Reply, member: &str) -> String {
    reply.json()[member].as_str().unwrap_or_else(|| panic!("{}", reply.json())).to_owned()
}

pub(crate) const CREDENTIALS: [(&str, &str); 1] = [("grant_type", "client_credentials")];

#[tokio::test]
async fn an_access_token_of_a_client_with_a_proof_is_bound_to_its_key() {
    let service = service(Settings::new()).await;
    let caller = service.key("app", "read").await;
    let client = Client::new(&service);
    let reply = client.ask(Some(&caller), &CREDENTIALS).await;
    assert_eq!((reply.status.as_u16(), text(&reply, "token_type")), (200, "DPoP".into()));
    let bearer = text(&reply, "access_token");
    assert!(client.opens(&bearer).await);
    assert!(!Client::new(&service).opens(&bearer).await);
    assert!(service.manager.validate_active(&*bearer).await.is_err(), "stolen");
    // Introspection describes it, and its caller checks the proof (section 6.2).
    let inspector = service.key("gate", "keyfob:introspect").await;
    let described =
        service.form("/oauth2/introspect", Some(&inspector.basic()), &[("token", &bearer)]).await;
    let described = described.json();
    assert_eq!((&described["active"], &described["token_type"]), (&json!(true), &json!("DPoP")));
    let key = client.key.confirmation();
    assert_eq!(described["cnf"], json!({ "jkt": key.thumbprint().as_str() }));
    // Without a proof nothing is bound.
    let reply = send(&service, Some(&caller), &CREDENTIALS, &[]).await;
    assert_eq!(text(&reply, "token_type"), "Bearer");
}

#[tokio::test]
async fn a_proof_that_does_not_count_gives_no_token() {
    let service = service(Settings::new()).await;
    let caller = service.key("app", "read").await;
    let client = Client::new(&service);
    let good = client.token_proof(None);
    let used = client.token_proof(None);
    assert_eq!(send(&service, Some(&caller), &CREDENTIALS, &[&used]).await.status, 200);
    let elsewhere = client.proof("POST", "https://evil.example/oauth2/token", None, None);
    let here = client.proof("POST", &format!("{}{TOKEN}", service.url), None, None);
    let get = client.proof("GET", &format!("{ISSUER}{TOKEN}"), None, None);
    for proofs in [&[&*used][..], &[&elsewhere], &[&here], &[&get], &["x"], &[&good, &good]] {
        let reply = send(&service, Some(&caller), &CREDENTIALS, proofs).await;
        assert_eq!(reply.error(), (400, "invalid_dpop_proof".into()), "{proofs:?}");
    }
    assert_eq!(send(&service, Some(&caller), &CREDENTIALS, &[&good]).await.status, 200);
}

#[tokio::test]
async fn a_refresh_token_of_a_public_client_is_bound_at_its_first_proof() {
    let service = service(Settings::new().public_client("spa".parse().unwrap())).await;
    let client = Client::new(&service);
    let first = service.bearer(Grant::new(Kind::Refresh).subject("alice").client("spa")).await;
    let form = |bearer: &str| {
        [("grant_type", "refresh_token"), ("refresh_token", bearer), ("client_id", "spa")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
    };
    let ask = async |who: &Client<'_>, bearer: &str| {
        let form = form(bearer);
        let pairs: Vec<_> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
        who.ask(None, &pairs).await
    };
    let reply = ask(&client, &first).await;
    assert_eq!((reply.status.as_u16(), text(&reply, "token_type")), (200, "DPoP".into()));
    assert!(client.opens(&text(&reply, "access_token")).await);
    let again = ask(&client, &first).await;
    assert_eq!(text(&again, "refresh_token"), text(&reply, "refresh_token"));
    let next = text(&reply, "refresh_token");
    // Anyone who steals the next one has nothing, with or without a key of their own.
    let thief = ask(&Client::new(&service), &next).await;
    assert_eq!(thief.error(), (400, "invalid_grant".into()));
    let form = form(&next);
    let pairs: Vec<_> = form.iter().map(|(name, value)| (&**name, &**value)).collect();
    let without = send(&service, None, &pairs, &[]).await;
    assert_eq!(without.error(), (400, "invalid_grant".into()));
    assert_eq!(ask(&client, &next).await.status, 200);
}

#[tokio::test]
async fn a_client_that_authenticates_may_prove_another_key_at_each_refresh() {
    let service = service(Settings::new()).await;
    let caller = service.key("app", "").await;
    let first = service.bearer(Grant::new(Kind::Refresh).subject("alice").client("app")).await;
    let mut bearer = first;
    for _ in 0..2 {
        let client = Client::new(&service);
        let form = [("grant_type", "refresh_token"), ("refresh_token", &*bearer)];
        let reply = client.ask(Some(&caller), &form).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        assert!(client.opens(&text(&reply, "access_token")).await);
        bearer = text(&reply, "refresh_token");
    }
}

#[tokio::test]
async fn a_bound_token_is_exchanged_only_with_a_proof_of_its_key() {
    let service = service(Settings::new()).await;
    let caller = service.key("app", "").await;
    let client = Client::new(&service);
    let grant = Grant::new(Kind::Access).subject("alice").client("app").scope("read");
    let bearer = service.bearer(grant.confirmation(client.key.confirmation())).await;
    let form = [
        ("grant_type", EXCHANGE),
        ("subject_token", &*bearer),
        ("subject_token_type", ACCESS_TOKEN),
    ];
    let stolen = send(&service, Some(&caller), &form, &[]).await;
    assert_eq!(stolen.error(), (400, "invalid_request".into()));
    let by_thief = Client::new(&service).ask(Some(&caller), &form).await;
    assert_eq!(by_thief.error(), (400, "invalid_request".into()));
    let reply = client.ask(Some(&caller), &form).await;
    assert_eq!((reply.status.as_u16(), text(&reply, "token_type")), (200, "DPoP".into()));
    assert!(client.opens(&text(&reply, "access_token")).await);
}

#[tokio::test]
async fn a_nonce_that_is_demanded_is_sent_and_then_renewed() {
    let dpop = DpopSettings { needs_nonce: true, ..DpopSettings::default() };
    let service = service(Settings::new().dpop(dpop)).await;
    let caller = service.key("app", "read").await;
    let client = Client::new(&service);
    let reply = client.ask(Some(&caller), &CREDENTIALS).await;
    assert_eq!(reply.error(), (400, "use_dpop_nonce".into()));
    let nonce = reply.headers["dpop-nonce"].to_str().unwrap().to_owned();
    let proof = client.token_proof(Some(&nonce));
    let reply = send(&service, Some(&caller), &CREDENTIALS, &[&proof]).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["dpop-nonce"], *nonce);
    let forged = client.token_proof(Some("AAAAAAAAAAAAAAAAAAAAAA"));
    let reply = send(&service, Some(&caller), &CREDENTIALS, &[&forged]).await;
    assert_eq!(reply.error(), (400, "use_dpop_nonce".into()));
}

/// Two servers that share nothing but a Redis.
#[tokio::test]
async fn servers_of_one_redis_take_a_proof_once_and_the_nonces_of_each_other() {
    let namespace = fresh_namespace();
    let server = async || {
        let manager = manager_on_redis(&namespace).await;
        let dpop = DpopSettings { needs_nonce: true, ..DpopSettings::default() };
        Service::over(manager, Settings::new().issuer(ISSUER.parse().unwrap()).dpop(dpop)).await
    };
    let (first, second) = (server().await, server().await);
    let caller = first.key("app", "read").await;
    let client = Client::new(&first);
    for round in 0..8 {
        let (here, there) = if round % 2 == 0 { (&first, &second) } else { (&second, &first) };
        let reply = send(here, Some(&caller), &CREDENTIALS, &[&client.token_proof(None)]).await;
        assert_eq!(reply.error(), (400, "use_dpop_nonce".into()));
        let nonce = reply.headers["dpop-nonce"].to_str().unwrap().to_owned();
        let proof = client.token_proof(Some(&nonce));
        let reply = send(there, Some(&caller), &CREDENTIALS, &[&proof]).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        for server in [here, there] {
            let reply = send(server, Some(&caller), &CREDENTIALS, &[&proof]).await;
            assert_eq!(reply.error(), (400, "invalid_dpop_proof".into()));
        }
    }
}

/// Asks `/authz`, as a gateway whose client asks for `GET https://shop.example/orders`.
pub(crate) async fn authz(service: &Service, headers: &[(&str, &str)]) -> Reply {
    let mut request = Request::get(format!("{}/authz", service.url));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    service.send(request.body(Full::default()).unwrap()).await
}

#[tokio::test]
async fn a_gateway_passes_a_bound_token_with_a_proof_for_the_request_that_it_describes() {
    let service = service(Settings::new()).await;
    let client = Client::new(&service);
    let grant = Grant::new(Kind::Access).subject("alice");
    let bearer = service.bearer(grant.confirmation(client.key.confirmation())).await;
    let uri = "https://shop.example/orders";
    let authorization = format!("DPoP {bearer}");
    let nginx =
        [("x-original-method", "GET"), ("x-original-url", "https://shop.example/orders?a=b")];
    let traefik = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "shop.example"),
        ("x-forwarded-uri", "/orders?a=b"),
    ];
    let with = |described: &[(&'static str, &'static str)]| {
        let proof = client.proof("GET", uri, Some(&bearer), None);
        let own = [("authorization", authorization.clone()), ("dpop", proof)];
        let described = described.iter().map(|(name, value)| (*name, (*value).to_owned()));
        own.into_iter().chain(described).collect::<Vec<_>>()
    };
    let ask = async |headers: &[(&'static str, String)]| {
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, &**value)).collect();
        authz(&service, &headers).await
    };
    for described in [&nginx[..], &traefik] {
        let headers = with(described);
        let reply = ask(&headers).await;
        assert_eq!(
            (reply.status.as_u16(), &reply.headers["x-token-subject"]),
            (200, &"alice".parse().unwrap())
        );
        assert_eq!(ask(&headers).await.error(), (401, "invalid_dpop_proof".into()), "used");
    }
    // What the gateway does not say, and what a client adds to it, lets nothing through.
    let contradictions = [
        vec![],
        vec![nginx[0]],
        vec![nginx[1]],
        [&nginx[..], &[("x-forwarded-method", "POST")]].concat(),
        [&traefik[..], &[("x-original-url", "https://shop.example/other")]].concat(),
        [&traefik[..], &[("x-original-url", "nonsense")]].concat(),
        [&nginx[..], &[("x-original-method", "GET")]].concat(),
    ];
    for described in contradictions {
        let reply = ask(&with(&described)).await;
        assert_eq!(reply.error(), (401, "invalid_dpop_proof".into()), "{described:?}");
    }
    // The token alone is worth nothing.
    let stolen = authz(&service, &[("authorization", &format!("Bearer {bearer}"))]).await;
    assert_eq!(stolen.error(), (401, "invalid_token".into()));
    let challenges: Vec<_> = stolen.headers.get_all("www-authenticate").iter().collect();
    assert!(
        challenges.iter().any(|value| value.as_bytes().starts_with(b"DPoP ")),
        "{challenges:?}"
    );
}

#[tokio::test]
async fn a_service_hands_over_the_proof_that_it_got() {
    let service = service(Settings::new()).await;
    let caller = service.key("gate", "keyfob:introspect").await;
    let client = Client::new(&service);
    let grant = Grant::new(Kind::Access).subject("alice").confirmation(client.key.confirmation());
    let bearer = service.bearer(grant).await;
    let free = service.bearer(Grant::new(Kind::Access)).await;
    let url = "https://shop.example/orders";
    let validate = async |token: &str, dpop: Value| -> (bool, String) {
        let body = json!({ "token": token, "dpop": dpop });
        let reply = service.post("/v1/validate", &caller, body).await;
        assert_eq!(reply.status, 200, "{}", reply.json());
        let json = reply.json();
        let code = json["code"].as_str().unwrap_or_default().to_owned();
        (json["ok"].as_bool().unwrap(), code)
    };
    let told = |proof: &str| json!({ "proof": proof, "method": "GET", "url": url });
    let proof = client.proof("GET", url, Some(&bearer), None);
    assert_eq!(validate(&bearer, told(&proof)).await, (true, String::new()));
    assert_eq!(validate(&bearer, told(&proof)).await, (false, "proof_used".into()));
    let other = Client::new(&service).proof("GET", url, Some(&bearer), None);
    assert_eq!(validate(&bearer, told(&other)).await, (false, "confirmation_mismatch".into()));
    let of_free = client.proof("GET", url, Some(&free), None);
    assert_eq!(validate(&free, told(&of_free)).await, (false, "confirmation_mismatch".into()));
    let proof = client.proof("POST", url, Some(&bearer), None);
    assert_eq!(validate(&bearer, told(&proof)).await, (false, "proof_method".into()));
    assert_eq!(validate(&bearer, Value::Null).await, (false, "confirmation_mismatch".into()));
    // A service that has checked the proof itself names the key.
    let cnf = json!({ "jkt": client.key.confirmation().thumbprint().as_str() });
    let body = json!({ "token": bearer, "cnf": cnf });
    assert_eq!(service.post("/v1/validate", &caller, body).await.json()["ok"], true);
    let body = json!({ "token": bearer, "cnf": { "jkt": "another" } });
    let reply = service.post("/v1/validate", &caller, body).await;
    assert_eq!(reply.json()["code"], "confirmation_mismatch");
    let body = json!({ "token": bearer, "cnf": cnf, "dpop": told(&proof) });
    assert_eq!(service.post("/v1/validate", &caller, body).await.error().0, 400);
    let bad = json!({ "proof": proof, "method": "GET", "url": "/orders" });
    let body = json!({ "token": bearer, "dpop": bad });
    assert_eq!(service.post("/v1/validate", &caller, body).await.error().0, 400);
}

#[tokio::test]
async fn a_bound_key_does_not_open_the_service_by_itself() {
    let service = service(Settings::new()).await;
    let client = Client::new(&service);
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("keyfob:admin");
    let stolen = service.key_of(grant.confirmation(client.key.confirmation())).await;
    assert_eq!(service.get_as("/v1/tokens", &stolen).await.status, 401);
    let reply = send(&service, Some(&stolen), &CREDENTIALS, &[]).await;
    assert_eq!(reply.error(), (401, "invalid_client".into()));
}

#[tokio::test]
async fn proofs_are_counted_once_at_every_way_in() {
    let recorder = MemoryRecorder::default();
    let service = counted(Settings::new(), Metrics::on(&recorder)).await;
    let (caller, gate) =
        (service.key("app", "read").await, service.key("gate", "keyfob:introspect").await);
    let client = Client::new(&service);
    let of_token_endpoint = client.token_proof(None);
    let reply = send(&service, Some(&caller), &CREDENTIALS, &[&of_token_endpoint]).await;
    let bearer = text(&reply, "access_token");
    send(&service, Some(&caller), &CREDENTIALS, &[&of_token_endpoint]).await;
    let url = "https://shop.example/orders";
    let authorization = format!("DPoP {bearer}");
    let of_gateway = client.proof("GET", url, Some(&bearer), None);
    let of_service = client.proof("GET", url, Some(&bearer), None);
    for _ in 0..2 {
        let described = [("x-original-method", "GET"), ("x-original-url", url)];
        let presented = [("authorization", &*authorization), ("dpop", &*of_gateway)];
        authz(&service, &[presented, described].concat()).await;
        let dpop = json!({ "proof": of_service, "method": "GET", "url": url });
        service.post("/v1/validate", &gate, json!({ "token": bearer, "dpop": dpop })).await;
    }
    let count = |outcome| recorder.value("keyfob_proofs_total", [outcome]);
    assert_eq!((count("accepted"), count("proof_used")), (3.0, 3.0));
    assert_eq!(recorder.sum("keyfob_proofs_total"), 6.0);
}
