//! A request with an `Idempotency-Key` that is sent again to another server.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use futures_util::future::join_all;
use http::Method;
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::json;

use crate::client::Client;
use crate::replica::{Deployment, Replica};

/// Sends the request and closes the connection before the answer comes.
fn send_and_cut(replica: &Replica, key: &str, body: &str, patience: Duration) {
    let address = replica.client.url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).unwrap();
    let (length, bearer) = (body.len(), replica.client.key());
    write!(
        stream,
        "POST /v1/tokens HTTP/1.1\r\nhost: keyfob\r\nauthorization: Bearer {bearer}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\nidempotency-key: {key}\r\n\r\n{body}"
    )
    .unwrap();
    std::thread::sleep(patience);
}

async fn issue_once(client: &Client, key: &str, body: &str) -> (u16, String) {
    let headers = [("idempotency-key", key), ("content-type", "application/json")];
    let reply = client.send_with(Method::POST, "/v1/tokens", &headers, body.to_owned()).await;
    let reply = reply.unwrap();
    assert_eq!(reply.status, 201, "{reply:?}");
    (reply.status, reply.text("bearer"))
}

async fn count(client: &Client, subject: &str) -> u64 {
    let reply = client.get(&format!("/v1/tokens/count?filter=subject:{subject}")).await;
    reply.json()["count"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_that_was_cut_gets_the_same_token_from_the_other_server() {
    let namespace = fresh_namespace();
    let url = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
    let deployment = Deployment::init(&url);
    let (a, b) = (deployment.serve(), deployment.serve());
    for round in 0..40 {
        let (subject, key) = (format!("user{round}"), format!("order-{round}"));
        let body = json!({"subject": subject}).to_string();
        // From "cut before the server has read it" to "cut after it has answered".
        let patience = Duration::from_micros(250 * round);
        let (here, there) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        tokio::task::block_in_place(|| send_and_cut(here, &key, &body, patience));
        let repeats = [there, here, there].map(|it| issue_once(&it.client, &key, &body));
        let answers = join_all(repeats).await;
        assert!(answers.iter().all(|answer| *answer == answers[0]), "one bearer token: {round}");
        assert_eq!(count(&a.client, &subject).await, 1, "one token is stored: {round}");
    }
}
