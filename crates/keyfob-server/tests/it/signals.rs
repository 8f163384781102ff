//! Shared Signals over sockets: discovery, streams that receivers manage, polls, and replicas that end.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use keyfob::{Grant, Kind, MemoryStore, RevokeRequest, TokenId, TokenManager};
use keyfob_jwt::jws::Unverified;
use keyfob_jwt::key_set::KeySet;
use keyfob_webhook::address::AddressPolicy;
use keyfob_webhook::set;
use metrics_exporter_prometheus::PrometheusBuilder;
use serde_json::{Value, json};

use crate::support::{Key, Service};
use crate::webhooks::{
    ISSUER, Receiver, manager, published, session, state, transmitting, wait_for_gauge,
};

const POLL: &str = "urn:ietf:rfc:8936";
pub(crate) const PUSH: &str = "urn:ietf:rfc:8935";

pub(crate) async fn receiver(service: &Service, client: &str) -> Key {
    service.key(client, "keyfob:signals").await
}

pub(crate) async fn create(service: &Service, key: &Key, body: Value) -> Value {
    let reply = service.post("/ssf/streams", key, body).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply.json()
}

pub(crate) fn id(stream: &Value) -> String {
    stream["stream_id"].as_str().unwrap().to_owned()
}

/// Polls at once. Returns the claims of the tokens by their ids, and whether there are more.
pub(crate) async fn poll(
    service: &Service,
    key: &Key,
    id: &str,
    body: Value,
) -> (BTreeMap<String, Value>, bool) {
    let mut body = body;
    body["returnImmediately"] = json!(true);
    fetch(service, key, id, body).await
}

async fn fetch(
    service: &Service,
    key: &Key,
    id: &str,
    body: Value,
) -> (BTreeMap<String, Value>, bool) {
    let reply = service.post(&format!("/ssf/streams/{id}/poll"), key, body).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let (keys, answer) = (published(service).await, reply.json());
    let claims = |(jti, jwt): (&String, &Value)| {
        let claims = verified(&keys, jwt.as_str().unwrap());
        assert_eq!((&claims["jti"], &claims["iss"]), (&json!(jti), &json!(ISSUER)));
        assert_eq!(claims["aud"], key.client);
        (jti.clone(), claims)
    };
    let sets = answer["sets"].as_object().unwrap().iter().map(claims).collect();
    (sets, answer["moreAvailable"].as_bool().unwrap())
}

fn verified(keys: &KeySet, jwt: &str) -> Value {
    let jwt = Unverified::parse(jwt).unwrap();
    keys.verified(&jwt, "secevent+jwt").unwrap().payload().unwrap()
}

pub(crate) async fn revoke(service: &Service, n: usize) -> TokenId {
    let token = service.manager.issue(session(n)).await.unwrap().token.id;
    service.manager.revoke(token, RevokeRequest::reason("bye")).await.unwrap();
    token
}

#[tokio::test]
async fn the_configuration_names_endpoints_that_are_there() {
    let service = Service::with(transmitting()).await;
    let found = service.get("/.well-known/ssf-configuration", None).await.json();
    assert_eq!((&found["issuer"], &found["default_subjects"]), (&json!(ISSUER), &json!("ALL")));
    assert_eq!(found["delivery_methods_supported"], json!([PUSH, POLL]));
    assert_eq!(found["authorization_schemes"][0]["spec_urn"], "urn:ietf:rfc:6749");
    let key = receiver(&service, "idp").await;
    for endpoint in ["configuration", "status", "add_subject", "remove_subject", "verification"] {
        let url = found[format!("{endpoint}_endpoint")].as_str().unwrap();
        let path = url.strip_prefix(ISSUER).unwrap();
        let reply = service.post(path, &key, json!({"stream_id": "x", "subject": {}})).await;
        assert!(matches!(reply.status.as_u16(), 201 | 400 | 404), "{path}: {reply:?}");
        if reply.status != 201 {
            assert_ne!(reply.error().1, "not_found", "{path}");
        }
    }
    assert_eq!(found["jwks_uri"], format!("{ISSUER}/.well-known/jwks.json"));
    let without = Service::start().await;
    let reply = without.get("/.well-known/ssf-configuration", None).await;
    assert_eq!(reply.error(), (404, "no_jwt_keys".into()));
}

