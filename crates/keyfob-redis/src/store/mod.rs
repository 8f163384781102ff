//! The store: each verb of the contract is one script on the server that owns the lane.

mod feed;
mod keeper;
mod limit;
mod meta;
mod page;
mod read;
mod recent;
mod report;
mod reseal;
mod revoke;
mod tallies;
mod walk;
mod write;

use keyfob_store::{
    Advance, Advanced, BucketCounts, Consume, Consumed, Counting, Cursor, EntryPage, EventLog,
    Feed, Insert, Inserted, InvalidationListener, Invalidations, KeyVersion, Lane, LastUse, Loaded,
    Maintenance, Namespace, Operation, Query, RecordPage, RecordStore, Replace, Replaced, Reseal,
    Resealed, Resealing, Revoke, Revoked, Stamp, StoreError, StoreReport, Term, TermIndex,
    Timestamp, TokenId,
};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use keyfob_limit::{Charge, Charged, LimitStore};
use tokio::task::JoinHandle;

use crate::config::RedisConfig;
use crate::keys::Keys;
use crate::net::{Arg, Net};
use crate::script::Scripts;

/// A store on Redis or Valkey.
pub struct RedisStore {
    shared: Arc<Shared>,
    keeper: Mutex<Option<JoinHandle<()>>>,
}

/// What the store's own task uses too.
struct Shared {
    config: RedisConfig,
    namespace: Namespace,
    created: Timestamp,
    keys: Arc<Keys>,
    scripts: Arc<Scripts>,
    net: Arc<Net>,
    feed: Arc<crate::feed::Feed>,
    recent: recent::Recent,
    refusals: limit::Refusals,
}

impl RedisStore {
    /// Opens the namespace that a URL names, and creates it if it is not there; see the
    /// documentation of the crate for what a URL may say.
    ///
    /// # Errors
    /// [`StoreError::Misconfigured`] for a URL or settings that make no sense or a server that is too
    /// old,
    /// [`StoreError::Unavailable`] when no server answers, and [`StoreError::NotAStore`] or
    /// [`StoreError::NewerFormat`] for what is found there.
    pub async fn connect(url: &str) -> Result<Self, StoreError> {
        Self::open(url.parse()?).await
    }

    /// Opens the namespace that `config` names, and creates it if it is not there. What
    /// [`Store::report`] finds wrong with the servers is said in the log.
    ///
    /// # Errors
    /// As [`RedisStore::connect`].
    pub async fn open(config: RedisConfig) -> Result<Self, StoreError> {
        let scripts = Arc::new(Scripts::new(config.leaf));
        let net = Arc::new(Net::new(&config, Arc::clone(&scripts))?);
        let meta::Meta { namespace, created } = meta::open(&config, &net, &scripts).await?;
        let keys = Arc::new(Keys::new(&config.namespace, namespace.lanes()));
        let shared = Arc::new(Shared {
            config,
            namespace,
            created,
            keys,
            scripts,
            net,
            feed: Arc::default(),
            recent: recent::Recent::default(),
            refusals: limit::Refusals::default(),
        });
        shared.check_servers().await?;
        // From here on it is known which primary is a new one.
        shared.do_again_where_lost().await;
        let keeper = keeper::start(&shared);
        Ok(Self { shared, keeper: Mutex::new(Some(keeper)) })
    }

    fn stop_keeper(&self) {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(keeper) = keeper.take() {
            keeper.abort();
        }
    }
}

impl Shared {
    fn now(&self) -> Timestamp {
        self.config.clock.now()
    }

    /// How many entries a lane's stream keeps about.
    fn feed_cap(&self) -> u64 {
        (self.config.feed_cap / u64::from(self.namespace.lanes().get())).max(1)
    }

    /// When a stream that is written to now may go. In coarse steps, so that most writes find it
    /// set already.
    fn feed_end(&self) -> Arg {
        let retention = self.config.feed_retention;
        let step = (retention.as_millis() / 168).max(1);
        let end = (self.now() + retention).as_millis();
        Arg::Local(Timestamp::from_millis(end.next_multiple_of(step)))
    }

    /// The arguments that all scripts which append events begin with.
    fn with_events(&self, first: [Arg; 2], events: Vec<Vec<u8>>) -> Vec<Arg> {
        let mut args = Vec::with_capacity(16 + events.len());
        args.extend(first);
        args.extend([Arg::from(self.feed_cap()), self.feed_end(), (events.len() as u64).into()]);
        args.extend(events.into_iter().map(Arg::from));
        args
    }
}

#[async_trait]
impl LimitStore for RedisStore {
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        limit::charge(&self.shared, charges).await
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RedisStore").field(&self.shared.config.to_string()).finish()
    }
}

impl Drop for RedisStore {
    fn drop(&mut self) {
        self.stop_keeper();
    }
}

#[async_trait]
impl RecordStore for RedisStore {
    fn namespace(&self) -> &Namespace {
        &self.shared.namespace
    }

    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError> {
        self.shared.insert(operation, insert).await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        self.shared.load(id).await
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let _telling = self.shared.feed.telling(replace.changes());
        self.shared.replace(operation, replace).await
    }

    async fn consume(
        &self,
        operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        self.shared.consume(operation, consume.id).await
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.shared.touch(uses).await
    }

    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError> {
        let _telling = self.shared.feed.telling(revoke.changes());
        self.shared.revoke(operation, revoke).await
    }

    async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let _telling = self.shared.feed.telling(advance.changes(self.namespace().lanes()));
        self.shared.advance(operation, advance).await
    }

    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        self.shared.stamp(lane).await
    }

    async fn time_of(&self, lane: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.shared.net.time_of(self.shared.keys.slot(lane), at).await
    }
}

#[async_trait]
impl TermIndex for RedisStore {
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        self.shared.query(query).await
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.shared.count(term, lane).await
    }
}

#[async_trait]
impl EventLog for RedisStore {
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.shared.observe(lane, entries).await
    }

    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        self.shared.entries(feed, after, limit).await
    }

    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        self.shared.latest(feed).await
    }
}

#[async_trait]
impl Counting for RedisStore {
    async fn tallies(&self) -> Result<Vec<BucketCounts>, StoreError> {
        self.shared.tallies().await
    }
}

#[async_trait]
impl Resealing for RedisStore {
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        self.shared.reseal(operation, reseal).await
    }

    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        self.shared.min_key_version().await
    }

    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        self.shared.raise_min_key_version(floor).await
    }
}

#[async_trait]
impl Invalidations for RedisStore {
    fn watch(&self, watcher: &Arc<InvalidationListener>) {
        self.shared.feed.watch(watcher);
    }
}

#[async_trait]
impl Maintenance for RedisStore {
    async fn report(&self) -> Result<StoreReport, StoreError> {
        self.shared.report().await
    }

    async fn close(&self) {
        self.stop_keeper();
        self.shared.net.close();
    }
}
