//! A node is cut off together with a primary that the sentinels then replace. The primary still
//! answers all calls and heartbeats of the node, but does not know later revocations.

use std::time::Duration;

use keyfob::store::MonotonicInstant;
use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::{RedisSentinel, RedisServer};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::scenario::*;

/// The user of the node that is cut off. It distinguishes the node's connections from all others.
const ISLAND: &str = "island";

fn server() -> RedisServer {
    RedisServer::builder().user(ISLAND, "pw", "~* &* +@all").start().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_node_in_the_same_part_of_the_network() {
    let (old, new) = block_in_place(|| (server(), server()));
    // All connections to the primary pass through this proxy, also those of the cut-off node.
    let strait = Proxy::to_port(old.port()).await.unwrap();
    let group = block_in_place(|| RedisSentinel::around(old, strait.port(), vec![new])).unwrap();
    let mut bridges = Vec::new();
    for sentinel in group.sentinels() {
        bridges.push(Proxy::to(sentinel.parse().unwrap()).await.unwrap());
    }
    let listed: Vec<_> =
        bridges.iter().map(|bridge| format!("127.0.0.1:{}", bridge.port())).collect();
    let (sentinels, service) = (listed.join(","), group.service());
    let namespace = TestNamespace::new(8);
    let here = namespace.by(&crate::sentinel_url(&group));
    let there = namespace.by(&format!("redis+sentinel://{ISLAND}:pw@{sentinels}/{service}"));
    let scenario = Scenario::start(&here, &there, default_max_staleness()).await;
    let poll = scenario.poll();

    bridges.iter().for_each(Proxy::stall);
    strait.stall_those(Concerned::NotSaying(ISLAND));
    let cut = MonotonicInstant::now();
    let revoked = scenario.revoke().await;
    sleep(default_max_staleness().as_duration() * 2).await;
    block_in_place(|| {
        let old = &group.servers()[0];
        assert_eq!(
            old.info("replication").unwrap()["role"],
            "master",
            "the old primary still reports itself as primary"
        );
        let clients = old.call(&["CLIENT", "LIST"]).unwrap().to_string();
        assert!(clients.contains("user=island"), "the node is still connected to the old primary");
        let primary = group.primary().unwrap();
        assert_eq!(
            primary.port(),
            group.servers()[1].port(),
            "the sentinels report another primary"
        );
    });
    let last = poll.last_active();
    revoked.assert_kept(&last, default_max_staleness());
    assert!(
        last[VALID] < cut.after(Duration::from_secs(1)),
        "the node must not accept a token after the cut"
    );
    bridges.iter().for_each(Proxy::heal);
    strait.heal();
    scenario.check_guarantee(poll, &revoked).await;
}
