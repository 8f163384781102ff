//! Answers from the store, where the cache has none.

use std::net::IpAddr;

use super::attempt::{Attempt, Lookup, RulePhase, read_whole};
use super::fill::CachedSecret;
use crate::cache::Flight;
use crate::codec::{self, Record};
use crate::error::Error;
use crate::manager::load_queue::LoadPermit;
use crate::manager::rotate::FirstUse;
use crate::manager::settle::Rejection;
use crate::manager::{TokenManager, token_of};
use keyfob_core::bearer::BearerToken;
use keyfob_core::token::{SecretUsed, Token};
use keyfob_core::validation::Refusal;
use keyfob_metrics::Tallied;
use keyfob_store::{Consume, Consumed, MonotonicInstant, StoreError, Verdict};

/// The token of a bearer token, as the store has it.
pub(super) struct Proven {
    pub(super) token: Token,
    /// When the store was asked.
    sent: MonotonicInstant,
    /// Its record, where this is the first use of its newest secret.
    first_use: Option<Box<FirstUse>>,
}

/// How often the store is asked until an answer comes within the maximum staleness.
const MAX_LOADS: usize = 3;

impl TokenManager {
    /// Asks the application's rules about a token that was found in the cache.
    pub(super) async fn ask_rules(
        &self,
        token: Token,
        attempt: Attempt<'_>,
    ) -> Result<Token, Rejection> {
        let met = attempt.chain.evaluate_rules(&token, self.now()).await;
        met.map_err(|refusal| Rejection::of(token.id, refusal))?;
        // Rules may take their time, and the token may have ended meanwhile.
        match self.look_up(&attempt, RulePhase::Done, read_whole) {
            Lookup::Accepted(token) => Ok(token?),
            Lookup::Rejected(rejection) => Err(*rejection),
            Lookup::AskRules(..) | Lookup::AskStore(_) => self.ask_store(attempt).await,
        }
    }

    /// Asks the store, unless another task is asking it for the same token right now.
    pub(super) async fn ask_store(&self, attempt: Attempt<'_>) -> Result<Token, Rejection> {
        let bearer = attempt.bearer.to_bearer()?;
        let (id, ip, chain) = (bearer.id(), attempt.presentation.ip, attempt.chain);
        let cache = self.inner.cache.as_ref().filter(|_| !chain.is_strict());
        let mut may_share = cache.is_some();
        if let Some(cache) = cache
            && cache.wait_for_load(id).await
        {
            may_share = false;
            if let Some(answer) = self.answer_after_wait(&attempt) {
                return answer;
            }
        }
        let permit = self.begin_presented_load(id, ip).await?;
        if permit.has_waited()
            && let Some(answer) = self.answer_after_wait(&attempt)
        {
            return answer;
        }
        // Only now, so that no caller waits for one that itself waits for its turn.
        let flight = cache.filter(|_| may_share).and_then(|cache| cache.begin_load(id));
        // After waiting for another task, the address may have to wait longer.
        if let Some(throttled) = self.throttled(attempt.presentation.ip) {
            return Err(throttled.into());
        }
        let outcome = self.validate_in_store(&bearer, attempt, (flight, permit)).await;
        self.start_metrics_publisher();
        let token = outcome?;
        let number = self.inner.tally.count(Tallied::Loaded(token.kind));
        self.record_sampled_use(number, || token.id);
        if token.secret != SecretUsed::Newest {
            self.record_older_secret_use(token.id, token.idle_timeout);
        }
        Ok(token)
    }

    /// Asks the cache again after other loads were waited for.
    fn answer_after_wait(&self, attempt: &Attempt<'_>) -> Option<Result<Token, Rejection>> {
        if attempt.chain.has_rules() {
            return None;
        }
        match self.look_up(attempt, RulePhase::Pending, read_whole) {
            Lookup::Accepted(token) => Some(token.map_err(Rejection::from)),
            Lookup::Rejected(rejection) => Some(Err(*rejection)),
            Lookup::AskRules(..) | Lookup::AskStore(_) => None,
        }
    }

