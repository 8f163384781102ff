//! From a bearer to its token, or to a typed refusal.

use super::TokenManager;
use super::cached::{Kept, Quick, Rules};
use super::rotate::FirstUse;
use crate::bearer::{BearerToken, ID_DIGITS, IdDigits, Presented};
use crate::cache::Flight;
use crate::cache::{ActiveToken, Other, active};
use crate::codec::{self, Record};
use crate::error::Error;
use crate::event::ObservationKind;
use crate::id::TokenId;
use crate::metrics::{Tallied, ValidationOutcome};
use crate::store::{Consume, Consumed, MonotonicInstant, StoreError, Verdict};
use crate::token::{SecretUsed, Token};
use crate::validation::{Presentation, Refusal, ValidationChain};

/// What is wrong with a bearer, in full.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Explanation {
    /// Its token, whatever its state.
    pub token: Token,
    /// Every demand that the token does not meet, in the order of the chain; empty when it is good.
    pub refusals: Vec<Refusal>,
}

/// The token of a bearer, as the store has it.
struct Proven {
    token: Token,
    /// When the store was asked.
    sent: MonotonicInstant,
    /// Its record, where this is the first use of its newest secret.
    first_use: Option<Box<FirstUse>>,
}

/// How often the store is asked until an answer comes within the bound.
const TRIES: usize = 3;

/// A token that meets every demand, as it was found.
pub(super) enum Answer<'a> {
    /// In the cache.
    Cached(&'a ActiveToken<'a>),
    /// In the store.
    Loaded(Box<Token>),
}

/// All of it.
fn whole(answer: Answer<'_>) -> Result<Token, StoreError> {
    match answer {
        Answer::Cached(token) => token.to_token(),
        Answer::Loaded(token) => Ok(*token),
    }
}

impl TokenManager {
    /// The token of a bearer, if the bearer is good and the token meets every demand of `chain`.
    ///
    /// A token whose uses are counted loses one. Where the manager has a limit on failed attempts and
    /// the presentation says where it comes from, an address that had too many of them is refused
    /// before a store is asked. A store that fails refuses nobody and lets nobody in: the error says
    /// so, and the caller must not go on.
    ///
    /// # The guarantee
    /// Once a revocation has returned, no node decides "active" later than the **bound**, as long as
    /// the store keeps what it acknowledged. The bound is 250 ms unless
    /// [`CacheConfig::with_bound`](crate::CacheConfig::with_bound) sets it.
    ///
    /// It holds because a node answers from memory only while the store's feed is alive: trust ends
    /// at the sending time of the last heartbeat that the owner of the data confirmed, plus the
    /// bound. A feed that died silently, a process that was stopped and continued, a connection that
    /// is half open and a node that is cut off together with a deposed primary all end in the same
    /// way: the trust runs out, and the store is asked. An answer of the store that comes later than
    /// the bound is not used either. [`Consistency::Strong`](crate::Consistency::Strong) asks the store
    /// in any case. The node that revokes never answers from memory what it has just revoked.
    ///
    /// Redis replicates asynchronously, so a fail-over may lose its last writes; nodes send their
    /// revocations of the last minute again to a new primary, and `wait` and
    /// `min-replicas-to-write` narrow what is left. The clock that trust ends by does not run while
    /// a whole machine is suspended.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer is not good; [`Error::Store`] when that cannot be told.
    pub async fn validate(
        &self,
        presented: impl Into<Presentation<'_>>,
        chain: &ValidationChain,
    ) -> Result<Token, Error> {
        Ok(self.decide(presented.into(), chain, whole).await??)
    }

