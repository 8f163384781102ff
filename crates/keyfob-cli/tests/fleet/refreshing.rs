//! One refresh token at two servers.

use std::time::Duration;

use futures_util::future::join_all;
use keyfob_testkit::redis::{fresh_namespace, server};
use serde_json::{Value, json};

use crate::client::{Client, Verdict};
use crate::replica::Deployment;

/// The grace period of a rotation.
const GRACE: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_exchanges_at_once_get_one_pair_and_a_later_one_ends_the_family() {
    let namespace = fresh_namespace();
    let url = format!("redis://127.0.0.1:{}/0?namespace={namespace}", server().port());
    let deployment = Deployment::init(&url);
    let (a, b) = (deployment.serve(), deployment.serve());
    let key = a.client.issue(&json!({"kind": "api-key", "client": "app"})).await;
    let [app_at_a, app_at_b] = [&a, &b].map(|replica| replica.client.with_key(&key));
    let refresh = json!({"kind": "refresh", "subject": "alice", "client": "app"});
    let first = a.client.issue(&refresh).await;

    let clients = [&app_at_a, &app_at_b].into_iter().cycle().take(50);
    let replies = join_all(clients.map(|client| client.refresh(&first))).await;
    let pair = |reply: &crate::client::Reply| {
        assert_eq!(reply.status, 200, "{reply:?}");
        (reply.text("access_token"), reply.text("refresh_token"))
    };
    let (access, next) = pair(&replies[0]);
    for reply in &replies {
        assert_eq!(pair(reply), (access.clone(), next.clone()));
    }
    assert_eq!(b.client.introspect(&access).await, Verdict::Active);

    tokio::time::sleep(GRACE + Duration::from_millis(500)).await;
    let late = app_at_b.refresh(&first).await;
    assert_eq!((late.status, late.text("error")), (400, "invalid_grant".to_owned()));
    // The newest pair ends too.
    let newest = app_at_a.refresh(&next).await;
    assert_eq!((newest.status, newest.text("error")), (400, "invalid_grant".to_owned()));
    for replica in [&a, &b] {
        assert_eq!(replica.client.introspect(&access).await, Verdict::Inactive);
    }
    let reuse = events(&a.client, "keyfob.token.reuse_detected").await;
    let [reuse] = &*reuse else { panic!("one event is expected: {reuse:?}") };
    assert_eq!(reuse["data"]["presented"], 0);
    assert_eq!(reuse["data"]["generation"], 1);
    assert_eq!(reuse["data"]["forged"], false);
}

/// Reads all events of one type.
async fn events(client: &Client, kind: &str) -> Vec<Value> {
    let (mut events, mut after) = (Vec::new(), "start".to_owned());
    loop {
        let page = client.get(&format!("/v1/events?after={after}")).await;
        assert_eq!(page.status, 200, "{page:?}");
        let page = page.json();
        events.extend(
            page["events"].as_array().unwrap().iter().filter(|e| e["type"] == kind).cloned(),
        );
        if page["more"] != true {
            return events;
        }
        page["cursor"].as_str().unwrap().clone_into(&mut after);
    }
}
