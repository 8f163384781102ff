//! A token that is revoked through one server is refused by the other one within the max staleness,
//! whatever fails in between.

use std::time::{Duration, Instant};

use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::{RedisSentinel, fresh_namespace, server};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio::time::sleep;

use crate::client::{Client, Verdict};
use crate::poll::{BOUND, PATIENCE, Poll};
use crate::replica::Deployment;

async fn issue(client: &Client) -> String {
    client.issue(&json!({"subject": "alice", "scopes": ["read"]})).await
}

async fn revoke(client: &Client, bearer: &str) -> Instant {
    let reply = client.revoke(bearer).await;
    assert_eq!(reply.status, 200, "{reply:?}");
    Instant::now()
}

/// A name of a store on a server of Redis.
fn store(port: u16) -> (String, String) {
    let namespace = fresh_namespace();
    (format!("redis://127.0.0.1:{port}/0?namespace={namespace}"), namespace)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_times_under_load() {
    let deployment = Deployment::init(&store(server().port()).0);
    let (a, b) = (deployment.serve(), deployment.serve());
    let load: Vec<_> = [&a, &b]
        .map(|replica| {
            let client = replica.client.clone();
            tokio::spawn(async move {
                loop {
                    let bearer = issue(&client).await;
                    assert_eq!(client.introspect(&bearer).await, Verdict::Active);
                }
            })
        })
        .into();
    let mut delays = Vec::new();
    for round in 0..100 {
        // Each server revokes for the other one.
        let (here, there) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        let bearer = issue(&here.client).await;
        let poll = Poll::begin(&there.client, &bearer).await;
        let returned = revoke(&here.client, &bearer).await;
        delays.push(poll.refused_after(returned).await);
    }
    delays.sort();
    assert!(load.iter().all(|task| !task.is_finished()), "the other requests have failed");
    load.iter().for_each(JoinHandle::abort);
    assert!(delays[50] < BOUND, "the median is {:?}", delays[50]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_other_server_is_stopped() {
    let deployment = Deployment::init(&store(server().port()).0);
    let (a, b) = (deployment.serve(), deployment.serve());
    for pause in [Duration::from_millis(20), BOUND * 2, Duration::from_secs(3)] {
        let bearer = issue(&a.client).await;
        let poll = Poll::begin(&b.client, &bearer).await;
        b.signal("STOP");
        let returned = revoke(&a.client, &bearer).await;
        sleep(pause).await;
        b.signal("CONT");
        poll.refused_after(returned).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_connections_of_the_other_server_are_silent() {
    let feed = Concerned::Saying("TRACKING");
    for concerned in [feed, Concerned::All] {
        let proxy = Proxy::to_port(server().port()).await.unwrap();
        let (direct, namespace) = store(server().port());
        let deployment = Deployment::init(&direct);
        let through = format!("redis://127.0.0.1:{}/0?namespace={namespace}", proxy.port());
        let (a, b) = (deployment.serve(), deployment.serve_through(&through));
        let bearer = issue(&a.client).await;
        let poll = Poll::begin(&b.client, &bearer).await;
        proxy.stall_those(concerned);
        let returned = revoke(&a.client, &bearer).await;
        sleep(BOUND * 2).await;
        proxy.heal();
        poll.refused_after(returned).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_the_connections_of_the_other_server_are_half_open() {
    let proxy = Proxy::to_port(server().port()).await.unwrap();
    let (direct, namespace) = store(server().port());
    let deployment = Deployment::init(&direct);
    let through = format!("redis://127.0.0.1:{}/0?namespace={namespace}", proxy.port());
    let (a, b) = (deployment.serve(), deployment.serve_through(&through));
    let bearer = issue(&a.client).await;
    let poll = Poll::begin(&b.client, &bearer).await;
    proxy.leave_half_open();
    let returned = revoke(&a.client, &bearer).await;
    poll.refused_after(returned).await;
    assert_eq!(b.client.introspect(&issue(&a.client).await).await, Verdict::Active, "it continues");
}

/// A revocation waits for a replica. Without that, a primary that was replaced a moment ago may take it and
/// lose it; the server then sends it to the new primary, which takes longer than the max staleness.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_a_replica_of_redis_becomes_the_primary() {
    let group = RedisSentinel::start(2).unwrap();
    let hosts = group.sentinels().join(",");
    let namespace = fresh_namespace();
    let url = format!("redis+sentinel://{hosts}/{}?namespace={namespace}&wait=1", group.service());
    let deployment = Deployment::init(&url);
    let (a, b) = (deployment.serve(), deployment.serve());
    let bearer = issue(&a.client).await;
    let old = group.primary().unwrap();
    for copy in group.servers().iter().filter(|server| server.port() != old.port()) {
        old.wait_until_copied_to(copy).unwrap();
    }
    let poll = Poll::begin(&b.client, &bearer).await;
    let new = tokio::task::block_in_place(|| group.failover().unwrap());
    assert_ne!(new.port(), old.port());
    let returned = revoke_until_it_is_done(&a.client, &bearer).await;
    poll.refused_after(returned).await;
    let role = new.info("replication").unwrap().get("role").cloned();
    assert_eq!(role.as_deref(), Some("master"));
    assert_eq!(b.client.introspect(&issue(&a.client).await).await, Verdict::Active, "it continues");
}

/// Revokes as a client does that comes back as Retry-After says.
async fn revoke_until_it_is_done(client: &Client, bearer: &str) -> Instant {
    let begun = Instant::now();
    loop {
        let reply = client.revoke(bearer).await;
        match reply.status {
            200 => return Instant::now(),
            503 => assert!(reply.headers.contains_key("retry-after")),
            _ => panic!("{reply:?}"),
        }
        assert!(begun.elapsed() < PATIENCE, "the token cannot be revoked: {reply:?}");
        sleep(Duration::from_millis(50)).await;
    }
}
