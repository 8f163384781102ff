//! Servers that all tests of a process share. Each is started at its first use and stopped when the
//! process ends. A test that breaks a server must start its own.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use super::{RedisCluster, RedisSentinel, RedisServer};

/// Returns the shared standalone server.
///
/// # Panics
/// If it cannot be started.
pub fn server() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| RedisServer::start().unwrap_or_else(|error| panic!("{error}")))
}

/// Returns the shared cluster.
///
/// # Panics
/// If it cannot be started.
pub fn cluster() -> &'static RedisCluster {
    static CLUSTER: OnceLock<RedisCluster> = OnceLock::new();
    CLUSTER.get_or_init(|| RedisCluster::start().unwrap_or_else(|error| panic!("{error}")))
}

/// Returns the shared primary with a replica and sentinels.
///
/// # Panics
/// If it cannot be started.
pub fn sentinel() -> &'static RedisSentinel {
    static SENTINEL: OnceLock<RedisSentinel> = OnceLock::new();
    SENTINEL.get_or_init(|| RedisSentinel::start(1).unwrap_or_else(|error| panic!("{error}")))
}

/// Returns a name for the data of one test.
pub fn fresh_namespace() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    format!("test-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}
