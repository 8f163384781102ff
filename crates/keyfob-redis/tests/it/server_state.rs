//! What the report says about a server that does not accept writes.

use std::io::Write;

use keyfob::store::prelude::*;
use keyfob::store::{Severity, StoreReport};
use keyfob_redis::RedisStore;
use keyfob_testkit::redis::{RedisCluster, RedisServer};

use crate::lost_shard::{Cluster, MetaKey};
use crate::support::*;

/// Returns the severity and the advice of the findings about `what`.
fn found(report: &StoreReport, what: &str) -> Vec<(Severity, String)> {
    let about = report.findings.iter().filter(|finding| finding.what == what);
    about.map(|finding| (finding.severity, finding.advice.clone())).collect()
}

#[track_caller]
fn is_fault(report: &StoreReport, what: &str, words: &[&str]) {
    let about = found(report, what);
    assert!(
        about.iter().any(|(severity, advice)| {
            *severity == Severity::Fault && words.iter().all(|word| advice.contains(word))
        }),
        "{what}, {words:?}: {report:?}"
    );
    assert!(!report.is_ready());
}

#[tokio::test]
async fn a_server_that_accepts_writes_is_reported_so() {
    let server = RedisServer::start().unwrap();
    let store = open(&config(&server.url(), 4)).await;
    let report = store.report().await.unwrap();
    for what in ["role", "write"] {
        assert_eq!(found(&report, what)[0].0, Severity::Good, "{report:?}");
    }
    // The test write leaves nothing behind.
    until("the key is gone", || server.call(&["DBSIZE"]).unwrap().number() <= 1).await;
}

#[tokio::test]
async fn a_replica_is_a_fault_and_a_dead_primary_is_named() {
    let primary = RedisServer::start().unwrap();
    let port = primary.port().to_string();
    let replica =
        RedisServer::builder().setting("replicaof", &format!("127.0.0.1 {port}")).start().unwrap();
    drop(open(&config(&primary.url(), 1)).await);
    primary.wait_until_copied_to(&replica).unwrap();
    let config: keyfob_redis::RedisConfig = replica.url().parse().unwrap();
    let store = open(&config.with_create(false)).await;
    let words = ["is a replica of 127.0.0.1", &port, "use the address of the primary"];
    is_fault(&store.report().await.unwrap(), "role", &words);
    primary.kill9();
    until("the link is down", || {
        replica.info("replication").unwrap()["master_link_status"] == "down"
    })
    .await;
    let report = store.report().await.unwrap();
    is_fault(&report, "role", &["has had no link to it", "Start the primary"]);
    assert!(found(&report, "write").is_empty(), "the role explains it: {report:?}");
}

#[tokio::test]
async fn full_memory_and_a_full_disk_are_faults() {
    let server = RedisServer::builder().setting("maxmemory", "1mb").start().unwrap();
    let config: keyfob_redis::RedisConfig = server.url().parse().unwrap();
    let store = RedisStore::open(config.with_create(false)).await.unwrap();
    let report = store.report().await.unwrap();
    is_fault(&report, "memory", &["of its memory limit of 1 MiB", "Raise maxmemory"]);
    is_fault(&report, "write", &["no memory left", "OOM"]);

    server.call(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    std::fs::create_dir(server.folder().join("dump.rdb")).unwrap();
    server.call(&["CONFIG", "SET", "save", "3600 1000000"]).unwrap();
    server.call(&["BGSAVE"]).unwrap();
    until("the snapshot fails", || {
        server.info("persistence").unwrap()["rdb_last_bgsave_status"] == "err"
    })
    .await;
    let report = store.report().await.unwrap();
    is_fault(&report, "disk", &["could not save a snapshot"]);
    is_fault(&report, "write", &["MISCONF"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_primary_of_a_cluster_is_written_to() {
    let cluster = RedisCluster::start().unwrap();
    let store = open(&config(&crate::cluster_url(&cluster), 16)).await;
    let report = store.report().await.unwrap();
    assert_eq!(found(&report, "write").len(), 3, "{report:?}");
    let poor = cluster.primaries()[0];
    poor.call(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    let report = store.report().await.unwrap();
    is_fault(&report, "write", &[&poor.port().to_string(), "OOM"]);
    let writes = found(&report, "write");
    assert_eq!(writes.iter().filter(|(severity, _)| *severity == Severity::Good).count(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_shard_does_not_hide_the_state_of_the_others() {
    let cluster = Cluster::start(MetaKey::Elsewhere).await;
    let store = open(&cluster.config).await;
    let busy = cluster.first_of_shard();
    busy.call(&["CONFIG", "SET", "busy-reply-threshold", "50"]).unwrap();
    let mut client = std::net::TcpStream::connect(("127.0.0.1", busy.port())).unwrap();
    client.write_all(b"EVAL \"while true do end\" 0\r\n").unwrap();
    until("it is busy", || {
        busy.call(&["PING"]).is_err_and(|error| error.to_string().starts_with("BUSY"))
    })
    .await;
    let report = store.report().await.unwrap();
    is_fault(&report, "reachable", &[&busy.port().to_string(), "BUSY"]);
    assert_eq!(found(&report, "write").len(), 2, "{report:?}");
    busy.call(&["SCRIPT", "KILL"]).unwrap();
    until("the script has ended", || busy.call(&["PING"]).is_ok()).await;
    assert_eq!(found(&store.report().await.unwrap(), "write").len(), 3);
}

#[tokio::test]
async fn opening_a_store_writes_no_test_key() {
    let server = RedisServer::start().unwrap();
    let config = config(&server.url(), 1);
    open(&config).await;
    let writes = || {
        let stats = server.info("commandstats").unwrap();
        stats.keys().filter(|name| *name == "cmdstat_del").count()
    };
    assert_eq!(writes(), 0);
    open(&config).await.report().await.unwrap();
    assert_eq!(writes(), 1, "the report writes one");
}
