//! The builder of a manager.

use std::sync::Arc;

use super::background::{LastUses, MetricsPublisher, Tasks};
use super::events::Observer;
use super::lifetimes::{Lifetimes, Retention};
use super::load_queue::LoadQueue;
use super::login_turns::LoginTurns;
use super::refresh::RefreshRecordCache;
use super::relay::feed::RelayState;
use super::sealing::Sealing;
use super::shared_loads::SharedLoads;
use super::{Inner, TokenManager};
use crate::cache::{Cache, CacheConfig};
use crate::sessions::SessionPolicy;
use keyfob_core::bearer::BearerPrefix;
use keyfob_core::clock::{Clock, SystemClock};
use keyfob_core::random::{OsRandom, Random};
use keyfob_core::rotation::RefreshPolicy;
use keyfob_core::time::Ttl;
use keyfob_limit::{Limiter, Limits};
use keyfob_metrics::{HotCounters, Metrics};
#[cfg(feature = "seal")]
use keyfob_seal::KeyRing;
use keyfob_store::{IntoStore, MeasuredStore, Store};

/// Builds a [`TokenManager`]. Create it with [`TokenManager::builder`].
///
/// ```
/// use keyfob::manager::Lifetimes;
/// use keyfob::{MemoryStore, TokenManager, Ttl};
///
/// let manager = TokenManager::builder(MemoryStore::new()?)
///     .lifetimes(Lifetimes { session: Ttl::from_hours(8), ..Lifetimes::default() })
///     .last_use_precision(Ttl::from_mins(5))
///     .build();
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct TokenManagerBuilder {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    prefix: BearerPrefix,
    lifetimes: Lifetimes,
    retention: Retention,
    last_use_precision: Ttl,
    observations_per_second: u32,
    sample_uses: u32,
    cache: CacheConfig,
    limits: Option<Limits>,
    #[cfg(feature = "seal")]
    keys: Option<KeyRing>,
    refresh_policy: RefreshPolicy,
    sessions: Option<SessionPolicy>,
    metrics: Option<Metrics>,
}

impl TokenManagerBuilder {
    pub(super) fn new(store: impl IntoStore) -> Self {
        Self {
            store: store.into_store(),
            clock: Arc::new(SystemClock),
            random: Arc::new(OsRandom),
            prefix: BearerPrefix::default(),
            lifetimes: Lifetimes::default(),
            retention: Retention::QuarterOfLife,
            last_use_precision: Ttl::from_mins(1),
            observations_per_second: 100,
            sample_uses: 1_000,
            cache: CacheConfig::default(),
            limits: None,
            #[cfg(feature = "seal")]
            keys: None,
            refresh_policy: RefreshPolicy::default(),
            sessions: None,
            metrics: None,
        }
    }

    /// Sets the clock. Default: the system's.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Sets the source of randomness. Default: the operating system's. Do not set it in production.
    pub fn random(self, random: impl Random + 'static) -> Self {
        Self { random: Arc::new(random), ..self }
    }

    /// Sets the prefix of the bearer tokens that are issued. Default: `fob`.
    pub fn prefix(self, prefix: BearerPrefix) -> Self {
        Self { prefix, ..self }
    }

    /// Sets the default lifetimes. A grant can override them. Default: see [`Lifetimes`].
    pub fn lifetimes(self, lifetimes: Lifetimes) -> Self {
        Self { lifetimes, ..self }
    }

    /// Sets how long records are kept after the end of their tokens. Default:
    /// [`Retention::QuarterOfLife`].
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// Sets the precision of the time of a token's last use. Default: a minute. The last use of a
    /// token is written at most once in that time, however often the token is used.
    pub fn last_use_precision(self, precision: Ttl) -> Self {
        Self { last_use_precision: precision, ..self }
    }

    /// Sets the maximum number of observations that this process writes in a second. Further
    /// observations are only counted. 0 writes none. Default: 100.
    pub fn observations_per_second(self, max: u32) -> Self {
        Self { observations_per_second: max, ..self }
    }

    /// Records one of every `one_in` token uses as an observation. 0 records none. Default: 1,000.
    pub fn sample_uses(self, one_in: u32) -> Self {
        Self { sample_uses: one_in, ..self }
    }

