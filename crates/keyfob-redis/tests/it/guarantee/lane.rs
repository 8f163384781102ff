//! In a cluster, a lane moves to another primary, by a resharding or because its primary is killed.

use keyfob_testkit::redis::{RedisCluster, RedisServer};
use tokio::task::block_in_place;

use super::scenario::*;
use crate::support::{keys, until};

/// Returns the slot of the only lane of a namespace.
fn slot_of(cluster: &RedisCluster, namespace: &TestNamespace) -> u16 {
    let config = namespace.by(&crate::cluster_url(cluster));
    let found = cluster.nodes().iter().flat_map(|node| keys(node, &config, "l*")).next().unwrap();
    let slot = cluster.nodes()[0].call(&["CLUSTER", "KEYSLOT", &found]).unwrap();
    slot.number() as u16
}

/// Moves a slot as a resharding does.
fn move_slot(cluster: &RedisCluster, slot: u16, from: &RedisServer, to: &RedisServer) {
    let (slot, port) = (slot.to_string(), to.port().to_string());
    let id_of = |node: &RedisServer| node.call(&["CLUSTER", "MYID"]).unwrap().to_string();
    let (from_id, to_id) = (id_of(from), id_of(to));
    to.call(&["CLUSTER", "SETSLOT", &slot, "IMPORTING", &from_id]).unwrap();
    from.call(&["CLUSTER", "SETSLOT", &slot, "MIGRATING", &to_id]).unwrap();
    // Key names contain bytes that are not text, so a script on the server moves the keys.
    let script = "for _, key in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 1000)) do \
        redis.call('MIGRATE', '127.0.0.1', ARGV[2], key, 0, 5000) end";
    from.call(&["EVAL", script, "0", &slot, &port]).unwrap();
    to.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).unwrap();
    for node in cluster.primaries() {
        node.call(&["CLUSTER", "SETSLOT", &slot, "NODE", &to_id]).unwrap();
    }
}

fn other_than<'a>(cluster: &'a RedisCluster, primary: &RedisServer) -> &'a RedisServer {
    cluster.primaries().into_iter().find(|other| other.port() != primary.port()).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_is_moved_once_and_then_away_and_back() {
    let cluster = block_in_place(RedisCluster::start).unwrap();
    moved(&cluster).await;
    moved_away_and_back(&cluster).await;
}

async fn moved(cluster: &RedisCluster) {
    let namespace = TestNamespace::new(1);
    let config = namespace.by(&crate::cluster_url(cluster));
    let scenario = Scenario::start(&config, &config, default_max_staleness()).await;
    let slot = slot_of(cluster, &namespace);
    let from = cluster.primary_of_slot(slot).unwrap();
    let to = other_than(cluster, from);
    let poll = scenario.poll();
    let moving = async {
        block_in_place(|| move_slot(cluster, slot, from, to));
    };
    let (revoked, ()) = tokio::join!(scenario.revoke(), moving);
    scenario.check_guarantee(poll, &revoked).await;
}

/// Between two heartbeats: the primary that gets the lane back has not heard of the change, and no
/// listener was on the other server, which had no lane before.
async fn moved_away_and_back(cluster: &RedisCluster) {
    let namespace = TestNamespace::new(1);
    let config = namespace.by(&crate::cluster_url(cluster));
    // The time between heartbeats is a fifth of it.
    let bound = millis(4_000);
    let scenario = Scenario::start(&config, &config, bound).await;
    let slot = slot_of(cluster, &namespace);
    let home = cluster.primary_of_slot(slot).unwrap();
    let away = other_than(cluster, home);
    let beats = || home.command_stats().unwrap()["rename"].calls;
    let poll = scenario.poll();
    let before = beats();
    until("it beats", || beats() > before).await;
    let before = beats();
    block_in_place(|| move_slot(cluster, slot, home, away));
    let revoked = scenario.revoke().await;
    block_in_place(|| move_slot(cluster, slot, away, home));
    assert_eq!(beats(), before, "a heartbeat ran before the lane was back");
    scenario.check_guarantee(poll, &revoked).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn that_loses_its_primary() {
    let cluster = block_in_place(RedisCluster::start).unwrap();
    let namespace = TestNamespace::new(1);
    let config = namespace.by(&crate::cluster_url(&cluster));
    let scenario = Scenario::start(&config, &config, default_max_staleness()).await;
    let slot = slot_of(&cluster, &namespace);
    let lost = cluster.primary_of_slot(slot).unwrap();
    let poll = scenario.poll();
    block_in_place(|| lost.kill9());
    let revoked = scenario.revoke().await;
    scenario.check_guarantee(poll, &revoked).await;
}
