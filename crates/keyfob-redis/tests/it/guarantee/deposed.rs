//! A node is cut off together with a primary that the sentinels then depose. The primary goes on
//! answering it: beats, loads, everything, and knows nothing of what is revoked elsewhere.

use std::time::Duration;

use keyfob::store::MonotonicInstant;
use keyfob_testkit::proxy::{Concerned, Proxy};
use keyfob_testkit::redis::{RedisSentinel, RedisServer};
use tokio::task::block_in_place;
use tokio::time::sleep;

use super::stage::*;

/// The user of the node that is cut off: by it its connections are told from all others.
const ISLAND: &str = "island";

fn server() -> RedisServer {
    RedisServer::builder().user(ISLAND, "pw", "~* &* +@all").start().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_node_in_its_part_of_the_network() {
    let (old, new) = block_in_place(|| (server(), server()));
    // All that is not of the island comes to the primary through here, and so does the island.
    let strait = Proxy::to_port(old.port()).await.unwrap();
    let group = block_in_place(|| RedisSentinel::around(old, strait.port(), vec![new])).unwrap();
    let mut bridges = Vec::new();
    for sentinel in group.sentinels() {
        bridges.push(Proxy::to(sentinel.parse().unwrap()).await.unwrap());
    }
    let listed: Vec<_> =
        bridges.iter().map(|bridge| format!("127.0.0.1:{}", bridge.port())).collect();
    let (sentinels, service) = (listed.join(","), group.service());
    let place = Place::new(8);
    let here = place.by(&crate::sentinel_url(&group));
    let there = place.by(&format!("redis+sentinel://{ISLAND}:pw@{sentinels}/{service}"));
    let stage = Stage::set(&here, &there, usual()).await;
    let watch = stage.watch();

    bridges.iter().for_each(Proxy::stall);
    strait.stall_those(Concerned::NotSaying(ISLAND));
    let cut = MonotonicInstant::now();
    let revoked = stage.revoke().await;
    sleep(usual().as_duration() * 2).await;
    block_in_place(|| {
        let old = &group.servers()[0];
        assert_eq!(old.info("replication").unwrap()["role"], "master", "it does not know");
        let clients = old.call(&["CLIENT", "LIST"]).unwrap().to_string();
        assert!(clients.contains("user=island"), "the node still reaches it");
        let primary = group.primary().unwrap();
        assert_eq!(primary.port(), group.servers()[1].port(), "the others have another");
    });
    let last = watch.last_active();
    revoked.assert_kept(&last, usual());
    assert!(last[LIVES] < cut.after(Duration::from_secs(1)), "nothing can be known any more");
    bridges.iter().for_each(Proxy::heal);
    strait.heal();
    stage.judge(watch, &revoked).await;
}
