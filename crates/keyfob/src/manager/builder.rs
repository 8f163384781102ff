//! How a manager is set up.

use std::sync::Arc;

use super::background::Tasks;
use super::background::last_use::LastUses;
use super::background::metrics::MetricsPublisher;
use super::events::observations::Observer;
use super::known::Known;
use super::{Inner, TokenManager};
use crate::bearer::BearerPrefix;
use crate::cache::{Cache, CacheConfig};
use crate::clock::{Clock, SystemClock};
use crate::limit::{Limiter, Limits};
use crate::metrics::{HotCounters, Metrics};
use crate::random::{OsRandom, Random};
use crate::rotation::RefreshPolicy;
use crate::seal::{KeyRing, SealedStore};
use crate::sessions::SessionPolicy;
use crate::store::{IntoStore, MeasuredStore, Store};
use crate::time::{Timestamp, Ttl};
use crate::token::Kind;

/// How long tokens of each kind live unless the grant says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// Access tokens: an hour.
    pub access: Ttl,
    /// Refresh tokens: 30 days.
    pub refresh: Ttl,
    /// API keys: 365 days.
    pub api_key: Ttl,
    /// Sessions: a day.
    pub session: Ttl,
}

/// How long a record is kept beyond the end of its token, so that a refusal can be explained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retention {
    /// A quarter of the token's life, at most a minute: what is usual. Short-lived tokens do not
    /// pile up, and lists in order of expiry are in order to a minute.
    QuarterOfLife,
    /// Always so long; lists in order of expiry are exact.
    For(Ttl),
    /// Not at all: an expired token is an unknown one.
    None,
}

/// Sets a [`TokenManager`] up.
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
    sampled_use: u32,
    cache: CacheConfig,
    limits: Option<Limits>,
    keys: Option<KeyRing>,
    refresh_policy: RefreshPolicy,
    sessions: Option<SessionPolicy>,
    metrics: Option<Metrics>,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access: Ttl::from_hours(1),
            refresh: Ttl::from_days(30),
            api_key: Ttl::from_days(365),
            session: Ttl::from_days(1),
        }
    }
}

impl Lifetimes {
    pub(super) fn of(&self, kind: Kind) -> Ttl {
        match kind {
            Kind::Access => self.access,
            Kind::Refresh => self.refresh,
            Kind::ApiKey => self.api_key,
            Kind::Session => self.session,
        }
    }
}

