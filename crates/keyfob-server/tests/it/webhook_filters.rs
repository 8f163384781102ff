//! Webhooks with a filter: only events that may concern a matching token are sent, and no revocation of one is lost.

use std::collections::BTreeSet;
use std::time::Duration;

use http::Method;
use keyfob::{Grant, Kind, RevokeRequest};
use serde_json::{Value, json};

use crate::signals::{self, receiver};
use crate::support::Service;
use crate::webhooks::{Receiver, create, manager, session, settings, state, transmitting};

/// Waits for so many messages, and for others that would be wrong. Returns the types with what they are about.
async fn sent(receiver: &Receiver, count: usize) -> BTreeSet<(String, String)> {
    receiver.wait_for(count).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let all = receiver.all();
    assert_eq!(all.len(), count, "{all:?}");
    let parts = all.iter().map(|got| {
        let event = got.event();
        let about = [&event["subject"], &event["data"]["token_subject"], &event["data"]["client"]];
        let about = about.into_iter().find_map(Value::as_str).unwrap_or("all");
        (event["type"].as_str().unwrap().to_owned(), about.to_owned())
    });
    parts.collect()
}

fn set<const N: usize>(events: [(&str, String); N]) -> BTreeSet<(String, String)> {
    events.map(|(kind, about)| (format!("keyfob.{kind}"), about)).into()
}

#[tokio::test]
async fn events_about_matching_tokens_are_sent_and_others_are_not() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 204).await;
    let wanted = json!({"url": receiver.url, "filter": "tag:beta"});
    let (id, _) = create(&service, &key, wanted).await;
    assert_eq!(state(&service, &key, &id).await["filter"], "tag:beta");
    let manager = &service.manager;
    let other = manager.issue(session(1)).await.unwrap();
    let beta = manager.issue(session(1).tag("beta")).await.unwrap().token.id;
    let bye = || RevokeRequest::reason("bye");
    manager.revoke(other.token.id, bye()).await.unwrap();
    // A session that does not match, and what was derived from it: one token matches, the other does not.
    let parent = manager.issue(session(2)).await.unwrap();
    let derive = async |grant| manager.derive(&parent.bearer, grant).await.unwrap().token.id;
    let plain = derive(Grant::new(Kind::Access)).await;
    let child = derive(Grant::new(Kind::Access).tag("beta")).await;
    manager.revoke(plain, bye()).await.unwrap();
    manager.revoke(parent.token.id, bye()).await.unwrap();
    manager.revoke(beta, bye()).await.unwrap();
    let expected = set([
        ("token.issued", beta.to_string()),
        ("token.issued", child.to_string()),
        ("token.revoked", parent.token.id.to_string()),
        ("token.revoked", beta.to_string()),
    ]);
    assert_eq!(sent(&receiver, 4).await, expected);
}

#[tokio::test]
async fn a_revocation_of_many_tokens_is_left_out_only_if_it_cannot_concern_a_match() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 204).await;
    let wanted = json!({"url": receiver.url, "filter": "subject:user1 client:web"});
    create(&service, &key, wanted).await;
    let manager = &service.manager;
    let why = || RevokeRequest::reason("why");
    for subject in ["user2", "user1"] {
        manager.revoke_subject(&subject.parse().unwrap(), why()).await.unwrap();
    }
    for client in ["phone", "web"] {
        manager.revoke_client(&client.parse().unwrap(), why()).await.unwrap();
    }
    manager.revoke_all(why()).await.unwrap();
    let expected = ["user1", "web", "all"].map(|of| ("epoch.advanced", of.to_owned()));
    assert_eq!(sent(&receiver, 3).await, set(expected));
}

#[tokio::test]
async fn a_filter_is_checked_when_it_is_written_and_can_be_changed() {
    let service = Service::delivering(manager(), settings()).await;
    let key = service.key("ops", "keyfob:admin").await;
    let receiver = Receiver::start(|_, _| 204).await;
    let wanted = json!({"url": receiver.url, "filter": "subject:user1  kind:session"});
    let (id, _) = create(&service, &key, wanted).await;
    let path = format!("/v1/webhooks/{id}");
    assert_eq!(state(&service, &key, &id).await["filter"], "kind:session subject:user1");
    for (filter, says) in [
        ("tag:a subjct:b", "column 7: unknown key 'subjct'"),
        ("tag:a state:active", "column 7: 'state' depends on the time"),
        ("expires-before:-7d", "column 16: 'expires-before' depends on the time"),
        ("subject:$who", "column 9: no value is bound to '$who'"),
    ] {
        let body = json!({"url": receiver.url, "filter": filter});
        let created = service.json(Method::POST, "/v1/webhooks", &key, body).await;
        let changed = service.json(Method::PATCH, &path, &key, json!({"filter": filter})).await;
        for reply in [created, changed] {
            assert_eq!(reply.error(), (400, "invalid_filter".into()), "{filter}");
            let text = String::from_utf8_lossy(&reply.body).into_owned();
            assert!(text.contains(says), "{text}");
        }
    }
    let reply = service.json(Method::PATCH, &path, &key, json!({"description": "x"})).await.json();
    assert_eq!(reply["filter"], "kind:session subject:user1");
    // A runner that has the older filter would send it. It reads the new one with its next renewal.
    let reply = service.json(Method::PATCH, &path, &key, json!({"filter": "subject:user2"})).await;
    assert_eq!(reply.json()["filter"], "subject:user2");
    tokio::time::sleep(settings().webhooks.lease * 2).await;
    service.manager.issue(session(1)).await.unwrap();
    let second = service.manager.issue(session(2)).await.unwrap().token.id;
    assert_eq!(sent(&receiver, 1).await, set([("token.issued", second.to_string())]));
    let reply = service.json(Method::PATCH, &path, &key, json!({"filter": ""})).await;
    assert_eq!(reply.json()["filter"], "");
    tokio::time::sleep(settings().webhooks.lease * 2).await;
    service.manager.issue(session(1)).await.unwrap();
    receiver.wait_for(2).await;
}

#[tokio::test]
async fn an_administrator_gives_a_stream_a_filter() {
    let service = Service::delivering(manager(), transmitting()).await;
    let (key, admin) = (receiver(&service, "idp").await, service.key("ops", "keyfob:admin").await);
    let stream = signals::create(&service, &key, json!({})).await;
    let id = signals::id(&stream);
    assert_eq!(state(&service, &admin, &id).await["filter"], "");
    let path = format!("/v1/webhooks/{id}");
    service.json(Method::PATCH, &path, &admin, json!({"filter": "subject:user2"})).await;
    for number in 1..=3 {
        let id = service.manager.issue(session(number)).await.unwrap().token.id;
        service.manager.revoke(id, RevokeRequest::reason("bye")).await.unwrap();
    }
    let (claims, more) = signals::poll(&service, &key, &id, json!({})).await;
    let claims: Vec<Value> = claims.into_values().collect();
    assert_eq!((claims.len(), more), (1, false), "{claims:?}");
    assert_eq!(claims[0]["sub_id"]["user"]["sub"], "user2");
}
