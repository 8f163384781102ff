//! An edge that sends on what it does not answer to its central server.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use http::Method;
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::json;

use crate::client::{Client, Verdict};
use crate::poll::{PATIENCE, Poll};
use crate::replica::{Deployment, Replica};

/// Returns a central server that issues JWTs, and an edge of it.
async fn start() -> (Deployment, Replica, Replica) {
    let namespace = fresh_namespace();
    let store = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
    let mut deployment = Deployment::init(&store);
    deployment.transmit();
    let central = deployment.serve();
    let grant = json!({"kind": "api-key", "client": "edge", "scopes": ["keyfob:edge"]});
    let key = central.client.issue(&grant).await;
    let edge = deployment.serve_forwarding_edge(&central.client.url, &key);
    edge.wait_until_ready_is(200).await;
    (deployment, central, edge)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_application_needs_the_address_of_its_edge_alone() {
    let (_deployment, central, edge) = start().await;
    let client = &edge.client;
    let session = client.issue(&json!({"subject": "alice", "scopes": ["read"]})).await;
    let poll = Poll::begin(client, &session).await;
    let listed = client.get("/v1/tokens?filter=subject%3Aalice").await;
    assert_eq!(listed.json()["tokens"][0]["subject"], "alice", "{listed:?}");
    assert_eq!(client.revoke(&session).await.status, 200);
    poll.refused_after(Instant::now()).await;
    assert_eq!(central.client.introspect(&session).await, Verdict::Inactive);
    // Checks that only the central server can make.
    let refresh =
        client.issue(&json!({"kind": "refresh", "subject": "alice", "client": "admin"})).await;
    assert_eq!(client.introspect(&refresh).await, Verdict::Active);
    let rotated = client.refresh(&refresh).await;
    assert_eq!(rotated.status, 200, "{rotated:?}");
    let grant = json!({
        "format": "jwt", "subject": "alice", "client": "web", "audience": ["https://a.example"], "ttl": "5m",
    });
    let jwt = client.issue(&grant).await;
    assert!(jwt.starts_with("eyJ"), "{jwt}");
    assert_eq!(client.introspect(&jwt).await, Verdict::Active);
    let validated = client.post("/v1/validate", &json!({"token": jwt})).await;
    assert_eq!((validated.status, &validated.json()["ok"]), (200, &json!(true)), "{validated:?}");
    assert_eq!(client.revoke(&jwt).await.status, 200);
    assert_eq!(client.introspect(&jwt).await, Verdict::Inactive);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_central_server_decides_who_may_do_it() {
    let (_deployment, central, edge) = start().await;
    let grant = json!({"kind": "api-key", "client": "reader", "scopes": ["keyfob:read"]});
    let reader = edge.client.with_key(&central.client.issue(&grant).await);
    let refused = reader.post("/v1/tokens", &json!({"subject": "alice"})).await;
    assert_eq!((refused.status, refused.text("code").as_str()), (403, "insufficient_scope"));
    assert_eq!(reader.get("/v1/tokens").await.status, 200);
    let nobody = edge.client.with_key("fob_ak_nobody");
    assert_eq!(nobody.get("/v1/tokens").await.status, 401);
    // The edge has a key of its own, and lends it to nobody.
    let refused = reader.get("/v1/edge").await;
    assert_eq!(refused.status, 403, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_arrive_through_the_edge_as_they_happen() {
    let (deployment, _central, edge) = start().await;
    let mut stream = TcpStream::connect(edge.client.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = format!(
        "GET /v1/events HTTP/1.1\r\nhost: edge\r\naccept: text/event-stream\r\n\
         authorization: Bearer {}\r\n\r\n",
        deployment.admin_key
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    let mut read_until = |text: &str| {
        let begun = Instant::now();
        while !answer.contains(text) {
            assert!(begun.elapsed() < PATIENCE, "{text:?} does not come: {answer}");
            let mut piece = [0; 4096];
            let count = stream.read(&mut piece).unwrap();
            answer.push_str(&String::from_utf8_lossy(&piece[..count]));
        }
    };
    read_until("text/event-stream");
    let client: &Client = &edge.client;
    client.issue(&json!({"subject": "watched-wendy"})).await;
    read_until("watched-wendy");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_the_central_server_it_says_try_again() {
    let (_deployment, mut central, edge) = start().await;
    central.signal("KILL");
    central.wait();
    let begun = Instant::now();
    let refused =
        edge.client.send(Method::GET, "/v1/tokens", "application/json", "").await.unwrap();
    assert_eq!(refused.status, 503, "{refused:?}");
    assert!(refused.headers.contains_key("retry-after"), "{refused:?}");
    assert!(begun.elapsed() < Duration::from_secs(10));
}
