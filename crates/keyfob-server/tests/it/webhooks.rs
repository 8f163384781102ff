//! Webhooks against receivers over sockets: order, failures, addresses, and replicas that end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use http::{HeaderMap, Method, StatusCode};
use keyfob::{Grant, Kind, MemoryStore, RevokeRequest, Timestamp, TokenManager, Ttl};
use keyfob_jwt::jws::Unverified;
use keyfob_jwt::key_set::KeySet;
use keyfob_server::Settings;
use keyfob_server::jwt::{JwtKeySeed, JwtKeys};
use keyfob_webhook::address::AddressPolicy;
use keyfob_webhook::retry::RetryPolicy;
use keyfob_webhook::secret::{Secret, verify};
use keyfob_webhook::set;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};
use serde_json::{Value, json};

use crate::support::{Key, Service};

pub(crate) const ISSUER: &str = "https://tokens.example";

/// What a receiver got.
#[derive(Clone, Debug)]
pub(crate) struct Got {
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Got {
    fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    pub(crate) fn event(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    /// The claims of a security event token, checked as a receiver does: by the keys that the issuer publishes.
    fn claims(&self, keys: &KeySet) -> Value {
        assert_eq!(self.headers["content-type"], "application/secevent+jwt");
        let jwt = Unverified::parse(std::str::from_utf8(&self.body).unwrap()).unwrap();
        let claims: Value = keys.verified(&jwt, "secevent+jwt").unwrap().payload().unwrap();
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!("shop")));
        assert_eq!(claims["jti"], self.id());
        claims
    }

    fn is_signed_by(&self, secret: &Secret) -> bool {
        let at = self.headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        let signature = self.headers["webhook-signature"].to_str().unwrap();
        verify(secret, &self.id(), Timestamp::from_secs(at), &self.body, signature)
    }
}

/// What a receiver answers with a status of 400 (RFC 8935 section 2.3).
const REJECTION: &str = r#"{"err":"invalid_key","description":"no such key"}"#;

type Answer = dyn Fn(&Got, usize) -> u16 + Send + Sync;

/// A receiver. It answers each message as the test wants: by the message, and by how often it came.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    got: Arc<Mutex<Vec<Got>>>,
    answer: Arc<Answer>,
}

