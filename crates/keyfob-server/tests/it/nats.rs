//! Events published to a real NATS server: order, acknowledgements, logins, and servers that end.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use http::Method;
use keyfob::{Grant, Kind, MemoryStore, RevokeRequest, Timestamp, TokenManager, Ttl};
use keyfob_server::Settings;
use keyfob_server::webhooks::nats::{NatsLogin, NatsSettings, NatsUnusable};
use keyfob_testkit::nats::{NatsMessage, NatsServer};
use keyfob_webhook::retry::RetryPolicy;
use keyfob_webhook::secret::{Secret, verify};
use serde_json::{Value, json};

use crate::support::{Key, Service};

/// Returns the settings of a service that publishes to the server at this address.
fn settings(url: &str, login: NatsLogin, ca: Option<&Path>) -> Settings {
    let mut settings = Settings::new();
    let first = Ttl::from_millis(100).unwrap();
    settings.webhooks.retry = RetryPolicy { first, max: first, max_attempts: 4 };
    settings.webhooks.lease = Duration::from_millis(900);
    settings.webhooks.timeout = Duration::from_millis(2_000);
    settings.webhooks.nats = Some(NatsSettings {
        servers: vec![url.to_owned()],
        subject: "keyfob".parse().unwrap(),
        login,
        ca: ca.map(Path::to_owned),
    });
    settings
}

async fn service(settings: Settings) -> (Service, Key) {
    let manager = TokenManager::new(MemoryStore::new().unwrap());
    let service = Service::delivering(manager, settings).await;
    let key = service.key("ops", "keyfob:admin").await;
    (service, key)
}

/// A service that publishes to this server without a login, and never gives up.
async fn patient(server: &NatsServer) -> (Service, Key) {
    let mut settings = settings(&server.url(), NatsLogin::Anonymous, None);
    settings.webhooks.retry.max_attempts = 1_000;
    service(settings).await
}

