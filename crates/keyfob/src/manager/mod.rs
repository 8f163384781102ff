//! The token manager: a token's whole life over any store.
//!
//! A manager decides; the store only makes each decision atomic. Each group of methods has a module:
//!
//! | module | what |
//! |---|---|
//! | `builder`, `lifetimes` | the settings of a manager |
//! | `issue` | issue one token, a pair, many, mint from another |
//! | `modify` | edit a stored record, again if it has changed |
//! | `validate` | a presented bearer token to its token, or a typed refusal |
//! | `client_key` | API keys whose clients authenticate by a key of their own |
//! | `derive` | a narrower token from a presented one, for a service that acts for the subject |
//! | `descent` | a token that is made from another is never wider |
//! | `settle` | what happens when a presented bearer token is not accepted |
//! | `login_turns` | logins of one subject take turns |
//! | `load_queue` | the budget of the loads that presented bearer tokens cause |
//! | `shared_loads` | one load for concurrent requests with the same token |
//! | `admit` | whether a request is within its limits |
//! | `read` | get, list, count, history, statistics |
//! | `refresh` | a refresh token exchanged for the next pair |
//! | `relay` | serve nodes that have no connection to the store |
//! | `rotate` | a new secret for an API key |
//! | `revoke` | one token, a family, all of a subject or a client, all that a filter matches, all |
//! | `keys` | the keys of a sealed store: reload, count, seal again, retire |
//! | `sealing` | whether the manager seals its store |
//! | `sessions` | sessions within a policy |
//! | `update` | change metadata |
//! | `background` | work that repeats (last uses, metrics), and the shutdown |
//! | `events` | events and observations: pages, streams, handlers |

mod admit;
mod background;
mod builder;
mod client_key;
mod derive;
mod descent;
mod documents;
mod events;
mod issue;
#[cfg(feature = "seal")]
mod keys;
mod lifetimes;
mod load_queue;
mod login_turns;
mod modify;
mod read;
mod refresh;
mod relay;
mod requester;
mod revoke;
mod rotate;
mod sealing;
mod sessions;
mod settle;
mod shared_loads;
mod update;
mod validate;

use std::sync::Arc;
use std::time::Duration;

pub use builder::TokenManagerBuilder;
pub use events::{EventPage, EventStream, HandlerTask, ObservationPage};
pub use issue::{IdempotencyKey, Issued, IssuedPair};
#[cfg(feature = "seal")]
pub use keys::{ResealProgress, ResealRun};
pub use lifetimes::{Lifetimes, Retention};
pub use read::{PageCursor, Paging, ResumeToken, TokenCount, TokenPage};
pub use refresh::{RefreshRequest, Refreshed};
pub use relay::Relay;
pub use revoke::{Leaked, RevokeOutcome, RevokeRequest, Sweep, SweepProgress};
pub use rotate::RotateRequest;
pub use update::UpdateRequest;
pub use validate::Explanation;

use crate::cache::{Cache, CacheReport};
use crate::codec::{self, Record};
use crate::error::Error;
use crate::sessions::SessionPolicy;
use keyfob_core::bearer::BearerPrefix;
use keyfob_core::clock::Clock;
use keyfob_core::id::TokenId;
use keyfob_core::random::Random;
use keyfob_core::rotation::RefreshPolicy;
use keyfob_core::text::Subject;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{LoginStamp, Token};
use keyfob_limit::Limiter;
use keyfob_metrics::{HotCounters, Metrics};
use keyfob_store::{Lane, Loaded, Operation, Severity, Store, StoreError, StoreReport};

/// Issues, validates, refreshes, lists and revokes tokens over a store.
///
/// Cloning a manager is cheap, and the clones share everything. Call [`TokenManager::shutdown`]
/// before the process ends, so that last uses and observations that wait in memory are written.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager, ValidationChain};
///
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let issued = manager
///     .issue(Grant::new(Kind::Session).subject("user123").audience("shop").scope("read"))
///     .await?;
///
/// let chain = ValidationChain::new().allow_audience("shop").require_scope("read");
/// let token = manager.validate(&issued.bearer, &chain).await?;
/// assert_eq!(token.subject.as_ref().map(|subject| subject.as_str()), Some("user123"));
///
/// manager.revoke(token.id, "user logout").await?;
/// let refused = manager.validate(&issued.bearer, &chain).await.unwrap_err();
/// assert_eq!(refused.code(), "token_revoked");
/// # manager.shutdown().await;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TokenManager {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Arc<dyn Store>,
    sealing: sealing::Sealing,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    prefix: BearerPrefix,
    lifetimes: Lifetimes,
    retention: Retention,
    cache: Option<Cache>,
    bound: Duration,
    refresh_policy: RefreshPolicy,
    sessions: Option<SessionPolicy>,
    login_turns: login_turns::LoginTurns,
    refresh_records: refresh::RefreshRecordCache,
    last_use: background::LastUses,
    observer: events::Observer,
    limiter: Option<Limiter>,
    loads: load_queue::LoadQueue,
    shared_loads: shared_loads::SharedLoads,
    metrics: Metrics,
    tally: HotCounters,
    publisher: background::MetricsPublisher,
    /// Notified of events that this process writes.
    new_events: tokio::sync::Notify,
    relay: relay::feed::RelayState,
    tasks: background::Tasks,
    /// Held while the manager shuts down.
    shutdown: tokio::sync::Mutex<()>,
}

