//! The replica that publishes to NATS ends in the middle, by force. Another continues.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use keyfob_testkit::nats::{NatsMessage, NatsServer};
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::{Value, json};

use crate::replica::Deployment;

/// Until when another replica has taken over: a lease and an interval of looking for it, and reserve.
const PATIENCE: Duration = Duration::from_secs(60);
const SUBJECTS: usize = 20;
const ROUNDS: usize = 100;

/// Waits until the stream has so many messages.
async fn wait_for(nats: &NatsServer, count: usize, deployment: &Deployment) -> Vec<NatsMessage> {
    let begun = Instant::now();
    loop {
        let messages = nats.messages("KEYFOB").unwrap();
        if messages.len() >= count {
            return messages;
        }
        let found = messages.len();
        assert!(begun.elapsed() < PATIENCE, "{found} of {count}: {}", deployment.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_in_mid_delivery_the_stream_has_each_event_once_and_in_order() {
    let nats = NatsServer::start().unwrap();
    nats.create_stream("KEYFOB", "keyfob.>", "").unwrap();
    let namespace = fresh_namespace();
    let store = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
    let mut deployment = Deployment::init(&store);
    deployment.variables.push(("KEYFOB_NATS_SERVERS", nats.url()));
    let first = deployment.serve();
    let hook = json!({"url": "nats:keyfob", "types": ["keyfob.token.issued"]});
    let created = first.client.post("/v1/webhooks", &hook).await;
    assert_eq!(created.status, 201, "{created:?}");
    // The first has the lease when this has arrived. The other issues the tokens.
    first.client.issue(&json!({"subject": "warm-up"})).await;
    wait_for(&nats, 1, &deployment).await;
    let second = deployment.serve();
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for round in 0..ROUNDS {
        let grants: Vec<_> =
            (0..SUBJECTS).map(|n| json!({"subject": format!("user{n}")})).collect();
        let reply = second.client.post("/v1/tokens", &json!(grants)).await.json();
        for token in reply.as_array().unwrap() {
            let subject = token["subject"].as_str().unwrap().to_owned();
            expected.entry(subject).or_default().push(token["id"].as_str().unwrap().to_owned());
        }
        if round == ROUNDS / 2 {
            first.signal("KILL");
        }
    }
    let before = nats.messages("KEYFOB").unwrap().len();
    assert!(before > 1 && before < SUBJECTS * ROUNDS, "it was killed in the middle: {before}");
    wait_for(&nats, 1 + SUBJECTS * ROUNDS, &deployment).await;
    // Were there repeats, they would be there by now.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for message in nats.messages("KEYFOB").unwrap() {
        let event: Value = serde_json::from_slice(&message.payload).unwrap();
        let subject = event["data"]["token_subject"].as_str().unwrap().to_owned();
        let token = event["subject"].as_str().unwrap().to_owned();
        found.entry(subject).or_default().push(token);
    }
    found.remove("warm-up").unwrap();
    assert_eq!(found, expected);
}