async fn subscribe(service: &Service, key: &Key, body: Value) -> (String, Secret) {
    let reply = service.post("/v1/webhooks", key, body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let reply = reply.json();
    let id = reply["webhook"]["id"].as_str().unwrap().to_owned();
    (id, reply["secret"].as_str().unwrap().parse().unwrap())
}

/// Sends a test event, and returns why it did not arrive.
async fn test_event(service: &Service, key: &Key, id: &str) -> Option<String> {
    let reply = service.post(&format!("/v1/webhooks/{id}/test"), key, json!({})).await.json();
    let error = reply["error"].as_str().map(ToOwned::to_owned);
    assert_eq!(reply["delivered"], error.is_none(), "{reply}");
    error
}

/// Waits until a stream has so many messages.
async fn wait_for(server: &NatsServer, stream: &str, count: usize) -> Vec<NatsMessage> {
    let mut found = 0;
    for _ in 0..500 {
        let messages = server.messages(stream).unwrap_or_default();
        found = messages.len();
        if found >= count {
            return messages;
        }
        tokio::time::sleep(Duration::from_millis(40)).await;
    }
    panic!("{count} messages are expected, not {found}");
}

fn event(message: &NatsMessage) -> Value {
    serde_json::from_slice(&message.payload).unwrap()
}

fn session(n: usize) -> Grant {
    Grant::new(Kind::Session).subject(format!("user{n}"))
}

#[tokio::test]
async fn events_are_published_with_their_type_as_subject_and_signed() {
    let server = NatsServer::start().unwrap();
    server.create_stream("S", "keyfob.>", "").unwrap();
    let (service, key) = patient(&server).await;
    let wanted = json!({"url": "nats:keyfob.shop", "types": ["keyfob.token."]});
    let (id, secret) = subscribe(&service, &key, wanted).await;
    // Another subscription, whose subjects the same stream takes: its messages are no repeats.
    subscribe(&service, &key, json!({"url": "nats:keyfob", "types": ["keyfob.token.revoked"]}))
        .await;
    assert_eq!(test_event(&service, &key, &id).await, None);
    let issued = service.manager.issue(session(1)).await.unwrap();
    service.manager.revoke(issued.token.id, RevokeRequest::reason("bye")).await.unwrap();
    let messages = wait_for(&server, "S", 4).await;
    let subjects: BTreeSet<_> = messages.iter().map(|message| &*message.subject).collect();
    let expected = [
        "keyfob.shop.token.issued",
        "keyfob.shop.token.revoked",
        "keyfob.shop.webhook.test",
        "keyfob.token.revoked",
    ];
    assert_eq!(subjects, BTreeSet::from(expected));
    let revoked = messages.iter().find(|m| m.subject == "keyfob.shop.token.revoked").unwrap();
    let (headers, event) = (&revoked.headers, event(revoked));
    assert_eq!(event["subject"], issued.token.id.to_string());
    assert_eq!(event["id"], headers["webhook-id"].as_str());
    assert_eq!(headers["Nats-Msg-Id"], format!("keyfob.shop/{}", headers["webhook-id"]));
    assert_eq!(headers["Content-Type"], "application/cloudevents+json");
    let at = Timestamp::from_secs(headers["webhook-timestamp"].parse().unwrap());
    let signature = &headers["webhook-signature"];
    assert!(verify(&secret, &headers["webhook-id"], at, &revoked.payload, signature));
}

#[tokio::test]
async fn without_a_stream_nothing_counts_as_delivered_and_dead_letters_are_sent_again() {
    let server = NatsServer::start().unwrap();
    let (service, key) = service(settings(&server.url(), NatsLogin::Anonymous, None)).await;
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(
        error.contains("no stream of JetStream takes the subject keyfob.webhook.test"),
        "{error}"
    );
    assert!(error.contains("--subjects 'keyfob.>'"), "{error}");
    let token = service.manager.issue(session(1)).await.unwrap().token.id;
    let letters = format!("/v1/webhooks/{id}/dead-letters");
    let mut letter = Value::Null;
    for _ in 0..500 {
        letter = service.get_as(&letters, &key).await.json()["dead_letters"][0].clone();
        if letter != Value::Null {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!((&letter["attempts"], &letter["event"]["subject"]), (&json!(4), &json!(token)));
    assert!(letter["error"].as_str().unwrap().contains("no stream"), "{letter}");
    // A stream that is full has nothing more either.
    server.create_stream("S", "keyfob.>", r#""max_msgs":1,"discard":"new""#).unwrap();
    let send = format!("{letters}/{}/send", letter["id"].as_str().unwrap());
    let reply = service.json(Method::POST, &send, &key, json!({})).await.json();
    assert_eq!(reply["delivered"], true, "{reply}");
    assert_eq!(service.get_as(&letters, &key).await.json()["dead_letters"], json!([]));
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.starts_with("JetStream refuses the message: maximum messages"), "{error}");
    let messages = server.messages("S").unwrap();
    assert_eq!(
        messages.iter().map(|m| event(m)["subject"].clone()).collect::<Vec<_>>(),
        [json!(token)]
    );
}

/// Events come while the server is killed and started again, and while it is silent. The stream has each once, and those of
/// each subject in their order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_killed_or_silent_loses_and_doubles_nothing() {
    const SUBJECTS: usize = 8;
    const ROUNDS: usize = 40;
    let server = NatsServer::start().unwrap();
    server.create_stream("S", "keyfob.>", "").unwrap();
    let (service, key) = patient(&server).await;
    subscribe(&service, &key, json!({"url": "nats:keyfob", "types": ["keyfob.token.issued"]}))
        .await;
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..ROUNDS {
        for subject in 0..SUBJECTS {
            let issued = service.manager.issue(session(subject)).await.unwrap();
            let of_subject = expected.entry(format!("user{subject}")).or_default();
            of_subject.push(issued.token.id.to_string());
        }
        match round {
            10 | 30 => server.kill9(),
            15 | 32 => server.restart().unwrap(),
            20 => {
                wait_for(&server, "S", SUBJECTS * (round + 1)).await;
                server.pause().unwrap();
            }
            // Longer than an attempt, so that messages are sent again that it will find.
            22 => {
                tokio::time::sleep(Duration::from_millis(2_500)).await;
                server.resume().unwrap();
            }
            _ => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    wait_for(&server, "S", SUBJECTS * ROUNDS).await;
    // What is sent again after that is known to be a repeat.
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    let messages = server.messages("S").unwrap();
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in &messages {
        let event = event(message);
        let subject = event["data"]["token_subject"].as_str().unwrap().to_owned();
        found.entry(subject).or_default().push(event["subject"].as_str().unwrap().to_owned());
    }
    assert_eq!(found, expected);
}

#[tokio::test]
async fn a_server_that_is_away_at_the_start_is_found_later() {
    let server = NatsServer::start().unwrap();
    server.create_stream("S", "keyfob.>", "").unwrap();
    server.kill9();
    let (service, key) = patient(&server).await;
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.starts_with("the NATS server cannot be reached"), "{error}");
    service.manager.issue(session(1)).await.unwrap();
    server.restart().unwrap();
    wait_for(&server, "S", 1).await;
    // From now on the client connects by itself.
    server.kill9();
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.contains("connection to NATS is lost") || error.contains("no ack"), "{error}");
    server.restart().unwrap();
    service.manager.issue(session(1)).await.unwrap();
    wait_for(&server, "S", 2).await;
}

#[tokio::test]
async fn a_login_is_read_from_its_file_for_each_connection() {
    let server = NatsServer::builder().login("keyfob", "hunter2").start().unwrap();
    server.create_stream("S", "keyfob.>", "").unwrap();
    let file = server.folder().join("password");
    let login = NatsLogin::Password { user: "keyfob".to_owned(), file: file.clone() };
    let (service, key) = service(settings(&server.url(), login, None)).await;
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.contains("nats.password_file") && error.contains("password: "), "{error}");
    std::fs::write(&file, "hunter3\n").unwrap();
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.starts_with("the NATS server refuses the login: check [nats]"), "{error}");
    assert!(!error.contains("hunter"), "{error}");
    std::fs::write(&file, "hunter2\n").unwrap();
    assert_eq!(test_event(&service, &key, &id).await, None);
    let state = service.get_as(&format!("/v1/webhooks/{id}"), &key).await;
    assert!(!String::from_utf8_lossy(&state.body).contains("hunter"));
}