    /// Validates against the store, until an answer comes within the maximum staleness.
    async fn validate_in_store(
        &self,
        bearer: &BearerToken,
        attempt: Attempt<'_>,
        (mut flight, permit): (Option<Flight<'_>>, LoadPermit),
    ) -> Result<Token, Rejection> {
        let mut permit = Some(permit);
        let Attempt { presentation, chain, .. } = attempt;
        let proven = |error: Error| Rejection::of(bearer.id(), error);
        let (mut left_after_use, mut is_first) = (None, true);
        for _ in 0..MAX_LOADS {
            let Proven { mut token, sent, first_use } =
                self.load_proven(bearer, presentation.ip, permit.take()).await?;
            // Other tasks do not have to wait for the rules.
            drop(flight.take());
            let now = self.now();
            if left_after_use.is_some() {
                // This use was counted, and may have been the last.
                token.uses_left = None;
            }
            let met = chain.evaluate_without_rules(&token, presentation.by(), now);
            met.map_err(|refusal| proven(refusal.into()))?;
            if std::mem::take(&mut is_first) {
                let met = chain.evaluate_rules(&token, now).await;
                met.map_err(|refusal| proven(refusal.into()))?;
            }
            if let Some(first_use) = first_use
                && !self.write_first_use(*first_use).await.map_err(proven)?
            {
                // The record has changed since it was read: read it again.
                continue;
            }
            if token.uses_left.is_some() {
                token = self.consume(token).await.map_err(proven)?;
                left_after_use = token.uses_left;
            }
            token.uses_left = token.uses_left.or(left_after_use);
            self.record_use(&token, now).await.map_err(proven)?;
            // A record that was read before the maximum staleness may have ended since.
            if MonotonicInstant::now() <= sent.after(self.inner.bound) {
                return Ok(token);
            }
        }
        let bound = self.inner.bound;
        let detail = format!(
            "its answers take longer than {bound:?}, the time within which a revocation must take \
             effect: check the network, or allow more staleness"
        );
        Err(proven(StoreError::unavailable(detail).into()))
    }

    /// Loads the token of a bearer token, and fills the cache with it. Without a permit it waits for
    /// one.
    pub(super) async fn load_proven(
        &self,
        bearer: &BearerToken,
        ip: Option<IpAddr>,
        permit: Option<LoadPermit>,
    ) -> Result<Proven, Rejection> {
        let inner = &*self.inner;
        let permit = match permit {
            Some(permit) => permit,
            None => self.begin_presented_load(bearer.id(), ip).await?,
        };
        let load_version = inner.cache.as_ref().map(|cache| cache.watcher().load_version());
        let loaded = inner.store.load(bearer.id()).await;
        drop(permit);
        let Some(loaded) = loaded.map_err(|error| Rejection::of(bearer.id(), error))? else {
            self.count_unknown(ip);
            if let Some(cache) = &inner.cache {
                cache.keep_unknown(bearer.id(), self.now());
            }
            return Err(Refusal::Unknown.into());
        };
        let record: Record = codec::decode(&loaded.body)?;
        let now = self.now();
        let used = record.secret_of(bearer, now);
        let first_use = FirstUse::of(&loaded, &record, used).map(Box::new);
        let cached_secret = CachedSecret::of(&record, now);
        let mut token = record.into_token(&loaded);
        if let (Some(cache), Some(load_version), Some(secret)) =
            (&inner.cache, load_version, cached_secret)
        {
            token.secret = secret.used;
            inner.fill_cache(cache, load_version, &loaded, &token, &secret);
        }
        let Some(used) = used else {
            self.count_unknown(ip);
            return Err(Refusal::Unknown.into());
        };
        token.secret = used;
        Ok(Proven { token, sent: loaded.sent, first_use })
    }

    /// Uses one of a token's limited uses up.
    async fn consume(&self, mut token: Token) -> Result<Token, Error> {
        let operation = self.begin()?;
        match self.inner.store.consume(operation, Consume { id: token.id }).await? {
            Consumed::Left(left) => {
                token.uses_left = Some(left);
                Ok(token)
            }
            Consumed::Exhausted => Err(Refusal::Exhausted.into()),
            Consumed::Refused => {
                // It was revoked after it was read. Say so, if its record can still be read.
                let Some(loaded) = self.inner.store.load(token.id).await? else {
                    return Err(Refusal::Unknown.into());
                };
                let is_damaged = loaded.verdict == Verdict::Damaged;
                Err(match token_of(&loaded)?.revocation {
                    Some(revocation) => Refusal::Revoked(Box::new(revocation)).into(),
                    None if is_damaged => Refusal::Damaged.into(),
                    None => Refusal::Unknown.into(),
                })
            }
        }
    }
}