#[tokio::test]
async fn a_receiver_manages_its_streams_and_sees_no_others() {
    let service = Service::with(transmitting()).await;
    let (key, other) = (receiver(&service, "idp").await, receiver(&service, "gateway").await);
    let wanted = json!({
        "delivery": {"method": PUSH, "endpoint_url": "https://idp.example/events", "authorization_header": "Bearer hunter2"},
        "events_requested": [set::SESSION_REVOKED, "urn:example:unknown"],
        "description": "for the idp",
        "format": "ignored",
    });
    let stream = create(&service, &key, wanted).await;
    assert_eq!((&stream["iss"], &stream["aud"]), (&json!(ISSUER), &json!("idp")));
    assert_eq!(stream["events_delivered"], json!([set::SESSION_REVOKED]));
    assert_eq!(stream["events_requested"][1], "urn:example:unknown");
    assert_eq!(stream["events_supported"].as_array().unwrap().len(), 2);
    assert!(!stream.to_string().contains("hunter2"));
    let polled = create(&service, &key, json!({})).await;
    assert_eq!(polled["delivery"]["method"], POLL);
    let url = format!("{ISSUER}/ssf/streams/{}/poll", id(&polled));
    assert_eq!(polled["delivery"]["endpoint_url"], url);
    let all = service.get_as("/ssf/streams", &key).await.json();
    assert_eq!(all.as_array().unwrap().len(), 2);
    assert_eq!(service.get_as("/ssf/streams", &other).await.json(), json!([]));
    let path = format!("/ssf/streams?stream_id={}", id(&stream));
    assert_eq!(service.get_as(&path, &key).await.json(), stream);

    let change = json!({"stream_id": id(&stream), "description": "changed", "aud": ["idp"]});
    let reply = service.json(Method::PATCH, "/ssf/streams", &key, change).await.json();
    assert_eq!(
        (&reply["description"], &reply["delivery"]),
        (&json!("changed"), &stream["delivery"])
    );
    for odd in [
        json!({"iss": "https://other.example"}),
        json!({"aud": ["idp", "x"]}),
        json!({"events_delivered": []}),
        json!({"min_verification_interval": 1}),
        json!({"delivery": {"method": "urn:x"}}),
        json!({"delivery": {"method": PUSH, "endpoint_url": "ftp://idp.example"}}),
        json!({"delivery": {"method": PUSH, "endpoint_url": "https://a.example", "authorization_header": "a\nb"}}),
        json!({"events_requested": [""]}),
    ] {
        let mut body = odd.clone();
        body["stream_id"] = json!(id(&stream));
        let reply = service.json(Method::PATCH, "/ssf/streams", &key, body).await;
        assert_eq!(reply.error(), (400, "invalid_value".into()), "{odd}");
    }
    // What was read may be written back. Then what is left out is removed.
    let reply = service.json(Method::PUT, "/ssf/streams", &key, &polled).await.json();
    assert_eq!(reply, polled);
    let body = json!({"stream_id": id(&stream), "delivery": {"method": POLL}});
    let reply = service.json(Method::PUT, "/ssf/streams", &key, body).await.json();
    assert_eq!((&reply["delivery"]["method"], reply.get("description")), (&json!(POLL), None));
    assert_eq!(reply["events_delivered"].as_array().unwrap().len(), 2);
    let body = json!({"stream_id": id(&stream)});
    let reply = service.json(Method::PUT, "/ssf/streams", &key, body.clone()).await;
    assert_eq!(reply.error(), (400, "invalid_value".into()));

    let not_theirs = (404, "stream_not_found".into());
    let delete = format!("/ssf/streams?stream_id={}", id(&stream));
    let paused = json!({"stream_id": id(&stream), "status": "paused"});
    let poll = format!("/ssf/streams/{}/poll", id(&stream));
    for (method, path, body) in [
        (Method::PATCH, "/ssf/streams", body.clone()),
        (Method::DELETE, delete.as_str(), json!({})),
        (Method::POST, "/ssf/status", paused),
        (Method::POST, "/ssf/verify", body.clone()),
        (Method::POST, poll.as_str(), json!({"returnImmediately": true})),
    ] {
        let reply = service.json(method, path, &other, body).await;
        assert_eq!(reply.error(), not_theirs, "{path}");
    }
    for path in [delete.clone(), format!("/ssf/status?stream_id={}", id(&stream))] {
        assert_eq!(service.get_as(&path, &other).await.error(), not_theirs);
    }
    assert_eq!(service.json(Method::DELETE, &delete, &key, json!({})).await.status, 204);
    assert_eq!(service.get_as(&delete, &key).await.error(), not_theirs);
    // A webhook of an administrator is no stream of theirs.
    let admin = service.admin().await;
    let reply = service.post("/v1/webhooks", &admin, json!({"url": "https://a.example"})).await;
    let path =
        format!("/ssf/streams?stream_id={}", reply.json()["webhook"]["id"].as_str().unwrap());
    assert_eq!(service.get_as(&path, &admin).await.error(), not_theirs);
}