impl Receiver {
    pub(crate) async fn start(answer: impl Fn(&Got, usize) -> u16 + Send + Sync + 'static) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hooks", listener.local_addr().unwrap());
        let receiver = Self { url, got: Arc::default(), answer: Arc::new(answer) };
        let app = Router::new().fallback(receive).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    pub(crate) fn all(&self) -> Vec<Got> {
        self.got.lock().unwrap().clone()
    }

    /// Waits until it has got so many messages.
    pub(crate) async fn wait_for_bodies(&self, count: usize) -> Vec<Got> {
        for _ in 0..1_000 {
            let got = self.all();
            if got.len() >= count {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} messages are expected, not {}", self.all().len());
    }

    /// Waits until it has got so many different messages.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Got> {
        for _ in 0..1_000 {
            let got = self.all();
            if got.iter().map(Got::id).collect::<BTreeSet<_>>().len() >= count {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("{count} messages are expected, not {}", self.all().len());
    }
}

async fn receive(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, [(&'static str, &'static str); 1], &'static str) {
    let got = Got { headers, body };
    let mut all = receiver.got.lock().unwrap();
    all.push(got.clone());
    let times = all
        .iter()
        .filter(|before| before.headers.get("webhook-id") == got.headers.get("webhook-id"))
        .count();
    let status = StatusCode::from_u16((receiver.answer)(&got, times)).unwrap();
    (status, [("location", "/elsewhere")], if status == 400 { REJECTION } else { "" })
}

pub(crate) fn settings() -> Settings {
    let mut settings = Settings::new();
    let here = AddressPolicy::allowing(["127.0.0.0/8".parse().unwrap()]);
    settings.webhooks.addresses = here.clone();
    settings.webhooks.stream_addresses = here;
    let first = Ttl::from_millis(40).unwrap();
    settings.webhooks.retry = RetryPolicy { first, max: first, max_attempts: 4 };
    settings.webhooks.lease = Duration::from_millis(900);
    settings.webhooks.timeout = Duration::from_millis(500);
    settings
}

pub(crate) fn manager() -> TokenManager {
    TokenManager::new(MemoryStore::new().unwrap())
}

pub(crate) async fn create(service: &Service, key: &Key, body: Value) -> (String, Secret) {
    let reply = service.json(Method::POST, "/v1/webhooks", key, body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let reply = reply.json();
    let id = reply["webhook"]["id"].as_str().unwrap().to_owned();
    (id, reply["secret"].as_str().unwrap().parse().unwrap())
}

pub(crate) async fn state(service: &Service, key: &Key, id: &str) -> Value {
    service.get(&format!("/v1/webhooks/{id}"), Some(&key.bearer())).await.json()
}

pub(crate) fn session(n: usize) -> Grant {
    Grant::new(Kind::Session).subject(format!("user{n}"))
}

#[tokio::test]
async fn events_are_signed_and_in_order_and_the_position_is_kept() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 204).await;
    let wanted = json!({"url": receiver.url, "types": ["keyfob.token."]});
    let (id, secret) = create(&service, &key, wanted).await;
    let issued = service.manager.issue(session(1)).await.unwrap();
    service.manager.revoke(issued.token.id, RevokeRequest::reason("bye")).await.unwrap();
    let got = receiver.wait_for(2).await;
    let types: Vec<_> = got.iter().map(|got| got.event()["type"].clone()).collect();
    assert_eq!(types, ["keyfob.token.issued", "keyfob.token.revoked"]);
    assert!(got.iter().all(|got| got.is_signed_by(&secret)));
    assert_eq!(got[1].event()["id"], got[1].id());
    // While one secret replaces the other, both sign.
    let path = format!("/v1/webhooks/{id}/rotate");
    let reply = service.json(Method::POST, &path, &key, json!({"overlap": "1h"})).await.json();
    assert_eq!(reply["webhook"]["secrets"], 2);
    let newer: Secret = reply["secret"].as_str().unwrap().parse().unwrap();
    let path = format!("/v1/webhooks/{id}/test");
    let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
    assert_eq!((&reply["delivered"], &reply["status"]), (&json!(true), &json!(204)));
    let test = receiver.wait_for(3).await.pop().unwrap();
    assert_eq!(test.event()["type"], "keyfob.webhook.test");
    assert!(test.is_signed_by(&secret) && test.is_signed_by(&newer));
    // At the end of the overlap the older one stops.
    let path = format!("/v1/webhooks/{id}/rotate");
    let reply = service.json(Method::POST, &path, &key, json!({"overlap": "20ms"})).await.json();
    let newest: Secret = reply["secret"].as_str().unwrap().parse().unwrap();
    tokio::time::sleep(Duration::from_millis(40)).await;
    let path = format!("/v1/webhooks/{id}/test");
    service.json(Method::POST, &path, &key, json!({})).await;
    let test = receiver.wait_for(4).await.pop().unwrap();
    assert!(test.is_signed_by(&newest));
    assert!(!test.is_signed_by(&newer) && !test.is_signed_by(&secret));
    // Nothing shows the secrets again.
    let list = service.get("/v1/webhooks", Some(&key.bearer())).await;
    assert!(!String::from_utf8_lossy(&list.body).contains("whsec_"));
    let latest = service.manager.latest_event().await.unwrap().to_string();
    for _ in 0..200 {
        if state(&service, &key, &id).await["state"]["cursor"] == latest {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let state = state(&service, &key, &id).await;
    assert_eq!(state["state"]["cursor"], latest);
    assert!(state["state"]["delivered_at"].is_string() && state["state"]["last_error"].is_null());
    let reply = service.json(Method::DELETE, &format!("/v1/webhooks/{id}"), &key, json!({})).await;
    assert_eq!(reply.status, 204);
    let reply = service.get(&format!("/v1/webhooks/{id}"), Some(&key.bearer())).await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn a_receiver_that_fails_gets_events_again_and_then_they_are_dead_letters() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let heals = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let healed = Arc::clone(&heals);
    // The first message fails twice, that of one device always, until the receiver is repaired.
    let receiver = Receiver::start(move |got, times| {
        let is_bad = got.event()["data"]["client"] == "bad";
        match (is_bad && !healed.load(std::sync::atomic::Ordering::SeqCst), times) {
            (true, _) => 302,
            (false, 1..=2) => 500,
            _ => 200,
        }
    })
    .await;
    let (id, _) = create(&service, &key, json!({"url": receiver.url})).await;
    let first = service.manager.issue(session(1)).await.unwrap();
    let bad = service.manager.issue(session(2).client("bad")).await.unwrap();
    let after = service.manager.revoke(bad.token.id, RevokeRequest::reason("x")).await;
    after.unwrap();
    let got = receiver.wait_for(3).await;
    let of = |subject: &str| got.iter().filter(|got| got.event()["subject"] == subject).count();
    assert_eq!(of(&first.token.id.to_string()), 3, "twice 500, then 200");
    // A redirect is not followed, and what comes after waits until its predecessor is a dead letter.
    let of_bad: Vec<_> =
        got.iter().filter(|got| got.event()["subject"] == bad.token.id.to_string()).collect();
    let first_revoked = of_bad.iter().position(|got| got.event()["type"] != "keyfob.token.issued");
    assert_eq!(first_revoked, Some(4), "four attempts, then the next event");
    let letters = format!("/v1/webhooks/{id}/dead-letters");
    let reply = service.get(&letters, Some(&key.bearer())).await.json();
    let [letter] = reply["dead_letters"].as_array().unwrap().as_slice() else { panic!("{reply}") };
    assert_eq!(
        (&letter["attempts"], &letter["event"]["data"]["client"]),
        (&json!(4), &json!("bad"))
    );
    assert!(letter["error"].as_str().unwrap().contains("redirects"), "{letter}");
    let path = format!("{letters}/{}/send", letter["id"].as_str().unwrap());
    let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
    assert_eq!((&reply["delivered"], &reply["status"]), (&json!(false), &json!(302)));
    heals.store(true, std::sync::atomic::Ordering::SeqCst);
    let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
    assert_eq!(reply["delivered"], true);
    assert_eq!(service.json(Method::POST, &path, &key, json!({})).await.status, 404);
    let reply = service.get(&letters, Some(&key.bearer())).await.json();
    assert_eq!(reply["dead_letters"], json!([]));
}

/// Waits until a gauge has a value that is wanted.
pub(crate) async fn wait_for_gauge(
    recorder: &PrometheusRecorder,
    name: &str,
    wanted: impl Fn(f64) -> bool,
) {
    let mut found = String::new();
    for _ in 0..500 {
        found = recorder.handle().render();
        let start = format!("{name} ");
        let value = found.lines().find_map(|line| line.strip_prefix(&start)?.parse().ok());
        if value.is_some_and(&wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("{name} in {found}");
}

#[tokio::test]
async fn gauges_say_what_waits() {
    const OLDEST: &str = "keyfob_webhook_oldest_event_age_seconds";
    const DEAD: &str = "keyfob_webhook_dead_letters";
    let mut settings = settings();
    let wait = Ttl::from_millis(400).unwrap();
    settings.webhooks.retry = RetryPolicy { first: wait, max: wait, max_attempts: 4 };
    let recorder = PrometheusBuilder::new().build_recorder();
    let service = {
        let _here = metrics::set_default_local_recorder(&recorder);
        Service::delivering(manager(), settings).await
    };
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 500).await;
    let (id, _) = create(&service, &key, json!({"url": receiver.url})).await;
    service.manager.issue(session(1)).await.unwrap();
    wait_for_gauge(&recorder, OLDEST, |age| age > 0.2 && age < 10.0).await;
    wait_for_gauge(&recorder, DEAD, |count| count == 1.0).await;
    wait_for_gauge(&recorder, OLDEST, |age| age == 0.0).await;
    let letters = format!("/v1/webhooks/{id}/dead-letters");
    let reply = service.get(&letters, Some(&key.bearer())).await.json();
    let letter = format!("{letters}/{}", reply["dead_letters"][0]["id"].as_str().unwrap());
    service.json(Method::DELETE, &letter, &key, json!({})).await;
    wait_for_gauge(&recorder, DEAD, |count| count == 0.0).await;
    // A subscription that is disabled is delivered by nobody.
    service.manager.issue(session(2)).await.unwrap();
    wait_for_gauge(&recorder, DEAD, |count| count == 1.0).await;
    let path = format!("/v1/webhooks/{id}");
    service.json(Method::PATCH, &path, &key, json!({"enabled": false})).await;
    wait_for_gauge(&recorder, DEAD, |count| count == 0.0).await;
}

#[tokio::test]
async fn a_receiver_that_is_gone_disables_its_webhook() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, times| if times == 1 { 410 } else { 200 }).await;
    let (id, _) = create(&service, &key, json!({"url": receiver.url})).await;
    service.manager.issue(session(1)).await.unwrap();
    receiver.wait_for(1).await;
    let mut found = Value::Null;
    for _ in 0..200 {
        found = state(&service, &key, &id).await;
        if found["enabled"] == false {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(found["disabled_because"].as_str().unwrap().contains("410"), "{found}");
    service.manager.issue(session(2)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    assert_eq!(receiver.all().len(), 1);
    // Enabled again, it continues where it was: nothing is left out.
    let path = format!("/v1/webhooks/{id}");
    service.json(Method::PATCH, &path, &key, json!({"enabled": true})).await;
    let got = receiver.wait_for(2).await;
    assert_eq!(got.len(), 3);
}

#[tokio::test]
async fn addresses_that_are_not_public_are_refused_also_behind_a_name() {
    let mut settings = settings();
    settings.webhooks.addresses = AddressPolicy::default();
    let service = Service::delivering(manager(), settings).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 200).await;
    let port = receiver.url.rsplit(':').next().unwrap();
    for host in ["https://127.0.0.1", "https://localhost", "http://[::ffff:127.0.0.1]"] {
        let (id, _) = create(&service, &key, json!({"url": format!("{host}:{port}")})).await;
        let path = format!("/v1/webhooks/{id}/test");
        let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
        let error = reply["error"].as_str().unwrap();
        assert!(error.contains("not allowed"), "{host}: {error}");
    }
    assert_eq!(receiver.all().len(), 0);
    for url in ["ftp://a.example", "https://u@a.example", "https://2130706433/", ""] {
        let reply = service.json(Method::POST, "/v1/webhooks", &key, json!({"url": url})).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()), "{url}");
    }
}

#[tokio::test]
async fn a_receiver_that_is_slow_or_does_not_speak_http_is_an_error_that_says_so() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let test = async |url: String| {
        let (id, _) = create(&service, &key, json!({"url": url})).await;
        let path = format!("/v1/webhooks/{id}/test");
        let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
        reply["error"].as_str().unwrap().to_owned()
    };
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = silent.local_addr().unwrap();
    assert!(test(format!("http://{address}/")).await.contains("no answer within"));
    let plain = Receiver::start(|_, _| 200).await;
    let error = test(plain.url.replace("http://", "https://")).await;
    assert!(error.contains("TLS"), "{error}");
    drop(silent);
    assert!(test(format!("http://{address}/")).await.contains("cannot be reached"));
}

#[tokio::test]
async fn only_a_key_without_audiences_has_webhooks() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::ApiKey).client("ops").scope("keyfob:admin").audience("shop");
    let key = service.key_of(grant).await;
    let reply = service.get("/v1/webhooks", Some(&key.bearer())).await;
    assert_eq!(reply.error(), (403, "confined_to_audiences".into()));
}

