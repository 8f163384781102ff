//! The replica that a receiver polls ends in the middle, by force. The receiver continues at another.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use keyfob_jwt::jws::Unverified;
use keyfob_jwt::key_set::KeySet;
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::{Value, json};

use crate::client::Client;
use crate::replica::Deployment;

const PATIENCE: Duration = Duration::from_secs(60);
const TOKENS: usize = 400;
const MAX_EVENTS: usize = 40;

/// What a receiver got: the token that each event is about, by the id of the event.
#[derive(Default)]
struct Receiver {
    got: BTreeMap<String, String>,
    acknowledged: Vec<String>,
    repeats: usize,
}

impl Receiver {
    /// Polls. What comes is acknowledged with the next poll that is answered.
    async fn poll(&mut self, client: &Client, path: &str) -> usize {
        let poll = json!({
            "maxEvents": MAX_EVENTS, "returnImmediately": true, "ack": self.acknowledged
        });
        let reply = client.post(path, &poll).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let answer = reply.json();
        let sets = answer["sets"].as_object().unwrap();
        self.acknowledged = sets.keys().cloned().collect();
        for (id, jwt) in sets {
            let about =
                claims(client, jwt.as_str().unwrap()).await["sub_id"]["session"]["id"].clone();
            let about = about.as_str().unwrap().to_owned();
            if let Some(before) = self.got.insert(id.clone(), about.clone()) {
                assert_eq!(before, about, "an id names one event");
                self.repeats += 1;
            }
        }
        sets.len()
    }

    fn tokens(&self) -> BTreeSet<String> {
        self.got.values().cloned().collect()
    }
}

/// The claims of a token, checked with the keys that a replica publishes.
async fn claims(client: &Client, jwt: &str) -> Value {
    let keys = client.get("/.well-known/jwks.json").await;
    let keys = KeySet::parse(&keys.body).unwrap();
    keys.verified(&Unverified::parse(jwt).unwrap(), "secevent+jwt").unwrap().payload().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_between_polls_no_event_is_lost_and_repeats_have_the_same_id() {
    let namespace = fresh_namespace();
    let store = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
    let mut deployment = Deployment::init(&store);
    deployment.transmit();
    let (mut first, second) = (deployment.serve(), deployment.serve());
    let key = json!({"kind": "api-key", "client": "idp", "scopes": ["keyfob:signals"]});
    let key = first.client.issue(&key).await;
    let receiver = first.client.with_key(&key);
    let stream = receiver.post("/ssf/streams", &json!({})).await;
    assert_eq!(stream.status, 201, "{stream:?}: {}", deployment.log());
    let path = format!("/ssf/streams/{}/poll", stream.text("stream_id"));
    let mut expected = BTreeSet::new();
    for batch in 0..TOKENS / 100 {
        let grants: Vec<_> =
            (0..100).map(|n| json!({"subject": format!("user{batch}-{n}")})).collect();
        let reply = second.client.post("/v1/tokens", &json!(grants)).await.json();
        for token in reply.as_array().unwrap() {
            second.client.revoke(token["bearer"].as_str().unwrap()).await;
            expected.insert(token["id"].as_str().unwrap().to_owned());
        }
    }
    let mut got = Receiver::default();
    for _ in 0..3 {
        got.poll(&receiver, &path).await;
    }
    let before = got.tokens().len();
    assert!((MAX_EVENTS..TOKENS).contains(&before), "it is killed in the middle: {before}");
    first.signal("KILL");
    first.wait();
    // What it was about to acknowledge comes again.
    got.acknowledged.clear();
    let receiver = second.client.with_key(&key);
    let begun = Instant::now();
    while got.poll(&receiver, &path).await > 0 || got.tokens().len() < TOKENS {
        assert!(begun.elapsed() < PATIENCE, "{} of {TOKENS}", got.tokens().len());
    }
    assert_eq!(got.tokens(), expected);
    assert_eq!(got.got.len(), TOKENS, "each event has one id");
    assert_eq!(got.repeats, MAX_EVENTS);
    let webhooks = second.client.get("/v1/webhooks").await.json();
    let state = &webhooks["webhooks"][0]["state"];
    assert!(state["waiting_since"].is_null() && state["delivered_at"].is_string(), "{state}");
}
