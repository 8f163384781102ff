//! From a presented bearer token to its token, or to a typed refusal.
//!
//! The text is parsed once. Then the cache is asked, and the store where the cache has no answer;
//! both give a token or a [`Rejection`], and [`settle`](super::settle) does what a rejection entails.
//!
//! | module | what |
//! |---|---|
//! | `attempt` | what is passed between the steps |
//! | `cached` | answers from the cache, on the fast path |
//! | `store` | answers from the store |
//! | `fill` | what is put into the cache after a load |

mod attempt;
mod cached;
mod fill;
mod store;

use super::TokenManager;
use super::settle::Rejection;
use crate::cache::{ActiveToken, Other, active};
use crate::error::Error;
use attempt::{Attempt, Lookup, RulePhase, ValidToken, read_whole};
use keyfob_core::bearer::{BearerToken, ID_DIGITS, IdDigits, ParseBearerError, Presented};
use keyfob_core::event::ObservationKind;
use keyfob_core::namespace::IdOrigin;
use keyfob_core::time::Timestamp;
use keyfob_core::token::Token;
use keyfob_core::validation::{Presentation, Refusal, ValidationChain};
use keyfob_metrics::{Tallied, ValidationOutcome};

/// Everything that is wrong with a bearer token.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Its token, in whatever state.
    pub token: Token,
    /// Every demand that the token does not meet, in the order of the chain; empty when it is accepted.
    pub refusals: Vec<Refusal>,
}

impl TokenManager {
    /// Returns the token of a bearer token, if the bearer token is valid and the token meets every
    /// demand of `chain`.
    ///
    /// A token with limited uses loses one. Where the manager limits failed attempts and the
    /// presentation names the client address, an address with too many of them is refused before a
    /// store is asked. A store that fails neither refuses nor accepts a token: the error says so,
    /// and the caller must not continue.
    ///
    /// # The guarantee
    /// Once a revocation has returned, no node decides "active" later than the **maximum staleness**,
    /// as long as the store keeps what it acknowledged. It is 250 ms unless
    /// [`CacheConfig::with_max_staleness`](crate::CacheConfig::with_max_staleness) sets it.
    ///
    /// The reason is that a node answers from memory only while the store's invalidation feed is
    /// alive: trust ends at the time at which the last heartbeat was sent that the owner of the data
    /// confirmed, plus the maximum staleness. A feed that died silently, a process that was stopped
    /// and continued, a connection that is half open and a node that is cut off together with a
    /// deposed primary all end in the same way: the trust expires, and the store is asked. An answer
    /// of the store that comes later than the maximum staleness is not used either.
    /// [`Consistency::Strong`](crate::Consistency::Strong) asks the store in any case. The node that
    /// revokes never answers from memory for what it has just revoked.
    ///
    /// Redis replicates asynchronously, so a fail-over may lose its last writes. Nodes send their
    /// revocations of the last minute again to a new primary; `wait` and `min-replicas-to-write`
    /// narrow the remaining gap. The clock that trust expires by does not run while a whole machine is
    /// suspended.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer token is refused; [`Error::Store`] when the store cannot
    /// tell.
    pub async fn validate(
        &self,
        presented: impl Into<Presentation<'_>>,
        chain: &ValidationChain,
    ) -> Result<Token, Error> {
        Ok(self.decide(presented.into(), chain, read_whole).await??)
    }

