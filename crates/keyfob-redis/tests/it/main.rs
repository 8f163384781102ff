//! The store on real servers.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod access;
mod away;
mod cleaning;
mod contract;
mod cost;
mod counts;
mod deposed;
mod emptied;
mod epochs;
mod error_table;
mod event_log;
mod fake;
mod families;
mod faults;
mod follow;
mod guarantee;
mod half_done;
mod index;
mod invalidation_feed;
mod limits;
mod logins;
mod lost_revocation;
mod lost_shard;
mod metrics;
mod open;
mod outage;
mod permissions;
mod rolled_back;
mod runtimes;
mod sealed;
mod sealed_edits;
mod secrets;
mod sentinels;
mod server_errors;
mod server_state;
mod silence;
mod startup;
mod support;
mod unfinished_advance;
mod unix_socket;
mod wrong_server;

use keyfob_testkit::redis::{RedisCluster, RedisSentinel};

fn cluster_url(cluster: &RedisCluster) -> String {
    let urls = cluster.urls();
    let nodes: Vec<_> = urls.iter().map(|url| url.trim_start_matches("redis://")).collect();
    format!("redis+cluster://{}", nodes.join(","))
}

fn sentinel_url(group: &RedisSentinel) -> String {
    format!("redis+sentinel://{}/{}", group.sentinels().join(","), group.service())
}
