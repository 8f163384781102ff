//! Redis does not answer: what a server says meanwhile, and that it recovers by itself.

use std::time::Duration;

use keyfob_testkit::redis::{RedisServer, fresh_namespace};
use serde_json::json;

use crate::client::{Client, Verdict};
use crate::replica::Deployment;

/// A write cannot be done: 503 with a time to come back.
async fn assert_no_write_is_done(client: &Client, bearer: &str, refresh: &str) {
    let replies = [
        ("issue", client.post("/v1/tokens", &json!({"subject": "bob"})).await),
        ("issue many", client.post("/v1/tokens", &json!([{"subject": "bob"}, {}])).await),
        ("revoke", client.revoke(bearer).await),
        ("refresh", client.refresh(refresh).await),
        ("revoke all of a subject", client.post("/v1/revoke", &json!({"subject": "bob"})).await),
    ];
    for (what, reply) in &replies {
        assert_eq!(reply.status, 503, "{what}: {reply:?}");
        let seconds = reply.headers["retry-after"].to_str().unwrap();
        assert!(seconds.parse::<u64>().is_ok_and(|seconds| seconds > 0), "{what}: {seconds}");
    }
}

async fn goes_down(stop: impl FnOnce(&RedisServer), start: impl FnOnce(&RedisServer)) {
    let redis = RedisServer::builder().append_only().start().unwrap();
    let url = format!("{}/0?namespace={}", redis.url(), fresh_namespace());
    let deployment = Deployment::init(&url);
    let server = deployment.serve();
    let client = &server.client;
    let key = client.issue(&json!({"kind": "api-key", "client": "app"})).await;
    let app = client.with_key(&key);
    let bearer = client.issue(&json!({"subject": "alice"})).await;
    let refresh = json!({"kind": "refresh", "subject": "alice", "client": "app"});
    let refresh = client.issue(&refresh).await;
    let revoked = client.issue(&json!({"subject": "alice"})).await;
    assert_eq!(client.revoke(&revoked).await.status, 200);
    for _ in 0..3 {
        assert_eq!(client.introspect(&bearer).await, Verdict::Active);
        assert_eq!(client.introspect(&revoked).await, Verdict::Inactive);
    }
    server.wait_until_ready_is(200).await;

    stop(&redis);
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..3 {
        // Neither "active" nor "not active" is known.
        for bearer in [&bearer, &revoked] {
            assert_eq!(client.introspect(bearer).await, Verdict::Unknown);
        }
        let validated = client.post("/v1/validate", &json!({"token": &bearer})).await;
        assert_eq!(validated.status, 503, "{validated:?}");
    }
    assert_eq!(client.get("/readyz").await.status, 503);
    assert_eq!(client.get("/healthz").await.status, 200, "the process itself is well");
    assert_no_write_is_done(client, &bearer, &refresh).await;

    start(&redis);
    server.wait_until_ready_is(200).await;
    assert_eq!(client.introspect(&bearer).await, Verdict::Active);
    assert_eq!(client.introspect(&revoked).await, Verdict::Inactive);
    let refreshed = app.refresh(&refresh).await;
    assert_eq!(refreshed.status, 200, "{refreshed:?}");
    assert_eq!(client.revoke(&bearer).await.status, 200);
    assert_eq!(client.introspect(&bearer).await, Verdict::Inactive);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_is_killed_and_comes_back() {
    goes_down(RedisServer::kill9, |redis| redis.restart().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_hangs_and_continues() {
    goes_down(|redis| redis.pause().unwrap(), |redis| redis.resume().unwrap()).await;
}