impl Retention {
    /// When a record may go whose token was issued at `start` and ends at `end`.
    pub(super) fn keep_until(self, start: Timestamp, end: Option<Timestamp>) -> Timestamp {
        let Some(end) = end else { return Timestamp::MAX };
        match self {
            Self::None => end,
            Self::For(ttl) => end + ttl,
            Self::QuarterOfLife => {
                let life = end.since(start).map_or(0, Ttl::as_millis);
                let quarter = Ttl::from_millis(life / 4).ok();
                quarter.map_or(end, |quarter| end + quarter.min(Ttl::from_mins(1)))
            }
        }
    }
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
            sampled_use: 1000,
            cache: CacheConfig::default(),
            limits: None,
            keys: None,
            refresh_policy: RefreshPolicy::default(),
            sessions: None,
            metrics: None,
        }
    }

    /// Where the time comes from.
    pub fn clock(self, clock: impl Clock + 'static) -> Self {
        Self { clock: Arc::new(clock), ..self }
    }

    /// Where randomness comes from. In production, leave it as it is.
    pub fn random(self, random: impl Random + 'static) -> Self {
        Self { random: Arc::new(random), ..self }
    }

    /// The word that bearers start with: `fob` unless it is set.
    pub fn prefix(self, prefix: BearerPrefix) -> Self {
        Self { prefix, ..self }
    }

    /// How long tokens live unless the grant says.
    pub fn lifetimes(self, lifetimes: Lifetimes) -> Self {
        Self { lifetimes, ..self }
    }

    /// How long records are kept beyond the end of their tokens.
    pub fn retention(self, retention: Retention) -> Self {
        Self { retention, ..self }
    }

    /// How precisely it is known when a token was last used: a minute unless it is set. A token is
    /// written at most once in so long, however often it is used.
    pub fn last_use_precision(self, precision: Ttl) -> Self {
        Self { last_use_precision: precision, ..self }
    }

    /// The most observations that this process writes in a second; the rest is counted.
    pub fn observations_per_second(self, most: u32) -> Self {
        Self { observations_per_second: most, ..self }
    }

    /// One in how many uses is observed; 0 is none.
    pub fn sampled_use(self, one_in: u32) -> Self {
        Self { sampled_use: one_in, ..self }
    }

    /// Seals all that the store holds under the keys of a ring. Without, the store is **bare**: the
    /// fastest mode, in which whoever has the store can read it, and whoever can write to it can
    /// make tokens.
    pub fn keys(self, ring: &KeyRing) -> Self {
        Self { keys: Some(ring.clone()), ..self }
    }

    /// How many tokens are kept in memory, and how long after a revocation a node may still decide
    /// "active"; see [`TokenManager::validate`].
    pub fn cache(self, cache: CacheConfig) -> Self {
        Self { cache, ..self }
    }

    /// The limits that [`TokenManager::admit`] applies, and those of failed attempts that
    /// [`TokenManager::validate`] does.
    pub fn limits(self, limits: Limits) -> Self {
        Self { limits: Some(limits), ..self }
    }

    /// How refresh tokens are rotated unless the grant says.
    pub fn refresh_policy(self, policy: RefreshPolicy) -> Self {
        Self { refresh_policy: policy, ..self }
    }

    /// How many sessions a subject may have; any number unless it is set.
    pub fn sessions(self, policy: SessionPolicy) -> Self {
        Self { sessions: Some(policy), ..self }
    }

    /// Where the manager counts what happens: itself, its cache, its limits, its sealing, and the
    /// calls of its store. Default: the metrics that the store was given, such as by
    /// `RedisConfig::with_metrics`; without those, [`Metrics::global`].
    pub fn metrics(self, metrics: Metrics) -> Self {
        Self { metrics: Some(metrics), ..self }
    }

    /// The manager.
    pub fn build(self) -> TokenManager {
        let given = self.metrics.or_else(|| self.store.metrics());
        let metrics = given.unwrap_or_else(Metrics::global);
        let store = match metrics.is_kept() {
            true => Arc::new(MeasuredStore::new(self.store, metrics.clone())),
            false => self.store,
        };
        let seal = |ring| {
            let sealed = SealedStore::with(store.clone(), ring, self.random.clone());
            sealed.metrics(metrics.clone())
        };
        let sealed = self.keys.as_ref().map(seal).map(Arc::new);
        let store = sealed.clone().map_or(store, |sealed| sealed);
        let cache = Cache::new(self.cache, store.namespace().lanes(), &metrics);
        if let Some(cache) = &cache {
            store.watch(cache.watcher());
        }
        let namespace = store.namespace().clone();
        let inner = Inner {
            store,
            sealed,
            clock: self.clock,
            random: self.random,
            prefix: self.prefix,
            lifetimes: self.lifetimes,
            retention: self.retention,
            cache,
            bound: self.cache.bound().as_duration(),
            refresh_policy: self.refresh_policy,
            sessions: self.sessions,
            known: Known::default(),
            last_use: LastUses::new(self.last_use_precision),
            observer: Observer::new(self.observations_per_second, self.sampled_use),
            limiter: self.limits.map(|limits| Limiter::new(limits, namespace).metrics(&metrics)),
            tally: HotCounters::new(),
            publisher: MetricsPublisher::default(),
            metrics,
            new_events: tokio::sync::Notify::new(),
            tasks: Tasks::new(),
            shutdown: tokio::sync::Mutex::default(),
        };
        TokenManager { inner: Arc::new(inner) }
    }
}
