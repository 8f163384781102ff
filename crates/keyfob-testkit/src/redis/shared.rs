//! Servers that all tests of a process share, each started at its first use. They stop when the
//! process ends; a test that breaks a server starts one of its own instead.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{RedisCluster, RedisSentinel, RedisServer};

/// The one standalone server.
///
/// # Panics
/// When it cannot be started.
pub fn server() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::start().unwrap_or_else(|error| panic!("{error}")))
}

/// The one cluster.
///
/// # Panics
/// When it cannot be started.
pub fn cluster() -> &'static RedisCluster {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| RedisCluster::start().unwrap_or_else(|error| panic!("{error}")))
}

/// The one primary with a replica under sentinels.
///
/// # Panics
/// When it cannot be started.
pub fn sentinel() -> &'static RedisSentinel {
    static SENTINEL: OnceLock<RedisSentinel> = OnceLock::new();
    SENTINEL.get_or_init(|| RedisSentinel::start(1).unwrap_or_else(|error| panic!("{error}")))
}

/// A name that no other test uses, for what it writes.
pub fn fresh_namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