#[tokio::test]
async fn the_complaint_of_the_server_is_in_the_error() {
    let key_pair = nkeys::KeyPair::new_user();
    let user = format!(
        "authorization {{ users: [ {{ nkey: {}, permissions: {{ publish: [\"other.>\"] }} }} ] }}",
        key_pair.public_key()
    );
    let server = NatsServer::builder().setting(&user).start().unwrap();
    let seed = server.folder().join("seed");
    std::fs::write(&seed, key_pair.seed().unwrap()).unwrap();
    let (service, key) = service(settings(&server.url(), NatsLogin::Nkey(seed), None)).await;
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.starts_with("the NATS server refuses the message: "), "{error}");
    assert!(error.to_lowercase().contains("permissions violation for publish"), "{error}");
}

/// Returns a JWT of NATS about `subject`.
fn nats_jwt(signer: &nkeys::KeyPair, subject: &nkeys::KeyPair, claims: Value) -> String {
    use base64ct::{Base64UrlUnpadded, Encoding as _};
    let part = |value: Value| Base64UrlUnpadded::encode_string(value.to_string().as_bytes());
    let (issuer, subject) = (signer.public_key(), subject.public_key());
    let claims =
        json!({"jti": "x", "iat": 1, "iss": issuer, "sub": subject, "name": "n", "nats": claims});
    let signed = format!("{}.{}", part(json!({"typ": "JWT", "alg": "ed25519-nkey"})), part(claims));
    let signature = Base64UrlUnpadded::encode_string(&signer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[tokio::test]
async fn a_file_of_credentials_is_a_login() {
    use nkeys::KeyPair;
    let (operator, account, user) =
        (KeyPair::new_operator(), KeyPair::new_account(), KeyPair::new_user());
    let limits = json!({"subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1,
        "wildcards": true, "conn": -1, "leaf": -1});
    let of_account = json!({"type": "account", "version": 2, "limits": limits});
    let setting = format!(
        "operator: {}\nresolver: MEMORY\nresolver_preload: {{ {}: {} }}\nsystem_account: {}",
        nats_jwt(&operator, &operator, json!({"type": "operator", "version": 2})),
        account.public_key(),
        nats_jwt(&operator, &account, of_account),
        account.public_key(),
    );
    let server = NatsServer::builder().setting(&setting).start().unwrap();
    let of_user = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let (jwt, seed) = (nats_jwt(&account, &user, of_user), user.seed().unwrap());
    let file = server.folder().join("user.creds");
    let credentials = |seed: &str| {
        format!(
            "-----BEGIN NATS USER JWT-----\n{jwt}\n------END NATS USER JWT------\n\n\
             -----BEGIN USER NKEY SEED-----\n{seed}\n------END USER NKEY SEED------\n"
        )
    };
    std::fs::write(&file, credentials(&KeyPair::new_user().seed().unwrap())).unwrap();
    let login = NatsLogin::Credentials(file.clone());
    let (service, key) = service(settings(&server.url(), login, None)).await;
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.starts_with("the NATS server refuses the login"), "{error}");
    std::fs::write(&file, credentials(&seed)).unwrap();
    // The account has no streams, which it says to who is logged in.
    let error = test_event(&service, &key, &id).await.unwrap();
    assert!(error.starts_with("no stream of JetStream"), "{error}");
}

#[tokio::test]
async fn with_tls_the_certificate_is_checked() {
    let folder = tempfile::tempdir().unwrap();
    let (authority, other) = (folder.path().join("ca.pem"), folder.path().join("other.pem"));
    let signed = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let unknown = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&authority, signed.cert.pem()).unwrap();
    std::fs::write(&other, unknown.cert.pem()).unwrap();
    let key_file = folder.path().join("key.pem");
    std::fs::write(&key_file, signed.signing_key.serialize_pem()).unwrap();
    let tls = format!(
        "tls {{ cert_file: {:?}, key_file: {key_file:?} }}\nallow_non_tls: true",
        authority
    );
    let server = NatsServer::builder().setting(&tls).start().unwrap();
    server.create_stream("S", "keyfob.>", "").unwrap();
    let url = server.url().replace("nats://", "tls://");
    for (ca, is_right) in [(&authority, true), (&other, false)] {
        let settings = settings(&url, NatsLogin::Anonymous, Some(ca));
        settings.webhooks.nats.as_ref().unwrap().check_files().unwrap();
        let (service, key) = service(settings).await;
        let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
        let error = test_event(&service, &key, &id).await;
        assert_eq!(error.is_none(), is_right, "{error:?}");
    }
    // A server without TLS gets no login from one that demands it.
    let plain = NatsServer::start().unwrap();
    let url = plain.url().replace("nats://", "tls://");
    let (service, key) = service(settings(&url, NatsLogin::Anonymous, Some(&authority))).await;
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob"})).await;
    test_event(&service, &key, &id).await.unwrap();
}

