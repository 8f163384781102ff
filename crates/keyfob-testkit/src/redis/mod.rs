//! Real servers for tests: Redis or Valkey, standalone, as a cluster, or under sentinels.
//!
//! Each server listens on free ports of the loopback and works in its own folder. It is killed when
//! the tests end, also if they crash. Functions that start or call a server block the thread.
//!
//! The program is `$KEYFOB_REDIS_SERVER`, or the `redis-server` in the path.

mod cluster;
mod resp;
mod sentinel;
mod server;
mod shared;
#[cfg(test)]
mod tests;
#[cfg(feature = "tls")]
mod tls;

pub use crate::launch::{LaunchError, Program};
pub use cluster::RedisCluster;
pub use resp::Reply;
pub use sentinel::RedisSentinel;
pub use server::{CommandStats, RedisServer, RedisServerBuilder};
pub use shared::{cluster, fresh_namespace, sentinel, server};
#[cfg(feature = "tls")]
pub use tls::Certificates;

/// What is started.
const PROGRAM: Program = Program { name: "redis-server", variable: "KEYFOB_REDIS_SERVER" };
