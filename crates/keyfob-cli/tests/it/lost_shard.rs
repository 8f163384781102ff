//! Commands on a cluster with a shard that is away, and on servers without a namespace.

use keyfob_testkit::redis::{RedisCluster, fresh_namespace, server};

use crate::harness::Keyfob;

#[test]
fn a_command_that_does_not_issue_creates_no_namespace() {
    let namespace = fresh_namespace();
    let keyfob = Keyfob::on(&format!("{}/?namespace={namespace}", server().url()));
    let id = "tok_01jz0000000000000000000000";
    let commands = [
        &["list"][..],
        &["count"],
        &["stats"],
        &["history", id],
        &["events"],
        &["revoke", "--all", "--yes"],
    ];
    for args in commands {
        let done = keyfob.run(args);
        assert!(done.status.code().is_some_and(|code| code != 0), "{args:?}: {done:?}");
        let keys = server().call(&["KEYS", &format!("{namespace}:*")]).unwrap();
        assert_eq!(keys.list().len(), 0, "{args:?}");
    }
    let done = keyfob.run(&["list"]).exits(3);
    done.says("(namespace_lost)").says("there is no namespace of this name").says("keyfob issue");
    // The first token creates it.
    keyfob.issue(&["--subject=a"]);
    assert_eq!(keyfob.run(&["list", "--json"]).exits(0).stdout.lines().count(), 1);
}

#[test]
fn commands_say_which_lanes_a_lost_shard_takes_away() {
    let cluster = RedisCluster::start().unwrap();
    for node in cluster.nodes() {
        node.call(&["CONFIG", "SET", "cluster-require-full-coverage", "no"]).unwrap();
    }
    let urls = cluster.urls();
    let nodes: Vec<_> = urls.iter().rev().map(|url| url.trim_start_matches("redis://")).collect();
    let url = format!("redis+cluster://{}?lanes=8&connect_timeout=300ms", nodes.join(","));
    // The key of the namespace is on the shard that will be away.
    let (namespace, slot) = loop {
        let namespace = fresh_namespace();
        let key = format!("{namespace}:meta");
        let slot = cluster.nodes()[0].call(&["CLUSTER", "KEYSLOT", &key]).unwrap().number();
        if slot < 5_000 {
            break (namespace, slot as u16);
        }
    };
    let keyfob = Keyfob::on(&format!("{url}&namespace={namespace}"));
    for number in 0..20 {
        keyfob.issue(&[&format!("--subject=user{number}")]);
    }
    let shard = cluster.primary_of_slot(slot).unwrap();
    let gone: Vec<_> = [shard].into_iter().chain(cluster.replicas_of(shard)).collect();
    gone.iter().for_each(|node| node.pause().unwrap());

    let doctor = keyfob.run(&["doctor", "--json"]).exits(1).object();
    let faults = |what: &str| {
        let is_fault = |finding: &&serde_json::Value| {
            finding["severity"] == "fault" && finding["what"] == what
        };
        doctor["findings"].as_array().unwrap().iter().filter(is_fault).count()
    };
    assert_eq!([faults("reachable"), faults("namespace"), faults("copies")], [1, 1, 1], "{doctor}");

    let revoked = keyfob.run(&["revoke", "--all", "--yes", "--json"]).exits(3);
    let answer = revoked.object();
    let pending = answer["lanes"]["pending"].as_u64().unwrap();
    assert!((1..8).contains(&pending), "{answer}");
    assert_eq!(answer["lanes"]["done"].as_u64().unwrap() + pending, 8, "{answer}");

    // The next command that writes finishes it.
    gone.iter().for_each(|node| node.resume().unwrap());
    cluster.wait_until_ok().unwrap();
    let begun = std::time::Instant::now();
    loop {
        let active = keyfob.run(&["count", "state:active", "--json"]);
        if active.status.success() && active.object()["count"] == 0 {
            break;
        }
        assert!(begun.elapsed().as_secs() < 40, "{active:?}");
    }
}