#[tokio::test]
async fn a_receiver_has_a_scope_of_its_own_and_a_limited_number_of_streams() {
    let service = Service::with(transmitting()).await;
    let events = service.key("idp", "keyfob:events").await;
    let reply = service.post("/ssf/streams", &events, json!({})).await;
    assert_eq!(reply.error(), (403, "insufficient_scope".into()));
    let grant = Grant::new(Kind::ApiKey).client("idp").scope("keyfob:signals").audience("shop");
    let confined = service.key_of(grant).await;
    let reply = service.post("/ssf/streams", &confined, json!({})).await;
    assert_eq!(reply.error(), (403, "confined_to_audiences".into()));
    let key = receiver(&service, "idp").await;
    assert_eq!(service.get_as("/v1/webhooks", &key).await.status, 403);
    for _ in 0..10 {
        create(&service, &key, json!({})).await;
    }
    let reply = service.post("/ssf/streams", &key, json!({})).await;
    assert_eq!(reply.error(), (403, "too_many_streams".into()));
    // A token of the token endpoint manages what the key does.
    let form = [("grant_type", "client_credentials"), ("scope", "keyfob:signals")];
    let reply = service.form("/oauth2/token", Some(&key.basic()), &form).await.json();
    let token = format!("Bearer {}", reply["access_token"].as_str().unwrap());
    let all = service.get("/ssf/streams", Some(&token)).await.json();
    assert_eq!(all.as_array().unwrap().len(), 10);
}

#[tokio::test]
async fn tokens_come_until_they_are_acknowledged_with_the_same_id() {
    let service = Service::with(transmitting()).await;
    let key = receiver(&service, "idp").await;
    let stream = create(&service, &key, json!({})).await;
    let id = id(&stream);
    assert_eq!(poll(&service, &key, &id, json!({})).await, (BTreeMap::new(), false));
    let mut tokens = Vec::new();
    for n in 0..5 {
        tokens.push(revoke(&service, n).await);
    }
    let (first, more) = poll(&service, &key, &id, json!({"maxEvents": 3})).await;
    assert_eq!((first.len(), more), (3, true));
    let (again, _) = poll(&service, &key, &id, json!({"maxEvents": 3})).await;
    assert!(first.keys().eq(again.keys()), "what is not acknowledged comes again");
    let about = |sets: &BTreeMap<String, Value>| -> BTreeSet<String> {
        let session =
            |claims: &Value| claims["sub_id"]["session"]["id"].as_str().unwrap().to_owned();
        sets.values().map(session).collect()
    };
    assert_eq!(about(&first), tokens[..3].iter().map(ToString::to_string).collect());
    // Acknowledged in any order. One that was not is still there.
    let ids: Vec<_> = first.keys().collect();
    let (none, _) =
        poll(&service, &key, &id, json!({"maxEvents": 0, "ack": [ids[1], ids[2]]})).await;
    assert!(none.is_empty());
    let (rest, more) = poll(&service, &key, &id, json!({})).await;
    assert_eq!((rest.len(), more), (3, false));
    assert!(rest.contains_key(ids[0]) && !rest.contains_key(ids[1]));
    let admin = service.admin().await;
    let kept = state(&service, &admin, &id).await;
    assert!(
        kept["state"]["waiting_since"].is_string() && kept["state"]["delivered_at"].is_string()
    );
    let all: Vec<_> = rest.keys().collect();
    // What was acknowledged before, or never existed, does no harm.
    let mut known: Vec<&str> = all.iter().chain(&ids).map(|id| id.as_str()).collect();
    known.push("op-1");
    let (none, _) = poll(&service, &key, &id, json!({"ack": known})).await;
    assert!(none.is_empty());
    let kept = state(&service, &admin, &id).await;
    let latest = service.manager.latest_event().await.unwrap().to_string();
    assert_eq!(
        (&kept["state"]["cursor"], &kept["state"]["waiting_since"]),
        (&json!(latest), &Value::Null)
    );
    assert_eq!((&kept["method"], &kept["owner"]), (&json!("poll"), &json!("idp")));
    assert_eq!(kept["url"], format!("/ssf/streams/{id}/poll"));
}