/// # State
impl TokenManager {
    /// Begins the login of a subject. Call it before you authenticate the subject, and give the
    /// stamp to [`Grant::login`](crate::Grant::login). Then the login is refused if everything of the
    /// subject is revoked in between.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, Subject, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let subject = Subject::new("user123")?;
    /// let stamp = manager.begin_login(&subject).await?;
    /// // Check the password here.
    /// let grant = Grant::new(Kind::Session).subject("user123").login(stamp);
    /// let issued = manager.issue(grant).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`].
    pub async fn begin_login(&self, subject: &Subject) -> Result<LoginStamp, Error> {
        let at = self.now();
        let lane = self.inner.store.namespace().lane_of(subject);
        Ok(LoginStamp { stamp: self.inner.store.stamp(lane).await?, lane, at })
    }

    /// Returns the lane that all tokens of a subject are in. Events of one lane are in order.
    pub fn lane_of(&self, subject: &Subject) -> Lane {
        self.inner.store.namespace().lane_of(subject)
    }

    /// Checks the health and the settings of the store, and whether this node has the present keys.
    /// [`StoreReport::is_ready`] is for a readiness probe.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// let is_ready = manager.report().await.is_ok_and(|report| report.is_ready());
    /// assert!(is_ready);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::Store`] when the store does not answer.
    pub async fn report(&self) -> Result<StoreReport, Error> {
        let mut report = self.inner.store.report().await?;
        let key = self.inner.sealing.active_key();
        let floor = match self.inner.store.min_key_version().await {
            Ok(floor) => floor,
            // The report of the store says so.
            Err(StoreError::NamespaceLost { .. } | StoreError::AddressUnconfirmed { .. }) => {
                return Ok(report);
            }
            // A part of the store is away.
            Err(error @ StoreError::Unavailable { .. }) => {
                let advice =
                    format!("the oldest key that the store accepts cannot be read: {error}");
                report.find(Severity::Warning, "key ring", advice);
                return Ok(report);
            }
            Err(error) => return Err(error.into()),
        };
        if key.unwrap_or_default() < floor {
            let has = key.map_or("has no keys".to_owned(), |key| format!("seals under key {key}"));
            let advice = format!(
                "the store refuses what is not sealed under key {floor} or a newer one, and this \
                 node {has}: give it the current key ring"
            );
            report.find(Severity::Fault, "key ring", advice);
        }
        Ok(report)
    }

    /// Returns the size of the cache and the number of its hits and misses; `None` without a cache.
    /// It also publishes the metrics, which otherwise happens once a second.
    ///
    /// ```
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// if let Some(report) = manager.cache_report() {
    ///     println!("{} tokens, {} hits, {} misses", report.tokens, report.hits, report.misses);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn cache_report(&self) -> Option<CacheReport> {
        self.inner.publish();
        let report = self.inner.cache.as_ref().map(Cache::report)?;
        let (hits, misses) = self.inner.tally.hits_and_misses();
        Some(CacheReport { hits, misses, ..report })
    }

    /// Returns the metrics that the manager counts in.
    ///
    /// ```
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// assert!(manager.metrics().is_kept());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn metrics(&self) -> &Metrics {
        &self.inner.metrics
    }

    /// Returns the current time of the manager's clock.
    ///
    /// ```
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// println!("{}", manager.now());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// Returns a secret key for one purpose of yours. It is the same on every node of the namespace, and tells
    /// nothing about the keys of other purposes.
    pub fn key_for(&self, purpose: &str) -> [u8; 32] {
        self.inner.store.namespace().key_for(purpose)
    }

    /// Returns the prefix of the bearer tokens that the manager issues.
    ///
    /// ```
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// assert_eq!(manager.prefix().as_str(), "fob");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn prefix(&self) -> &BearerPrefix {
        &self.inner.prefix
    }

    /// Returns the max staleness: for how long after a revocation has returned this node may still decide
    /// "active".
    ///
    /// ```
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// assert_eq!(manager.max_staleness().as_millis(), 250);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn max_staleness(&self) -> Duration {
        self.inner.bound
    }
}

impl TokenManager {
    fn begin(&self) -> Result<Operation, Error> {
        Ok(Operation::begin(self.now(), &*self.inner.random)?)
    }

    /// Loads a record that many requests may ask for at the same time.
    async fn load_shared(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        self.inner.shared_loads.load(id, self.inner.store.load(id)).await
    }

    async fn load(&self, id: TokenId) -> Result<(Loaded, Record), Error> {
        let loaded = self.inner.store.load(id).await?.ok_or(Error::NotFound { id })?;
        let record = codec::decode(&loaded.body)?;
        Ok((loaded, record))
    }
}

fn token_of(loaded: &Loaded) -> Result<Token, Error> {
    Ok(codec::decode::<Record>(&loaded.body)?.into_token(loaded))
}