pub(crate) fn transmitting() -> Settings {
    let seed = JwtKeySeed { version: 1, is_active: true, seed: [7; 32].into() };
    let mut settings = settings().issuer(ISSUER.parse().unwrap());
    settings.jwt.keys = Some(JwtKeys::derive([seed]).unwrap());
    settings
}

pub(crate) async fn published(service: &Service) -> KeySet {
    KeySet::parse(&service.get("/.well-known/jwks.json", None).await.body).unwrap()
}

#[tokio::test]
async fn revocations_are_pushed_as_security_event_tokens() {
    let service = Service::delivering(manager(), transmitting()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 202).await;
    let wanted = json!({"url": receiver.url, "format": "set", "audience": "shop"});
    let (id, _) = create(&service, &key, wanted).await;
    assert_eq!(state(&service, &key, &id).await["format"], "set");
    let keys = published(&service).await;
    let session = service.manager.issue(session(1)).await.unwrap().token.id;
    let api_key = Grant::new(Kind::ApiKey).client("robot");
    let api_key = service.manager.issue(api_key).await.unwrap().token.id;
    service.manager.revoke(session, RevokeRequest::reason("stolen")).await.unwrap();
    service.manager.revoke(api_key, RevokeRequest::reason("x")).await.unwrap();
    let bye = RevokeRequest::reason("bye");
    service.manager.revoke_subject(&"user1".parse().unwrap(), bye).await.unwrap();
    // Issued tokens are no signals.
    let got = receiver.wait_for(3).await;
    let all: Vec<Value> = got.iter().map(|got| got.claims(&keys)).collect();
    let of = |uri: &str, reason: &str| {
        let has = |claims: &&Value| claims["events"][uri]["reason_admin"]["en"] == reason;
        all.iter().find(has).unwrap_or_else(|| panic!("{uri} {reason}: {all:?}"))
    };
    let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": "user1"});
    let subject = &of(set::SESSION_REVOKED, "stolen")["sub_id"];
    assert_eq!((&subject["session"]["id"], &subject["user"]), (&json!(session), &user));
    assert_eq!(of(set::SESSION_REVOKED, "bye")["sub_id"], user);
    let revoked = of(set::CREDENTIAL_CHANGE, "x");
    assert_eq!(revoked["sub_id"], json!({"format": "opaque", "id": api_key}));
    assert_eq!(revoked["events"][set::CREDENTIAL_CHANGE]["change_type"], "revoke");
    let path = format!("/v1/webhooks/{id}/test");
    let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
    assert_eq!((&reply["delivered"], &reply["status"]), (&json!(true), &json!(202)));
    let test = receiver.wait_for(4).await.pop().unwrap().claims(&keys);
    assert_eq!(test["sub_id"], json!({"format": "opaque", "id": id}));
    assert_eq!(test["events"], json!({set::VERIFICATION: {}}));
}

