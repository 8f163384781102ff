//! The keyfob store on Redis 7.0 or later, or Valkey: one server, one primary under Sentinel, or a
//! cluster.
//!
//! ```no_run
//! # async fn demo() -> Result<(), keyfob::store::StoreError> {
//! use keyfob_redis::RedisStore;
//!
//! let store = RedisStore::connect("redis://127.0.0.1:6379").await?;
//! # Ok(()) }
//! ```
//!
//! # Addresses
//!
//! | URL | servers |
//! |---|---|
//! | `redis://[user[:password]@]host[:port][/database]` | one |
//! | `redis+sentinel://[user:password@]s1[:port],s2…/name[/database]` | the primary `name` |
//! | `redis+cluster://[user:password@]a[:port],b…` | a cluster |
//! | `rediss://`, `rediss+sentinel://`, `rediss+cluster://` | the same over TLS |
//!
//! Options follow a `?`: `namespace` (`keyfob`), `lanes` (64; only when the namespace is created),
//! `wait` (0: for so many replicas a revocation waits), `response_timeout` (`500ms`),
//! `connect_timeout` (`1s`), `sentinel_password`, and `ca` (a file of certificates to trust).
//!
//! # Sentinels
//!
//! List all sentinels. The primary is the server that more than half of those listed name. A primary
//! that was deposed while it was cut off goes on answering those who still reach it, so no decision
//! rests on a majority older than the bound (250 ms, or the shortest of those who
//! [`watch`](keyfob_store::Store::watch)): they are asked again when what they said is older than half of
//! it, and five times within it while somebody watches. Without a majority a node answers
//! [`Unavailable`](keyfob_store::StoreError::Unavailable) until it reaches one again.
//!
//! # The feed
//!
//! Whoever [watches](keyfob_store::Store::watch) the store gets one more connection to each primary, on
//! which the server pushes what other nodes end (RESP3, `CLIENT TRACKING` on the signals of this
//! namespace), and sends a small write there five times within the bound. A user with an access list
//! needs `+del` for any revocation, `+hgetall` for counts, and `+client|tracking` to watch. A key that is deleted by hand,
//! past keyfob, is not told: revoke, or flush everything.
//!
//! # Fail-over
//!
//! Replication is asynchronous, so a primary that takes over may lack what the last one acknowledged.
//! Each store therefore does what it revoked in the last minute (10,000 at most) again on a primary
//! that is new for its lane, or that was restarted. That can end too much, never too little: an epoch
//! that is advanced again covers what was issued since. With a user who may not run `INFO`, each new
//! connection is taken for one to a new primary.
//!
//! # What is kept
//!
//! One string for each token, which the server drops when its time is over; indexes that drop
//! themselves; for each lane a hash of epochs and two capped streams; what limits count; and how many
//! tokens there are, in small hashes by when they end, which go when that is over. Nothing needs a janitor, and
//! with no keyfob running what has expired goes by itself. The server must not evict
//! (`maxmemory-policy noeviction`): [`Store::report`](keyfob_store::Store::report) says so if it does.
//!
//! # Rate limits
//!
//! A [`RedisStore`] is a [`LimitStore`](keyfob_limit::LimitStore) too: what is owed lies beside the
//! tokens, one short string for each key that owes something, and goes by itself when nothing is owed.
//! On one server a request is one script, however many limits count it. In a cluster it is one for
//! each slot, all at the same time, and when one refuses, the others are given back what was held.
//! [`LeasedLimits`](keyfob_store::LeasedLimits) over it asks far less often.
//!
//! # Limits
//!
//! Lists in order of expiry look at every leaf of an index: for a term under which millions lie that
//! takes tens of milliseconds of the server's time, in many small steps. Newest first does not.
//! Pages touch keys that they cannot declare (records and chunks, all in the slot of the declared
//! ones); Redis and Valkey allow that, some services that imitate them do not.

mod config;
mod feed;
mod keys;
mod net;
mod protocol;
mod record;
mod slot;
mod store;

pub use config::{Address, RedisConfig, Tls, Topology};
pub use store::RedisStore;

/// The README's example, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