#[tokio::test]
async fn a_receiver_that_leaves_the_oldest_still_gets_it_and_loses_nothing() {
    // More than may be acknowledged after the oldest.
    const REVOCATIONS: usize = 1_040;
    let service = Service::with(transmitting()).await;
    let key = receiver(&service, "idp").await;
    let id = id(&create(&service, &key, json!({})).await);
    for n in 0..REVOCATIONS {
        revoke(&service, n).await;
    }
    let (first, _) = poll(&service, &key, &id, json!({"maxEvents": 1})).await;
    let oldest = first.keys().next().unwrap().clone();
    let mut taken = BTreeSet::from([oldest.clone()]);
    let mut acknowledged: Vec<String> = Vec::new();
    for _ in 0..13 {
        let (sets, _) = poll(&service, &key, &id, json!({"ack": acknowledged})).await;
        assert!(sets.contains_key(&oldest));
        taken.extend(sets.keys().cloned());
        acknowledged = sets.into_keys().filter(|jti| *jti != oldest).collect();
    }
    assert_eq!(taken.len(), REVOCATIONS);
    // What could not be remembered comes again, and is taken once the oldest is.
    assert!(!acknowledged.is_empty());
    acknowledged.push(oldest);
    assert_eq!(
        poll(&service, &key, &id, json!({"ack": acknowledged})).await,
        (BTreeMap::new(), false)
    );
}