#[tokio::test]
async fn a_receiver_of_security_event_tokens_that_refuses_says_why() {
    let service = Service::delivering(manager(), transmitting()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let statuses = std::sync::atomic::AtomicU16::new(400);
    let receiver =
        Receiver::start(move |_, _| statuses.swap(200, std::sync::atomic::Ordering::SeqCst)).await;
    let wanted = json!({"url": receiver.url, "format": "set"});
    let (id, _) = create(&service, &key, wanted).await;
    let path = format!("/v1/webhooks/{id}/test");
    for reason in ["400: invalid_key: no such key", "only 202"] {
        let reply = service.json(Method::POST, &path, &key, json!({})).await.json();
        assert_eq!(reply["delivered"], false);
        assert!(reply["error"].as_str().unwrap().contains(reason), "{reply}");
    }
}

#[tokio::test]
async fn security_event_tokens_need_keys_and_an_issuer() {
    let mut without_issuer = transmitting();
    without_issuer.issuer = None;
    let cases = [
        (settings().issuer(ISSUER.parse().unwrap()), "no_jwt_keys"),
        (without_issuer, "no_issuer"),
    ];
    for (settings, code) in cases {
        let service = Service::delivering(manager(), settings).await;
        let key = service.key("ops", "keyfob:admin").await;
        let wanted = json!({"url": "https://a.example", "format": "set"});
        let reply = service.json(Method::POST, "/v1/webhooks", &key, wanted).await;
        assert_eq!(reply.error(), (400, code.into()));
        let wanted = json!({"url": "https://a.example", "audience": "shop"});
        let reply = service.json(Method::POST, "/v1/webhooks", &key, wanted).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()));
    }
}

