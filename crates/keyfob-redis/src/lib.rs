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
//! Options follow a `?`. A value is percent-encoded where it has a `%`, `&` or `#`.
//!
//! | option | default | what |
//! |---|---|---|
//! | `namespace` | `keyfob` | the name of the namespace |
//! | `lanes` | 64 | the number of lanes, only when the namespace is created |
//! | `wait` | 0 | the number of replicas that a revocation waits for |
//! | `connect_timeout` | `1s` | for a connection |
//! | `response_timeout` | `500ms` | for an answer |
//! | `budget` | `3s` | for a call with all its repetitions; see below |
//! | `ca` | those of the system | a file of certificates to trust |
//! | `cert`, `key` | none | files with the certificate that this node presents, and its key |
//! | `password_file` | none | a file with the password; the URL then names only the user, `redis://user@host`. Without this option, that user has no password |
//! | `password_command` | none | a command that prints the password; its words are separated by spaces |
//! | `password_lifetime` | none | how long the answer of either is valid |
//! | `sentinel_user`, `sentinel_password` | none | the login at the sentinels |
//! | `sentinel_password_file`, `sentinel_password_command` | none | where that password comes from |
//! | `when_emptied` | `refuse` | or `recreate`; see below |
//! | `witness` | none | a file with which a process notices that the store was rolled back while none ran; see `docs/recovery.md` |
//! | `address` | `checked` | or `fixed`; see below |
//! | `database` | 0 | the number of the database, only with `redis+unix://` |
//!
//! # Passwords and certificates that change
//!
//! Files of certificates are read again for the next connection when they have changed. A password from a
//! file, a command or your own [`PasswordSource`] is asked for again when a server refuses it, at most once a
//! second, and when three quarters of its lifetime have passed: open connections then log in again before
//! the server closes them. While a password is being changed, calls are repeated as far as their budget
//! allows. A command runs with the rights of this process, so take the URL only from a place that you trust.
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
//! there. A node never overwrites another namespace, and does not change over to one.
//!
//! In a cluster each lane has a copy of the namespace's key. A shard that is away takes only its own lanes
//! along, and one that comes back empty gets the key from the others.
//!
//! # Sentinels
//!
//! List all sentinels, or a name that leads to all of them. A sentinel counts once, however often it is listed
//! and by whichever address; a name counts as many sentinels as it ever led to. The primary is the server that more than half of the configured sentinels
//! name. A primary that was replaced while it was cut off continues to answer the nodes that still
//! reach it. So no decision rests on a majority older than the maximum staleness: 250 ms, or the
//! smallest value of the listeners that [`watch`](keyfob_store::Invalidations::watch) the store.
//! The sentinels are asked again when their last answer is older than half of that, and five times
//! within it while there are listeners. Without a majority a node answers
//! [`Unavailable`](keyfob_store::StoreError::Unavailable) until it reaches one again.
//!
//! Sentinels may call the primary by its host name or by its address: names that lead to the same address are
//! the same server. [`report`](keyfob_store::Maintenance::report) says what is not listed, listed twice, or
//! named differently. A user with an access list needs `+info`, `+sentinel|get-master-addr-by-name` and, for
//! the report, `+sentinel|sentinels` at the sentinels.
//!
//! # Hosts with several addresses
//!
//! The next address of a host is tried when one has not answered for a tenth of a second, and the first
//! connection wins. An address that did not answer delays no later connection.
//!
//! # Several runtimes
//!
//! A store may be used in another tokio runtime after the first has ended, as a `static` is in test suites. It
//! connects again and starts its tasks again there. Until then nothing is trusted.
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
//! # A store that is away
//!
//! A call that gets no answer is sent again until its budget has passed, so that a restart or a failover
//! within the budget is not noticed. When a server has not answered for the whole budget, calls to it fail
//! almost immediately with [`Unavailable`](keyfob_store::StoreError::Unavailable), without being sent; in a
//! cluster, only those to that server. The node looks for the server up to 40 times a second and continues by
//! itself when it answers. A rate limit does without the store as soon as the response timeout has passed
//! without an answer. If failovers take longer than three seconds, set a larger `budget`.
//!
//! # Failover
//!
//! Replication is asynchronous, so a primary that takes over may lack what the last one acknowledged. Each
//! store therefore sends the revocations of the last minute (at most 10,000) again to a primary that is
//! new for its lane, or that was restarted: its own, and those of other nodes, which it knows if it has an
//! invalidation listener. A load that such a primary answers waits for that. It can revoke too much, never too little: an epoch that is
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

pub use config::{
    Address, Password, PasswordCommand, PasswordFile, PasswordSource, RedisConfig, Tls, Topology,
    WhenEmptied,
};
pub use store::RedisStore;

/// The README's example, so that it compiles.
#[cfg(doctest)]
#[doc = include_str!("../../../README.md")]
struct Readme;