#[tokio::test]
async fn a_poll_waits_for_a_token_and_other_events_do_not_end_it() {
    let service = Arc::new(Service::with(transmitting()).await);
    let key = receiver(&service, "idp").await;
    let id = id(&create(&service, &key, json!({})).await);
    let (waiting, waiter, reader) = (Arc::clone(&service), key.clone(), id.clone());
    let begun = Instant::now();
    let polled = tokio::spawn(async move { fetch(&waiting, &waiter, &reader, json!({})).await });
    tokio::time::sleep(Duration::from_millis(200)).await;
    service.manager.issue(session(9)).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(!polled.is_finished());
    revoke(&service, 1).await;
    let (sets, _) = polled.await.unwrap();
    assert_eq!(sets.len(), 1);
    assert!(begun.elapsed() < Duration::from_secs(10));
    // A key that is revoked meanwhile gets nothing.
    let (waiting, waiter, reader) = (Arc::clone(&service), key.clone(), id.clone());
    let ack = json!({"ack": sets.keys().collect::<Vec<_>>()});
    let polled = tokio::spawn(async move {
        waiting.post(&format!("/ssf/streams/{reader}/poll"), &waiter, ack).await
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    let caller = service.get_as("/v1/caller", &key).await.json();
    let caller: TokenId = caller["id"].as_str().unwrap().parse().unwrap();
    service.manager.revoke(caller, RevokeRequest::reason("lost")).await.unwrap();
    assert_eq!(polled.await.unwrap().status, 401);
}

#[tokio::test]
async fn a_token_that_a_receiver_does_not_accept_is_a_dead_letter() {
    let service = Service::with(transmitting()).await;
    let (key, admin) = (receiver(&service, "idp").await, service.admin().await);
    let id = id(&create(&service, &key, json!({})).await);
    revoke(&service, 1).await;
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    let jti = sets.keys().next().unwrap();
    let error = json!({"err": "invalid_key", "description": "no such key"});
    let (none, _) = poll(&service, &key, &id, json!({"setErrs": {jti: error}})).await;
    assert!(none.is_empty());
    let letters = format!("/v1/webhooks/{id}/dead-letters");
    let found = service.get_as(&letters, &admin).await.json();
    let letter = &found["dead_letters"][0];
    assert_eq!(letter["error"], "invalid_key: no such key");
    assert_eq!(letter["event"]["jti"], json!(jti));
    assert_eq!(state(&service, &admin, &id).await["state"]["last_error"], letter["error"]);
    // Sent again, it waits for the next poll, with the same id.
    let path = format!("{letters}/{}/send", letter["id"].as_str().unwrap());
    let reply = service.post(&path, &admin, json!({})).await.json();
    assert_eq!((&reply["delivered"], &reply["waits"]), (&json!(false), &json!(true)));
    let (again, _) = poll(&service, &key, &id, json!({})).await;
    assert!(again.keys().eq([jti]));
    let (none, _) = poll(&service, &key, &id, json!({"ack": [jti]})).await;
    assert!(none.is_empty());
    assert_eq!(service.get_as(&letters, &admin).await.json()["dead_letters"], json!([]));
}

#[tokio::test]
async fn a_stream_that_is_paused_holds_tokens_and_one_that_is_disabled_drops_them() {
    let service = Service::with(transmitting()).await;
    let (key, admin) = (receiver(&service, "idp").await, service.admin().await);
    let id = id(&create(&service, &key, json!({})).await);
    let set = async |status: &str, reason: Value| {
        let body = json!({"stream_id": id, "status": status, "reason": reason});
        service.post("/ssf/status", &key, body).await.json()
    };
    let answer = set("paused", json!("maintenance")).await;
    assert_eq!(answer, json!({"stream_id": id, "status": "paused", "reason": "maintenance"}));
    let path = format!("/ssf/status?stream_id={id}");
    assert_eq!(service.get_as(&path, &key).await.json(), answer);
    let held = revoke(&service, 1).await;
    assert!(poll(&service, &key, &id, json!({})).await.0.is_empty());
    set("enabled", Value::Null).await;
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    let [(jti, claims)] = sets.iter().collect::<Vec<_>>()[..] else { panic!("{sets:?}") };
    assert_eq!(claims["sub_id"]["session"]["id"], json!(held));
    poll(&service, &key, &id, json!({"ack": [jti]})).await;

    set("disabled", Value::Null).await;
    revoke(&service, 2).await;
    assert_eq!(set("enabled", Value::Null).await.get("reason"), None);
    assert!(poll(&service, &key, &id, json!({})).await.0.is_empty());
    // Who is stopped by an administrator learns it first.
    let webhook = format!("/v1/webhooks/{id}");
    service.json(Method::PATCH, &webhook, &admin, json!({"enabled": false})).await;
    revoke(&service, 3).await;
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    let [(jti, claims)] = sets.iter().collect::<Vec<_>>()[..] else { panic!("{sets:?}") };
    assert_eq!(claims["events"][set::STREAM_UPDATED]["status"], "paused");
    assert_eq!(claims["sub_id"], json!({"format": "opaque", "id": id}));
    assert!(poll(&service, &key, &id, json!({"ack": [jti]})).await.0.is_empty());
    let status = service.get_as(&path, &key).await.json();
    assert!(status["reason"].as_str().unwrap().contains("administrator"), "{status}");
    service.json(Method::PATCH, &webhook, &admin, json!({"enabled": true})).await;
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    assert_eq!(sets.len(), 2, "that it is enabled, and what was held: {sets:?}");
}

#[tokio::test]
async fn a_verification_repeats_the_state_and_is_not_asked_for_too_often() {
    let service = Service::with(transmitting()).await;
    let key = receiver(&service, "idp").await;
    let id = id(&create(&service, &key, json!({})).await);
    let body = json!({"stream_id": id, "state": "s\u{e4}\"1"});
    assert_eq!(service.post("/ssf/verify", &key, body.clone()).await.status, 204);
    let reply = service.post("/ssf/verify", &key, body).await;
    let wait: u64 = reply.headers["retry-after"].to_str().unwrap().parse().unwrap();
    assert!(wait > 50 && wait <= 60);
    assert_eq!(reply.error(), (429, "verified_too_soon".into()));
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    let (jti, claims) = sets.iter().next().unwrap();
    assert_eq!(claims["events"], json!({set::VERIFICATION: {"state": "s\u{e4}\"1"}}));
    assert_eq!(claims["sub_id"], json!({"format": "opaque", "id": id}));
    let (again, _) = poll(&service, &key, &id, json!({})).await;
    assert!(again.keys().eq([jti]));
    assert!(poll(&service, &key, &id, json!({"ack": [jti]})).await.0.is_empty());
}

#[tokio::test]
async fn a_stream_that_is_pushed_has_verifications_and_the_header_of_its_receiver() {
    let service = Service::delivering(manager(), transmitting()).await;
    let (key, admin) = (receiver(&service, "shop").await, service.admin().await);
    let receiver = Receiver::start(|_, _| 202).await;
    let delivery = json!({"method": PUSH, "endpoint_url": receiver.url, "authorization_header": "Bearer hunter2"});
    let stream = create(&service, &key, json!({"delivery": delivery})).await;
    let id = id(&stream);
    let keys = published(&service).await;
    service.post("/ssf/verify", &key, json!({"stream_id": id, "state": "abc"})).await;
    let got = receiver.wait_for_bodies(1).await;
    let claims = verified(&keys, std::str::from_utf8(&got[0].body).unwrap());
    assert_eq!(claims["events"], json!({set::VERIFICATION: {"state": "abc"}}));
    assert_eq!(got[0].headers["authorization"], "Bearer hunter2");
    assert!(!got[0].headers.contains_key("webhook-signature"));
    let token = revoke(&service, 1).await;
    let got = receiver.wait_for_bodies(2).await;
    let claims = verified(&keys, std::str::from_utf8(&got[1].body).unwrap());
    assert_eq!(claims["sub_id"]["session"]["id"], json!(token));
    // The last that it hears is that it is stopped.
    let path = format!("/v1/webhooks/{id}");
    service.json(Method::PATCH, &path, &admin, json!({"enabled": false})).await;
    let got = receiver.wait_for_bodies(3).await;
    let claims = verified(&keys, std::str::from_utf8(&got[2].body).unwrap());
    assert_eq!(claims["events"][set::STREAM_UPDATED]["status"], "paused");
    let list = service.get_as("/v1/webhooks", &admin).await;
    assert!(!String::from_utf8_lossy(&list.body).contains("hunter2"));
}

#[tokio::test]
async fn a_receiver_reaches_no_network_that_only_administrators_may() {
    let mut settings = transmitting();
    settings.webhooks.stream_addresses = AddressPolicy::default();
    let service = Service::delivering(manager(), settings).await;
    let (key, admin) = (receiver(&service, "shop").await, service.admin().await);
    let inside = Receiver::start(|_, _| 202).await;
    let test = async |id: &str| {
        let path = format!("/v1/webhooks/{id}/test");
        service.json(Method::POST, &path, &admin, json!({})).await.json()
    };
    let delivery = json!({"method": PUSH, "endpoint_url": inside.url});
    let stream = id(&create(&service, &key, json!({"delivery": delivery})).await);
    let refused = test(&stream).await;
    let error = refused["error"].as_str().unwrap();
    assert!(error.contains("not allowed") && error.contains("[signals]"), "{error}");
    // Also where an administrator names the URL: its receiver may change it back at any time.
    let path = format!("/v1/webhooks/{stream}");
    service.json(Method::PATCH, &path, &admin, json!({"url": format!("{}/a", inside.url)})).await;
    assert!(test(&stream).await["error"].as_str().unwrap().contains("not allowed"));
    assert!(inside.all().is_empty());
    let webhook = json!({"url": inside.url, "format": "set"});
    let webhook = service.json(Method::POST, "/v1/webhooks", &admin, webhook).await.json();
    assert_eq!(test(webhook["webhook"]["id"].as_str().unwrap()).await["status"], 202);
}

#[tokio::test]
async fn a_new_url_does_not_get_the_header_of_the_receiver_before() {
    let service = Service::with(transmitting()).await;
    let (key, admin) = (receiver(&service, "shop").await, service.admin().await);
    let before = Receiver::start(|_, _| 202).await;
    let after = Receiver::start(|_, _| 202).await;
    let delivery = json!({"method": PUSH, "endpoint_url": before.url, "authorization_header": "Bearer hunter2"});
    let id = id(&create(&service, &key, json!({"delivery": delivery})).await);
    let path = format!("/v1/webhooks/{id}");
    for (change, receiver, header) in [
        (json!({"description": "x"}), &before, Some("Bearer hunter2")),
        (json!({"url": after.url}), &after, None),
    ] {
        service.json(Method::PATCH, &path, &admin, change).await;
        service.json(Method::POST, &format!("{path}/test"), &admin, json!({})).await;
        let got = receiver.wait_for_bodies(1).await;
        let found = got[0].headers.get("authorization").map(|value| value.to_str().unwrap());
        assert_eq!(found, header);
    }
}

#[tokio::test]
async fn a_subject_that_was_removed_is_left_out_until_it_is_added_again() {
    let service = Service::with(transmitting()).await;
    let key = receiver(&service, "idp").await;
    let id = id(&create(&service, &key, json!({})).await);
    let user = json!({"format": "iss_sub", "iss": ISSUER, "sub": "user1"});
    let change = async |what: &str, subject: &Value| {
        let body = json!({"stream_id": id, "subject": subject});
        service.post(&format!("/ssf/subjects/{what}"), &key, body).await.status.as_u16()
    };
    assert_eq!(change("remove", &user).await, 204);
    revoke(&service, 1).await;
    let other = revoke(&service, 2).await;
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    let [(jti, claims)] = sets.iter().collect::<Vec<_>>()[..] else { panic!("{sets:?}") };
    assert_eq!(claims["sub_id"]["session"]["id"], json!(other));
    poll(&service, &key, &id, json!({"ack": [jti]})).await;
    assert_eq!(change("add", &user).await, 200);
    revoke(&service, 1).await;
    assert_eq!(poll(&service, &key, &id, json!({})).await.0.len(), 1);
    assert_eq!(change("remove", &json!({"format": "opaque"})).await, 400);
}

#[tokio::test]
async fn gauges_say_what_waits_for_a_poll() {
    const OLDEST: &str = "keyfob_webhook_oldest_event_age_seconds";
    const DEAD: &str = "keyfob_webhook_dead_letters";
    let recorder = PrometheusBuilder::new().build_recorder();
    let service = {
        let _here = metrics::set_default_local_recorder(&recorder);
        Service::delivering(manager(), transmitting()).await
    };
    let key = receiver(&service, "idp").await;
    let id = id(&create(&service, &key, json!({})).await);
    revoke(&service, 1).await;
    revoke(&service, 2).await;
    wait_for_gauge(&recorder, OLDEST, |age| age > 0.5 && age < 10.0).await;
    let (sets, _) = poll(&service, &key, &id, json!({})).await;
    let [rejected, taken] = sets.keys().collect::<Vec<_>>()[..] else { panic!("{sets:?}") };
    let answer = json!({"ack": [taken], "setErrs": {rejected: {"err": "invalid_key"}}});
    poll(&service, &key, &id, answer).await;
    wait_for_gauge(&recorder, DEAD, |count| count == 1.0).await;
    wait_for_gauge(&recorder, OLDEST, |age| age == 0.0).await;
    let text = recorder.handle().render();
    for (outcome, count) in [("fetched", 2), ("delivered", 1), ("rejected", 1)] {
        let line = format!("keyfob_webhook_deliveries_total{{outcome=\"{outcome}\"}} {count}");
        assert!(text.contains(&line), "{line} in {text}");
    }
    // Events that nobody wants move the position too.
    let issued = service.manager.issue(session(3)).await.unwrap();
    let admin = service.admin().await;
    let latest = service.manager.latest_event().await.unwrap().to_string();
    for _ in 0..500 {
        if state(&service, &admin, &id).await["state"]["cursor"] == latest {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(state(&service, &admin, &id).await["state"]["cursor"], latest, "{issued:?}");
    let path = format!("/ssf/streams?stream_id={id}");
    service.json(Method::DELETE, &path, &key, json!({})).await;
    wait_for_gauge(&recorder, DEAD, |count| count == 0.0).await;
}

/// The replica that answers polls ends in the middle, without a word. The receiver continues at another: no event is lost,
/// and what comes again has the same id.
#[test]
fn after_the_end_of_a_replica_another_answers_polls() {
    const REVOCATIONS: usize = 300;
    let runtime = || {
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
    };
    let (outside, first, second) = (runtime(), runtime(), runtime());
    let store = Arc::new(MemoryStore::new().unwrap());
    let over = || TokenManager::new(Arc::clone(&store));
    let replica = first.block_on(Service::delivering(over(), transmitting()));
    let other = second.block_on(Service::delivering(over(), transmitting()));
    let (key, id) = first.block_on(async {
        let key = receiver(&replica, "idp").await;
        let stream = create(&replica, &key, json!({})).await;
        (key, id(&stream))
    });
    let writer = other.manager.clone();
    let mut expected = BTreeSet::new();
    outside.block_on(async {
        for n in 0..REVOCATIONS {
            let token = writer.issue(session(n % 7)).await.unwrap().token.id;
            writer.revoke(token, RevokeRequest::reason("bye")).await.unwrap();
            expected.insert(token.to_string());
        }
    });
    let mut found: BTreeMap<String, String> = BTreeMap::new();
    let mut repeats = 0;
    let mut take = |sets: &BTreeMap<String, Value>| {
        for (jti, claims) in sets {
            let token = claims["sub_id"]["session"]["id"].as_str().unwrap().to_owned();
            match found.insert(token.clone(), jti.clone()) {
                Some(before) => {
                    assert_eq!(before, *jti, "the same event has the same id");
                    repeats += 1;
                }
                None => assert!(expected.contains(&token)),
            }
        }
        found.len()
    };
    let mut acknowledged: Vec<String> = Vec::new();
    let mut taken: BTreeSet<String> = BTreeSet::new();
    first.block_on(async {
        for _ in 0..4 {
            let body = json!({"maxEvents": 20, "ack": acknowledged});
            let (sets, _) = poll(&replica, &key, &id, body).await;
            take(&sets);
            assert!(
                taken.iter().all(|jti| !sets.contains_key(jti)),
                "what was acknowledged is over"
            );
            // Every third is left for later.
            acknowledged = sets
                .keys()
                .enumerate()
                .filter(|(n, _)| n % 3 > 0)
                .map(|(_, jti)| jti.clone())
                .collect();
            taken.extend(acknowledged.iter().cloned());
        }
    });
    // The last acknowledgement is lost with the replica.
    first.shutdown_background();
    outside.block_on(async {
        let mut acknowledged: Vec<String> = Vec::new();
        loop {
            let (sets, more) =
                poll(&other, &key, &id, json!({"maxEvents": 50, "ack": acknowledged})).await;
            if sets.is_empty() {
                assert!(!more);
                break;
            }
            take(&sets);
            acknowledged = sets.into_keys().collect();
        }
    });
    assert_eq!(take(&BTreeMap::new()), REVOCATIONS);
    assert!(repeats > 0);
    second.shutdown_background();
}
