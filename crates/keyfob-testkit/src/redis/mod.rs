//! Real servers for tests: Redis or Valkey, standalone, as a cluster, or under sentinels.
//!
//! Each listens on free ports of the loopback, works in a folder of its own, and is gone when the
//! tests are, however they end. What starts or asks a server waits for it: call it where a thread
//! may wait for a moment.
//!
//! The program is `$KEYFOB_REDIS_SERVER`, or the `redis-server` in the path.

mod cluster;
mod error;
mod process;
mod resp;
mod sentinel;
mod server;
mod shared;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;
mod watchdog;

pub use cluster::RedisCluster;
pub use error::LaunchError;
pub use resp::Reply;
pub use sentinel::RedisSentinel;
pub use server::{CommandStats, RedisServer, RedisServerBuilder};
pub use shared::{cluster, fresh_namespace, sentinel, server};
#[cfg(feature = "tls")]
pub use tls::Certificates;
