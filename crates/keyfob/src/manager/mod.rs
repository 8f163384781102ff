//! The token manager: a token's whole life over any store.
//!
//! A manager decides; the store only makes each decision atomic. One module per thing that it can
//! be asked for:
//!
//! | module | what |
//! |---|---|
//! | `issue` | issue one, issue many, mint from another |
//! | `validate` | a presented bearer token to its token, or a typed refusal |
//! | `derive` | one from another that is presented, for somebody who acts |
//! | `descent` | what comes from another token is no wider |
//! | `settle` | what happens when a presented bearer token is not accepted |
//! | `admit` | whether a request is within its limits |
//! | `read` | get, list, count, history |
//! | `refresh` | a refresh token to its next pair |
//! | `known` | refresh tokens whose next rotation need not read them |
//! | `rotate` | a new secret for an API key |
//! | `revoke` | one, a family, everything of a subject, of a client, of all |
//! | `keys` | the keys of a sealed store: count, seal again, retire |
//! | `sessions` | sessions within a policy |
//! | `update` | change metadata |
//! | `background` | work that is done now and then: last uses, metrics |
//! | `events` | events and observations: pages, streams, handlers |

mod admit;
mod background;
mod builder;
mod derive;
mod descent;
mod events;
mod issue;
mod keys;
mod known;
mod modify;
mod read;
mod refresh;
mod revoke;
mod rotate;
mod sessions;
mod settle;
mod update;
mod validate;

use std::sync::Arc;
use std::time::Duration;

pub use builder::{Lifetimes, Retention, TokenManagerBuilder};
pub use events::{EventPage, EventStream, HandlerTask, ObservationPage};
pub use issue::Issued;
pub use keys::{ResealProgress, ResealRun};
pub use read::{PageCursor, Paging, ResumeToken, TokenPage};
pub use refresh::{RefreshRequest, Refreshed};
pub use revoke::{RevokeOutcome, RevokeRequest, Sweep, SweepProgress};
pub use rotate::RotateRequest;
pub use update::UpdateRequest;
pub use validate::Explanation;

use crate::bearer::BearerPrefix;
use crate::cache::{Cache, CacheReport};
use crate::clock::Clock;
use crate::codec::{self, Record};
use crate::error::Error;
use crate::id::TokenId;
use crate::limit::Limiter;
use crate::metrics::{HotCounters, Metrics};
use crate::random::Random;
use crate::rotation::RefreshPolicy;
use crate::seal::SealedStore;
use crate::sessions::SessionPolicy;
use crate::store::{IntoStore, Loaded, Operation, Severity, Store, StoreReport};
use crate::text::Subject;
use crate::time::Timestamp;
use crate::token::{LoginStamp, Token};

/// Issues tokens, answers for them, and takes them back.
///
/// Cloning it is cheap, and the clones share everything. Call [`TokenManager::shutdown`] before the
/// process ends, so that what is gathered in the background is written.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager, ValidationChain, RevokeRequest};
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
/// manager.revoke(token.id, RevokeRequest::reason("user logout")).await?;
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
    /// The same store, where what it holds is sealed.
    sealed: Option<Arc<SealedStore>>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    prefix: BearerPrefix,
    lifetimes: Lifetimes,
    retention: Retention,
    cache: Option<Cache>,
    bound: Duration,
    refresh_policy: RefreshPolicy,
    sessions: Option<SessionPolicy>,
    known: known::Known,
    last_use: background::last_use::LastUses,
    observer: events::observations::Observer,
    limiter: Option<Limiter>,
    metrics: Metrics,
    tally: HotCounters,
    publisher: background::metrics::MetricsPublisher,
    /// Notified of events that this process writes.
    new_events: tokio::sync::Notify,
    tasks: background::Tasks,
    /// Held while the manager shuts down.
    shutdown: tokio::sync::Mutex<()>,
}

impl TokenManager {
    /// Returns a manager over `store` with the default settings.
    pub fn new(store: impl IntoStore) -> Self {
        Self::builder(store).build()
    }

    /// Returns a builder for a manager over `store`: by value, or shared in an `Arc`.
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

    /// Begins the login of a subject: call it before you authenticate the subject, and give what
    /// it returns to the grant by `Grant::seen`. If everything of the subject is revoked in
    /// between, the login is refused instead of slipping through.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn begin_login(&self, subject: &Subject) -> Result<LoginStamp, Error> {
        let at = self.now();
        let lane = self.inner.store.namespace().lane_of(subject);
        Ok(LoginStamp { stamp: self.inner.store.stamp(lane).await?, lane, at })
    }

    /// The store's findings about its health and its settings.
    ///
    /// # Errors
    /// When the store cannot be asked.
    pub async fn report(&self) -> Result<StoreReport, Error> {
        let mut report = self.inner.store.report().await?;
        let key = self.inner.sealed.as_ref().map(|sealed| sealed.sealer().active());
        let floor = self.inner.store.min_key_version().await?;
        if key.unwrap_or_default() < floor {
            let has = key.map_or("has no keys".to_owned(), |key| format!("seals under key {key}"));
            let advice = format!(
                "the store refuses what is not sealed under key {floor} or a newer one, and this \
                 node {has}: give it the present key ring"
            );
            report.find(Severity::Fault, "key ring", advice);
        }
        Ok(report)
    }

    /// What the cache holds, and how often it had what was asked for; `None` without one. It also
    /// brings the metrics up to date, as happens once a second by itself.
    pub fn cache_report(&self) -> Option<CacheReport> {
        self.inner.publish();
        let report = self.inner.cache.as_ref().map(Cache::report)?;
        let (hits, misses) = self.inner.tally.hits_and_misses();
        Some(CacheReport { hits, misses, ..report })
    }

    /// The present time of the manager's clock.
    pub fn now(&self) -> Timestamp {
        self.inner.clock.now()
    }

    /// The word that bearers start with.
    pub fn prefix(&self) -> &BearerPrefix {
        &self.inner.prefix
    }

    fn begin(&self) -> Result<Operation, Error> {
        Ok(Operation::begin(self.now(), &*self.inner.random)?)
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