    /// Seals everything in the store under the keys of a ring. Default: the store is not sealed.
    /// That is the fastest mode. Everyone who can read a store that is not sealed can read its
    /// records, and everyone who can write to it can make tokens.
    #[cfg(feature = "seal")]
    pub fn keys(self, ring: &KeyRing) -> Self {
        Self { keys: Some(ring.clone()), ..self }
    }

    /// Sets how many tokens are kept in memory, and how long after a revocation a node may still
    /// answer that a token is active; see [`TokenManager::validate`].
    pub fn cache(self, cache: CacheConfig) -> Self {
        Self { cache, ..self }
    }

    /// Sets the rate limits. [`TokenManager::admit`] applies the request limits,
    /// [`TokenManager::validate`] the limits of failed attempts. Default: none.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// Sets the default policy for the rotation of refresh tokens. A grant can override it.
    pub fn refresh_policy(self, policy: RefreshPolicy) -> Self {
        Self { refresh_policy: policy, ..self }
    }

    /// Sets how many sessions a subject may have. Default: any number.
    pub fn sessions(self, policy: SessionPolicy) -> Self {
        Self { sessions: Some(policy), ..self }
    }

    /// Sets the metrics recorder of the manager, its cache, limits, sealing and store calls.
    /// Default: the metrics of the store, if it has any, such as from `RedisConfig::with_metrics`;
    /// otherwise [`Metrics::global`].
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// Returns the manager.
    pub fn build(self) -> TokenManager {
        let configured = self.metrics.or_else(|| self.store.metrics());
        let metrics = configured.unwrap_or_else(Metrics::global);
        let store = match metrics.is_kept() {
            true => Arc::new(MeasuredStore::new(self.store, metrics.clone())),
            false => self.store,
        };
        #[cfg(feature = "seal")]
        let (store, sealing) = match &self.keys {
            Some(ring) => Sealing::around(store, ring, &self.random, &metrics),
            None => (store, Sealing::default()),
        };
        #[cfg(not(feature = "seal"))]
        let sealing = Sealing::default();
        let cache = Cache::new(self.cache, store.namespace().lanes(), &metrics);
        if let Some(cache) = &cache {
            store.watch(cache.watcher());
        }
        let namespace = store.namespace().clone();
        let inner = Inner {
            store,
            sealing,
            clock: self.clock,
            random: self.random,
            prefix: self.prefix,
            lifetimes: self.lifetimes,
            retention: self.retention,
            cache,
            bound: self.cache.max_staleness().as_duration(),
            refresh_policy: self.refresh_policy,
            sessions: self.sessions,
            refresh_records: RefreshRecordCache::default(),
            last_use: LastUses::new(self.last_use_precision),
            observer: Observer::new(self.observations_per_second, self.sample_uses),
            limiter: self.limits.map(|limits| Limiter::new(limits, namespace).metrics(&metrics)),
            loads: LoadQueue::new(&metrics),
            shared_loads: SharedLoads::default(),
            login_turns: LoginTurns::new(),
            tally: HotCounters::new(),
            publisher: MetricsPublisher::default(),
            metrics,
            new_events: tokio::sync::Notify::new(),
            relay: RelayState::default(),
            tasks: Tasks::new(),
            shutdown: tokio::sync::Mutex::default(),
        };
        TokenManager { inner: Arc::new(inner) }
    }
}

/// # Set-up
impl TokenManager {
    /// Returns a manager over `store` with the default settings. The store is given by value, or
    /// shared in an `Arc`.
    ///
    /// ```
    /// use std::sync::Arc;
    ///
    /// use keyfob::{MemoryStore, TokenManager};
    ///
    /// let manager = TokenManager::new(MemoryStore::new()?);
    /// let shared = Arc::new(MemoryStore::new()?);
    /// let nodes = [TokenManager::new(shared.clone()), TokenManager::new(shared)];
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn new(store: impl IntoStore) -> Self {
        Self::builder(store).build()
    }

    /// Returns a builder, to set up a manager over `store`.
    ///
    /// ```
    /// use keyfob::{CacheConfig, MemoryStore, TokenManager};
    ///
    /// let manager = TokenManager::builder(MemoryStore::new()?).cache(CacheConfig::OFF).build();
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn builder(store: impl IntoStore) -> TokenManagerBuilder {
        TokenManagerBuilder::new(store)
    }
}
