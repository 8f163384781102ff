//! The replica that sends events ends in the middle, by force. Another continues.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

use crate::replica::Deployment;

/// Until when another replica has gone on: a lease and an interval of looking for it, and reserve.
const PATIENCE: Duration = Duration::from_secs(60);
const SUBJECTS: usize = 20;
const ROUNDS: usize = 100;

type Received = Arc<Mutex<Vec<Value>>>;

/// Takes one request, and answers it after a moment.
async fn receive(stream: TcpStream, received: Received) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).await?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    // A sender that was killed leaves half a request.
    let Ok(event) = serde_json::from_slice(&body) else { return Ok(()) };
    received.lock().unwrap().push(event);
    tokio::time::sleep(Duration::from_millis(2)).await;
    stream.get_mut().write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_kill_in_mid_delivery_no_event_is_lost_and_order_holds() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks", listener.local_addr().unwrap());
    let received = Received::default();
    let seen = Arc::clone(&received);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(receive(stream, Arc::clone(&seen)));
        }
    });
    let namespace = fresh_namespace();
    let store = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
    let deployment = Deployment::init(&store);
    let first = deployment.serve();
    let hook = json!({"url": url, "types": ["keyfob.token.issued"]});
    let created = first.client.post("/v1/webhooks", &hook).await;
    assert_eq!(created.status, 201, "{created:?}");
    // The first has the lease now. The other issues the tokens.
    let begun = Instant::now();
    while received.lock().unwrap().is_empty() {
        assert!(begun.elapsed() < PATIENCE, "nothing is sent: {}", deployment.log());
        first.client.issue(&json!({"subject": "warm-up"})).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let second = deployment.serve();
    let mut expected: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for _ in 0..ROUNDS {
        let grants: Vec<_> =
            (0..SUBJECTS).map(|n| json!({"subject": format!("user{n}")})).collect();
        let reply = second.client.post("/v1/tokens", &json!(grants)).await.json();
        for outcome in reply.as_array().unwrap() {
            let token = outcome;
            let subject = token["subject"].as_str().unwrap().to_owned();
            expected.entry(subject).or_default().push(token["id"].as_str().unwrap().to_owned());
        }
    }
    let of_users = || {
        let all = received.lock().unwrap().clone();
        let is_user = |event: &Value| event["data"]["token_subject"] != "warm-up";
        all.into_iter().filter(is_user).collect::<Vec<_>>()
    };
    let wait_for = async |count: usize| {
        let begun = Instant::now();
        loop {
            let events = of_users();
            let different: BTreeSet<_> =
                events.iter().map(|event| event["id"].to_string()).collect();
            if different.len() >= count {
                return events;
            }
            assert!(
                begun.elapsed() < PATIENCE,
                "{} of {count}: {}",
                different.len(),
                deployment.log()
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    wait_for(SUBJECTS * ROUNDS / 10).await;
    first.signal("KILL");
    let before = of_users().len();
    let events = wait_for(SUBJECTS * ROUNDS).await;
    assert!(before < SUBJECTS * ROUNDS, "it was killed in the middle: {before}");
    let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for event in events {
        let subject = event["data"]["token_subject"].as_str().unwrap().to_owned();
        let token = event["subject"].as_str().unwrap().to_owned();
        let of_subject = found.entry(subject).or_default();
        if !of_subject.contains(&token) {
            of_subject.push(token);
        }
    }
    assert_eq!(found, expected);
}
