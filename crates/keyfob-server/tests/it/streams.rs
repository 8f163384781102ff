//! What the receiver of a stream may not do: hold the server up, overrule an administrator, or take what is not its own.

use std::sync::Arc;
use std::time::{Duration, Instant};

use http::Method;
use keyfob::{Grant, Kind};
use serde_json::{Value, json};

use crate::signals::{PUSH, create, id, poll, receiver, revoke};
use crate::support::{Key, Reply, Service};
use crate::webhooks::{Receiver, manager, state, transmitting};

/// Polls, and waits for a token if the server lets it.
async fn wait(service: &Service, key: &Key, id: &str) -> Value {
    let reply = service.post(&format!("/ssf/streams/{id}/poll"), key, json!({})).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()
}

/// Begins a poll that waits.
async fn begin(service: &Arc<Service>, key: &Key, id: &str) -> tokio::task::JoinHandle<Value> {
    let (service, key, id) = (Arc::clone(service), key.clone(), id.to_owned());
    let waiting = tokio::spawn(async move { wait(&service, &key, &id).await });
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(!waiting.is_finished());
    waiting
}

async fn answers_at_once(service: &Service, key: &Key, id: &str) {
    let begun = Instant::now();
    let answer = wait(service, key, id).await;
    assert_eq!(answer, json!({"sets": {}, "moreAvailable": false}));
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn one_poll_of_a_stream_waits_and_another_answers_at_once() {
    let service = Arc::new(Service::with(transmitting()).await);
    let key = receiver(&service, "idp").await;
    let (one, other) = (
        id(&create(&service, &key, json!({})).await),
        id(&create(&service, &key, json!({})).await),
    );
    let first = begin(&service, &key, &one).await;
    answers_at_once(&service, &key, &one).await;
    assert!(!first.is_finished(), "the first still waits");
    let second = begin(&service, &key, &other).await;
    revoke(&service, 1).await;
    for waiting in [first, second] {
        assert_eq!(waiting.await.unwrap()["sets"].as_object().unwrap().len(), 1);
    }
    // The place is free again, also after a client that left.
    let sets = poll(&service, &key, &one, json!({})).await.0;
    poll(&service, &key, &one, json!({"ack": sets.keys().collect::<Vec<_>>()})).await;
    begin(&service, &key, &one).await.abort();
    tokio::time::sleep(Duration::from_millis(300)).await;
    begin(&service, &key, &one).await;
}

#[tokio::test]
async fn polls_that_wait_leave_room_for_other_requests() {
    let mut settings = transmitting();
    settings.bounds.max_requests = 32;
    let service = Arc::new(Service::with(settings).await);
    let key = receiver(&service, "idp").await;
    let mut streams = Vec::new();
    for _ in 0..3 {
        streams.push(id(&create(&service, &key, json!({})).await));
    }
    let first = begin(&service, &key, &streams[0]).await;
    let second = begin(&service, &key, &streams[1]).await;
    answers_at_once(&service, &key, &streams[2]).await;
    assert!(!first.is_finished() && !second.is_finished());
}

#[tokio::test]
async fn a_poll_takes_one_use_of_a_key() {
    let service = Service::with(transmitting()).await;
    let grant = Grant::new(Kind::ApiKey).client("idp").scope("keyfob:signals").uses(3);
    let key = service.key_of(grant).await;
    let id = id(&create(&service, &key, json!({})).await);
    poll_raw(&service, &key, &id, 200).await;
    poll_raw(&service, &key, &id, 200).await;
    poll_raw(&service, &key, &id, 401).await;
}

async fn poll_raw(service: &Service, key: &Key, id: &str, status: u16) {
    let body = json!({"returnImmediately": true});
    let reply = service.post(&format!("/ssf/streams/{id}/poll"), key, body).await;
    assert_eq!(reply.status, status, "{reply:?}");
}

async fn set_status(service: &Service, key: &Key, id: &str, status: &str) -> Reply {
    service.post("/ssf/status", key, json!({"stream_id": id, "status": status})).await
}

#[tokio::test]
async fn a_receiver_does_not_enable_what_an_administrator_has_disabled() {
    let service = Service::with(transmitting()).await;
    let (key, admin) = (receiver(&service, "idp").await, service.admin().await);
    let id = id(&create(&service, &key, json!({})).await);
    // Also if the receiver has stopped it before.
    assert_eq!(set_status(&service, &key, &id, "disabled").await.status, 200);
    let path = format!("/v1/webhooks/{id}");
    let enable = async |enabled: bool| {
        let reply = service.json(Method::PATCH, &path, &admin, json!({"enabled": enabled})).await;
        assert_eq!(reply.status, 200, "{reply:?}");
    };
    enable(false).await;
    for status in ["enabled", "paused", "disabled"] {
        let reply = set_status(&service, &key, &id, status).await;
        assert_eq!(reply.error(), (403, "disabled_by_administrator".into()), "{status}");
    }
    assert_eq!(state(&service, &admin, &id).await["enabled"], false);
    let status = service.get_as(&format!("/ssf/status?stream_id={id}"), &key).await.json();
    assert_eq!(status["reason"], "an administrator has disabled it");
    enable(true).await;
    assert_eq!(set_status(&service, &key, &id, "paused").await.json()["status"], "paused");
    assert_eq!(set_status(&service, &key, &id, "enabled").await.json()["status"], "enabled");
}

#[tokio::test]
async fn a_receiver_that_is_gone_may_enable_its_stream_again() {
    let service = Service::delivering(manager(), transmitting()).await;
    let (key, admin) = (receiver(&service, "idp").await, service.admin().await);
    let gone = Receiver::start(|_, _| 410).await;
    let delivery = json!({"method": PUSH, "endpoint_url": gone.url});
    let id = id(&create(&service, &key, json!({"delivery": delivery})).await);
    revoke(&service, 1).await;
    gone.wait_for_bodies(1).await;
    for _ in 0..200 {
        if state(&service, &admin, &id).await["enabled"] == false {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(set_status(&service, &key, &id, "enabled").await.json()["status"], "enabled");
}