    /// Validates as [`TokenManager::validate`] does, and reads the token in place instead of copying
    /// it. This is the fastest path: where the cache answers, nothing is allocated and nothing is
    /// written that other cores read.
    ///
    /// ```
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager, ValidationChain};
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// # let issued = manager.issue(Grant::new(Kind::Access).subject("user123")).await?;
    /// let chain = ValidationChain::new();
    /// let is_theirs = manager
    ///     .validate_with(&issued.bearer, &chain, |token| token.subject() == Some("user123"))
    ///     .await?;
    /// assert!(is_theirs);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`TokenManager::validate`].
    pub fn validate_with<'a, R, F>(
        &'a self,
        presented: impl Into<Presentation<'a>>,
        chain: &'a ValidationChain,
        read: F,
    ) -> impl Future<Output = Result<R, Error>>
    where
        F: FnOnce(&ActiveToken<'_>) -> R + 'a,
    {
        // This returns the future of `decide` itself: a future around it would be moved once more.
        self.decide(presented.into(), chain, |valid| match valid {
            ValidToken::Cached(token) => read(token),
            ValidToken::Loaded(token) => {
                let end = token.expires_at.unwrap_or(Timestamp::MAX);
                let bytes = active::write(&token, end, std::iter::empty(), Other::None);
                let mut digits = [0; ID_DIGITS];
                read(&ActiveToken::over(IdDigits::write(token.id, &mut digits), end, &bytes))
            }
        })
    }

    /// Validates from the cache alone, without a future. Returns what `read` makes of the token, if
    /// the cache has it and it meets every demand of `chain`.
    ///
    /// `None` is not a refusal: perhaps the cache cannot tell, or `chain` asks for the store, or it
    /// has rules of the application. [`TokenManager::validate_with`] gives the answer, and counts
    /// and records what has to be counted. Where most tokens are cached, it saves the cost of a
    /// future to ask here first:
    ///
    /// ```
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager, ValidationChain};
    /// # use keyfob::cache::ActiveToken;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// # let issued = manager.issue(Grant::new(Kind::Access).subject("user123")).await?;
    /// let chain = ValidationChain::new();
    /// let is_theirs = |token: &ActiveToken<'_>| token.subject() == Some("user123");
    /// let is_theirs = match manager.validate_cached(&issued.bearer, &chain, is_theirs) {
    ///     Some(is_theirs) => is_theirs,
    ///     None => manager.validate_with(&issued.bearer, &chain, is_theirs).await?,
    /// };
    /// assert!(is_theirs);
    /// # Ok(())
    /// # }
    /// ```
    #[inline]
    pub fn validate_cached<'a, R>(
        &self,
        presented: impl Into<Presentation<'a>>,
        chain: &ValidationChain,
        read: impl FnOnce(&ActiveToken<'_>) -> R,
    ) -> Option<R> {
        self.accept_cached(&presented.into(), chain, read)
    }

    /// Validates as [`TokenManager::validate`] does, and demands only that the token is active.
    ///
    /// # Errors
    /// As [`TokenManager::validate`].
    pub async fn validate_active(
        &self,
        presented: impl Into<Presentation<'_>>,
    ) -> Result<Token, Error> {
        self.validate(presented, &ValidationChain::new()).await
    }

    /// Returns the token of a bearer token in whatever state, and every demand of `chain` that it does
    /// not meet. No use is counted and no observation is recorded.
    ///
    /// For diagnosis only: a token that is returned here may be inactive.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer token is malformed or unknown; [`Error::Store`].
    pub async fn explain(
        &self,
        presented: impl Into<Presentation<'_>>,
        chain: &ValidationChain,
    ) -> Result<Explanation, Error> {
        chain.check()?;
        let presented = presented.into();
        let bearer = BearerToken::parse(presented.bearer, &self.inner.prefix)?;
        let proven = self.load_proven(&bearer, presented.ip, None).await;
        let token = proven.map_err(Rejection::into_error)?.token;
        let refusals = chain.evaluate_all(&token, presented.by(), self.now()).await;
        Ok(Explanation { token, refusals })
    }

    async fn decide<R>(
        &self,
        presentation: Presentation<'_>,
        chain: &ValidationChain,
        read: impl FnOnce(ValidToken<'_>) -> R,
    ) -> Result<R, Error> {
        chain.check()?;
        let bearer = match Presented::parse(presentation.bearer, &self.inner.prefix) {
            Ok(bearer) => bearer,
            Err(malformed) => return Err(self.reject_malformed(malformed)),
        };
        let attempt = Attempt { bearer, presentation: &presentation, chain };
        match self.look_up(&attempt, RulePhase::Pending, read) {
            Lookup::Accepted(answer) => Ok(answer),
            // In a box, so that the future of a call that does not wait is small.
            lookup => Box::pin(self.decide_without_cache(attempt, lookup)).await,
        }
    }

    /// Decides where the cache did not accept the token.
    async fn decide_without_cache<R, F>(
        &self,
        attempt: Attempt<'_>,
        lookup: Lookup<R, F>,
    ) -> Result<R, Error>
    where
        F: FnOnce(ValidToken<'_>) -> R,
    {
        let outcome = match lookup {
            Lookup::Accepted(answer) => return Ok(answer),
            Lookup::Rejected(rejection) => Err(*rejection),
            Lookup::AskRules(token, read) => match *token {
                Ok(token) => self.ask_rules(token, attempt).await.map(|met| (met, read)),
                Err(error) => Err(error.into()),
            },
            Lookup::AskStore(_) if self.is_foreign(&attempt) => {
                self.inner.tally.count(Tallied::ForeignId);
                Err(Refusal::Unknown.into())
            }
            Lookup::AskStore(read) => self.ask_store(attempt).await.map(|token| (token, read)),
        };
        match outcome {
            Ok((token, read)) => Ok(read(ValidToken::Loaded(Box::new(token)))),
            Err(rejection) => Err(self.reject(&attempt, rejection).await),
        }
    }

    /// Returns whether the id of a bearer token was certainly not drawn in this namespace.
    fn is_foreign(&self, attempt: &Attempt<'_>) -> bool {
        attempt.bearer.id().is_ok_and(|id| self.origin_of(id) == IdOrigin::Foreign)
    }

    /// Settles the rejection of a validation, and counts its outcome.
    async fn reject(&self, attempt: &Attempt<'_>, rejection: Rejection) -> Error {
        let error = self.settle(attempt.presentation.ip, rejection).await;
        let outcome = ValidationOutcome::from(&error);
        if outcome == ValidationOutcome::Malformed {
            self.inner.tally.count(Tallied::Malformed);
        } else {
            let counts = self.inner.metrics.handles.validations.of(outcome);
            counts.of(Some(attempt.bearer.kind()).into()).increment(1);
        }
        error
    }

    /// Settles text that is not a bearer token. It is never looked up and counts against no
    /// address. It may come in floods, so this does not go through a [`Rejection`], which would be
    /// moved several times.
    fn reject_malformed(&self, malformed: ParseBearerError) -> Error {
        self.inner.tally.count(Tallied::Malformed);
        let code = || Refusal::Malformed(malformed).code().to_owned();
        self.record_observation(|| ObservationKind::Refused { token: None, code: code() });
        Error::Refused(Refusal::Malformed(malformed))
    }
}