#[tokio::test]
async fn only_subjects_that_the_operator_allows_are_taken() {
    let (service, key) = service(settings("nats://127.0.0.1:1", NatsLogin::Anonymous, None)).await;
    for (body, code) in [
        (json!({"url": "nats:other"}), "invalid_value"),
        (json!({"url": "nats:keyfobs"}), "invalid_value"),
        (json!({"url": "nats:$JS.API"}), "invalid_value"),
        (json!({"url": "nats:keyfob.>"}), "invalid_value"),
        (json!({"url": "nats://a.example:4222"}), "invalid_value"),
        (json!({"url": "nats:keyfob", "audience": "a"}), "invalid_value"),
        (json!({"url": "nats:keyfob", "format": "set"}), "invalid_value"),
    ] {
        let reply = service.post("/v1/webhooks", &key, body.clone()).await;
        assert_eq!(reply.error(), (400, code.into()), "{body}");
    }
    let (id, _) = subscribe(&service, &key, json!({"url": "nats:keyfob.a"})).await;
    let path = format!("/v1/webhooks/{id}");
    let reply = service.json(Method::PATCH, &path, &key, json!({"url": "nats:other"})).await;
    assert_eq!(reply.error(), (400, "invalid_value".into()));
    assert!(String::from_utf8_lossy(&reply.body).contains("is not keyfob or below it"));
    let reply = service.json(Method::PATCH, &path, &key, json!({"url": "nats:keyfob.b"})).await;
    assert_eq!(reply.json()["url"], "nats:keyfob.b");
}

#[tokio::test]
async fn without_servers_there_are_no_subjects() {
    let (service, key) = service(Settings::new()).await;
    let reply = service.post("/v1/webhooks", &key, json!({"url": "nats:keyfob"})).await;
    assert_eq!(reply.error(), (400, "no_nats".into()));
    let missing = NatsLogin::Nkey("/nowhere/seed".into());
    let settings = settings("nats://127.0.0.1:1", missing, None).webhooks.nats.unwrap();
    let unusable = settings.check_files().unwrap_err();
    assert!(matches!(&unusable, NatsUnusable::File(why) if why.contains("/nowhere/seed")));
    assert_eq!(unusable.code(), "invalid_value");
}