/// The replica that delivers ends in the middle, without a word. Another continues: no event is lost, and those of each
/// subject come in order for the first time.
#[test]
fn after_the_end_of_a_replica_another_delivers_the_rest() {
    const SUBJECTS: usize = 12;
    const ROUNDS: usize = 100;
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    };
    let (outside, first, second) = (runtime(), runtime(), runtime());
    let store = Arc::new(MemoryStore::new().unwrap());
    let over = || TokenManager::new(Arc::clone(&store));
    let receiver = outside.block_on(Receiver::start(|got, times| {
        // Every seventh message fails at first.
        let is_unlucky = got.body.len() % 7 == 0 && times == 1;
        if is_unlucky { 503 } else { 200 }
    }));
    let replica = first.block_on(Service::delivering(over(), settings()));
    let (key, _) = first.block_on(async {
        let key = replica.key("ops", "keyfob:admin").await;
        let hook = create(&replica, &key, json!({"url": receiver.url})).await;
        (key, hook)
    });
    let _other = second.block_on(Service::delivering(over(), settings()));
    let writer = over();
    outside.block_on(async {
        for round in 0..ROUNDS {
            for subject in 0..SUBJECTS {
                writer.issue(session(subject).label("round", round.to_string())).await.unwrap();
            }
        }
        receiver.wait_for(SUBJECTS * ROUNDS / 5).await;
    });
    drop(key);
    first.shutdown_background();
    let got = outside.block_on(receiver.wait_for(SUBJECTS * ROUNDS));
    let mut events: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut seen = BTreeSet::new();
    for got in &got {
        let subject = got.event()["data"]["token_subject"].as_str().unwrap_or_default().to_owned();
        // Only what was taken counts; the first answer of an unlucky message was 503.
        let is_first_try = seen.insert(got.id());
        if !(is_first_try && got.body.len() % 7 == 0) {
            let of_subject = events.entry(subject).or_default();
            if !of_subject.contains(&got.id()) {
                of_subject.push(got.id());
            }
        }
    }
    let page = outside.block_on(async {
        let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut cursor = keyfob::store::Cursor::start();
        loop {
            let page = writer.events(&cursor, 500).await.unwrap();
            for (event, _) in &page.events {
                let event_json = serde_json::to_value(event).unwrap();
                let subject = event_json["data"]["token_subject"].as_str().unwrap_or_default();
                expected.entry(subject.to_owned()).or_default().push(event.id.to_string());
            }
            if page.events.is_empty() {
                return expected;
            }
            cursor = page.cursor;
        }
    });
    for n in 0..SUBJECTS {
        let subject = format!("user{n}");
        assert_eq!(page[&subject].len(), ROUNDS);
        assert_eq!(events[&subject], page[&subject], "all, in order: {subject}");
    }
    second.shutdown_background();
}
