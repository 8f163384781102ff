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
//! | `redis+unix://[user:password@]/path` | one on this machine, by its unix socket; the option `database` selects a database |
//! | `rediss://`, `rediss+sentinel://`, `rediss+cluster://` | the same over TLS |
//!
//! Options follow a `?`: `namespace` (`keyfob`), `lanes` (64; only when the namespace is created),
//! `wait` (0; the number of replicas that a revocation waits for), `response_timeout` (`500ms`),
//! `connect_timeout` (`1s`), `sentinel_password`, `ca` (a file of certificates to trust), and `when_emptied`
//! (`refuse`; see below), `address` (`checked`; see below).
//!
//! # A store that comes back empty
//!
//! A server that was emptied, or restarted without its data, has lost the namespace: the next
//! process that opens it creates another one, whose revocations a running node would not find. So
//! every node compares the namespace with the one that it opened, in each heartbeat and before it
//! uses an answer that is older than half of the maximum staleness. Each lane has a tag of its
//! namespace, which every script that writes to the lane compares. A node whose namespace is gone
//! or replaced answers [`NamespaceLost`](keyfob_store::StoreError::NamespaceLost) to everything.
//! With `when_emptied=recreate` a node creates its namespace again and continues; every token is
//! gone. That is not the default, because a node that reached the wrong server would do the same
//! there.
//!
//! # Sentinels
//!
//! List all sentinels. The primary is the server that more than half of the configured sentinels
//! name. A primary that was replaced while it was cut off continues to answer the nodes that still
//! reach it. So no decision rests on a majority older than the maximum staleness: 250 ms, or the
//! smallest value of the listeners that [`watch`](keyfob_store::Invalidations::watch) the store.
//! The sentinels are asked again when their last answer is older than half of that, and five times
//! within it while there are listeners. Without a majority a node answers
//! [`Unavailable`](keyfob_store::StoreError::Unavailable) until it reaches one again.
//!
//! # An address that moves
//!
//! The address of a single server may come to lead to another one, while connections to the former one stay
//! open. So a node makes a new connection by the address five times in two max stalenesses, reads the
//! server's run id, and closes it. An answer counts from the time at which the last such connection to the
//! same run was begun. If it finds another run, the node connects there and empties its cache. If none can be
//! made, it answers [`AddressUnconfirmed`](keyfob_store::StoreError::AddressUnconfirmed). A user with an
//! access list needs `+info` for that. `address=fixed` turns it off.
//!
//! # The invalidation feed
//!
//! A process that [watches](keyfob_store::Invalidations::watch) the store gets one more connection to each
//! primary. On it the server pushes what other nodes revoke and replace (RESP3, `CLIENT TRACKING` on the
//! signals of this namespace), and the store sends a small write, the heartbeat, five times within the
//! maximum staleness. A user with an access list needs `+del` for any revocation, `+hgetall` for counts, and
//! `+client|tracking` to watch. A key that is deleted by hand, without keyfob, is not reported: revoke the
//! token, or flush everything.
//!
//! # Failover
//!
//! Replication is asynchronous, so a primary that takes over may lack what the last one acknowledged. Each
//! store therefore sends the revocations of its last minute (at most 10,000) again to a primary that is
//! new for its lane, or that was restarted. That can revoke too much, never too little: an epoch that is
//! advanced again covers what was issued since. With a user who may not run `INFO`, each new connection
//! counts as one to a new primary.
//!
//! # What is stored
//!
//! One string for each token, which the server deletes when it expires; indexes that expire with
//! their tokens; for each lane a hash of epochs and two capped streams; the debts of rate limits;
//! and the numbers of tokens, in small hashes by the time at which the tokens end, which expire
//! then. Nothing needs cleaning up: expired data goes by itself, even if no keyfob is running. The
//! server must not evict (`maxmemory-policy noeviction`);
//! [`report`](keyfob_store::Maintenance::report) warns if it does.
//!
//! # Rate limits
//!
//! A [`RedisStore`] is a [`LimitStore`](keyfob_limit::LimitStore) too. The debts are stored beside the
//! tokens: one short string for each key that owes something. It expires when the debt has drained. On one
//! server a request is one script, however many limits count it. In a cluster it is one script for each
//! slot, all at the same time. If one refuses, the permits that the others took are given back.
//! [`LeasedLimits`](keyfob_limit::LeasedLimits) over this store sends far fewer requests.
//!
//! # Limits
//!
//! Lists in order of expiry read every leaf of an index. For a term with millions of tokens that takes tens
//! of milliseconds of the server's time, in many small steps. Lists of the newest first do not. Pages read
//! keys that they cannot declare (records and chunks, all in the slot of the declared keys). Redis and
//! Valkey allow that; some compatible services do not.
//!
//! # Source
//!
//! The keys, arguments and layouts that Rust and the Lua scripts share are described in `protocol`. The
//! assembled scripts are in `tests/scripts`.

mod config;
mod connections;
mod feed;
mod keys;
mod namespace_guard;
mod protocol;
mod record;
mod slot;
mod store;

pub use config::{Address, RedisConfig, Tls, Topology, WhenEmptied};
pub use store::RedisStore;

/// The README's example, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