    /// As [`TokenManager::validate`], for the fastest path there is: what is wanted of the token is
    /// read in place. Where the cache answers, nothing is allocated and nothing is written that
    /// other cores read.
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
        // The future is that of the decision itself: each one around it would move everything again.
        self.decide(presented.into(), chain, |answer| match answer {
            Answer::Cached(token) => read(token),
            Answer::Loaded(token) => {
                let (mut digits, bytes) = ([0; ID_DIGITS], active::write(&token, &[], Other::None));
                read(&ActiveToken::over(IdDigits::of(token.id, &mut digits), &bytes))
            }
        })
    }

    /// As [`TokenManager::validate`], demanding only that the token be active.
    ///
    /// # Errors
    /// As [`TokenManager::validate`].
    pub async fn validate_active(
        &self,
        presented: impl Into<Presentation<'_>>,
    ) -> Result<Token, Error> {
        self.validate(presented, &ValidationChain::new()).await
    }

    /// The token of a bearer, whatever its state, and every demand of `chain` that it does not meet.
    /// It uses nothing up and is not observed. For diagnosis only: a token that is returned here
    /// may be anything but good.
    ///
    /// # Errors
    /// [`Error::Refused`] when the bearer is malformed or unknown; [`Error::Store`].
    pub async fn explain(
        &self,
        presented: impl Into<Presentation<'_>>,
        chain: &ValidationChain,
    ) -> Result<Explanation, Error> {
        chain.check()?;
        let presented = presented.into();
        let bearer = BearerToken::parse(presented.bearer, &self.inner.prefix)?;
        let token = self.token_of_bearer(&bearer).await?.token;
        let refusals = chain.evaluate_all(&token, presented.device, self.now()).await;
        Ok(Explanation { token, refusals })
    }

    async fn decide<R>(
        &self,
        presented: Presentation<'_>,
        chain: &ValidationChain,
        read: impl FnOnce(Answer<'_>) -> R,
    ) -> Result<R, Error> {
        chain.check()?;
        match self.quick(&presented, chain, Rules::ToBeAsked, read) {
            Quick::Active(answer) => Ok(answer),
            Quick::Malformed(refused) => {
                self.inner.tally.count(Tallied::Malformed);
                Err(self.refuse(refused.into(), None))
            }
            Quick::Refused(refused) => {
                let error = match presented.ip {
                    Some(ip) => Box::pin(self.refuse_and_count(*refused, ip)).await,
                    None => self.refuse(refused.refusal, refused.token),
                };
                Err(self.not_active(error, presented.bearer))
            }
            // Whoever does not wait does not pay for the memory that waiting takes.
            Quick::Rules(token, read) => {
                let met = Box::pin(self.ask_rules((*token)?, presented, chain)).await;
                let met = met.map_err(|error| self.not_active(error, presented.bearer))?;
                Ok(read(Answer::Loaded(Box::new(met))))
            }
            Quick::Ask(read) => {
                let token = Box::pin(self.ask_store(presented, chain)).await;
                let token = token.map_err(|error| self.not_active(error, presented.bearer))?;
                Ok(read(Answer::Loaded(Box::new(token))))
            }
        }
    }

    /// Counts what came of a bearer that is not good, or of which that cannot be told.
    fn not_active(&self, error: Error, bearer: &str) -> Error {
        let outcome = ValidationOutcome::from(&error);
        let known = Presented::read(bearer, &self.inner.prefix).ok();
        let kind = known.filter(|_| outcome != ValidationOutcome::Malformed);
        let counts = self.inner.metrics.handles.validations.of(outcome);
        counts.of(kind.map(|bearer| bearer.kind()).into()).increment(1);
        error
    }

    /// Asks the application's rules about a token that was found in the cache.
    async fn ask_rules(
        &self,
        token: Token,
        presented: Presentation<'_>,
        chain: &ValidationChain,
    ) -> Result<Token, Error> {
        let met = chain.evaluate_rules(&token, self.now()).await;
        met.map_err(|refusal| self.refuse(refusal, Some(token.id)))?;
        // Rules may take their time, and the token may have ended meanwhile.
        match self.quick(&presented, chain, Rules::Met, whole) {
            Quick::Active(token) => Ok(token?),
            Quick::Malformed(refused) => Err(self.refuse(refused.into(), None)),
            Quick::Refused(refused) => Err(self.refuse(refused.refusal, refused.token)),
            Quick::Rules(..) | Quick::Ask(_) => self.ask_store(presented, chain).await,
        }
    }

    /// Asks the store, unless somebody else is just asking it for the same.
    async fn ask_store(
        &self,
        presented: Presentation<'_>,
        chain: &ValidationChain,
    ) -> Result<Token, Error> {
        let bearer =
            BearerToken::parse(presented.bearer, &self.inner.prefix).inspect_err(|refused| {
                self.observe_refusal(&Refusal::Malformed(*refused), None);
            })?;
        let cache = self.inner.cache.as_ref().filter(|_| !chain.is_strict());
        let mut flight = None;
        if let Some(cache) = cache {
            flight = cache.begin_load(bearer.id(), self.now()).await;
            if flight.is_none()
                && !chain.has_rules()
                && let Quick::Active(token) = self.quick(&presented, chain, Rules::ToBeAsked, whole)
            {
                return Ok(token?);
            }
        }
        // Whoever waited for others may have to wait longer by now.
        if let Some(throttled) = self.throttled(presented.ip) {
            return Err(self.refuse(throttled, None));
        }
        let outcome = self.judge(&bearer, presented, chain, flight).await;
        self.start_metrics_publisher();
        match &outcome {
            Ok(token) => {
                let number = self.inner.tally.count(Tallied::Loaded(token.kind));
                self.record_sampled_use(number, || token.id);
                if token.secret != SecretUsed::Newest {
                    self.record_older_secret_use(token.id);
                }
            }
            Err((Error::Refused(refusal), seen)) => {
                self.observe_refusal(refusal, *seen);
                self.count_failure(presented.ip, refusal).await;
            }
            Err((error, _)) => self.record_unverifiable(bearer.id(), error),
        }
        outcome.map_err(|(error, _)| error)
    }

    /// The outcome, and with a refusal the token that the bearer proved to be one's.
    async fn judge(
        &self,
        bearer: &BearerToken,
        presented: Presentation<'_>,
        chain: &ValidationChain,
        mut flight: Option<Flight<'_>>,
    ) -> Result<Token, (Error, Option<TokenId>)> {
        let unknown = |error: Error| (error, None);
        let known = |error: Error| (error, Some(bearer.id()));
        let (mut spent, mut is_first) = (None, true);
        for _ in 0..TRIES {
            let Proven { mut token, sent, first_use } =
                self.token_of_bearer(bearer).await.map_err(unknown)?;
            // Others need not wait for what rules take.
            drop(flight.take());
            let now = self.now();
            if spent.is_some() {
                // This use was counted, and may have been the last.
                token.uses_left = None;
            }
            let checked = chain.evaluate_without_rules(&token, presented.device, now);
            checked.map_err(|refusal| known(refusal.into()))?;
            if std::mem::take(&mut is_first) {
                let met = chain.evaluate_rules(&token, now).await;
                met.map_err(|refusal| known(refusal.into()))?;
            }
            if let Some(first_use) = first_use
                && !self.note_first_use(*first_use).await.map_err(known)?
            {
                // Others were quicker: read what they made of it.
                continue;
            }
            if token.uses_left.is_some() {
                token = self.consume(token).await.map_err(known)?;
                spent = token.uses_left;
            }
            token.uses_left = token.uses_left.or(spent);
            self.record_use(&token, now).await.map_err(known)?;
            // What was read longer ago than the bound may have ended since.
            if MonotonicInstant::now() <= sent.after(self.inner.bound) {
                return Ok(token);
            }
        }
        let bound = self.inner.bound;
        let detail = format!(
            "its answers take longer than {bound:?}, within which a revocation must be felt: \
             see to the network, or allow a longer bound"
        );
        Err(known(StoreError::unavailable(detail).into()))
    }

    /// The token of a bearer as the store has it.
    async fn token_of_bearer(&self, bearer: &BearerToken) -> Result<Proven, Error> {
        let inner = &*self.inner;
        let unknown = || Error::from(Refusal::Unknown);
        let load_version = inner.cache.as_ref().map(|cache| cache.watcher().load_version());
        let Some(loaded) = inner.store.load(bearer.id()).await? else {
            if let Some(cache) = &inner.cache {
                cache.keep_unknown(bearer.id(), self.now());
            }
            return Err(unknown());
        };
        let record: Record = codec::decode(&loaded.body)?;
        let now = self.now();
        let secret = record.secret_of(bearer, now);
        let first_use = FirstUse::of(&loaded, &record, secret).map(Box::new);
        let kept = Kept::of(&record, now);
        let mut token = record.into_token(&loaded);
        if let (Some(cache), Some(load_version), Some(kept)) = (&inner.cache, load_version, kept) {
            token.secret = kept.secret;
            inner.keep(cache, load_version, &loaded, &token, &kept);
        }
        token.secret = secret.ok_or_else(unknown)?;
        Ok(Proven { token, sent: loaded.sent, first_use })
    }

    async fn consume(&self, mut token: Token) -> Result<Token, Error> {
        let operation = self.begin()?;
        match self.inner.store.consume(operation, Consume { id: token.id }).await? {
            Consumed::Left(left) => {
                token.uses_left = Some(left);
                Ok(token)
            }
            Consumed::Exhausted => Err(Refusal::Exhausted.into()),
            Consumed::Refused => {
                // It was revoked since it was read: say so if it still can be read.
                let Some(loaded) = self.inner.store.load(token.id).await? else {
                    return Err(Refusal::Unknown.into());
                };
                let damaged = loaded.verdict == Verdict::Damaged;
                let revocation = super::token_of(&loaded)?.revocation;
                Err(match revocation {
                    Some(revocation) => Refusal::Revoked(Box::new(revocation)).into(),
                    None if damaged => Refusal::Damaged.into(),
                    None => Refusal::Unknown.into(),
                })
            }
        }
    }

    pub(super) fn refuse(&self, refusal: Refusal, token: Option<TokenId>) -> Error {
        self.observe_refusal(&refusal, token);
        refusal.into()
    }

    pub(super) fn observe_refusal(&self, refusal: &Refusal, token: Option<TokenId>) {
        self.record_observation(|| match (refusal, token) {
            (Refusal::Expired { .. }, Some(token)) => ObservationKind::Expired { token },
            _ => ObservationKind::Refused { token, code: refusal.code().to_owned() },
        });
    }
}
