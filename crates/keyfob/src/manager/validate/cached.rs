//! Answers from the cache: without asking the store, without waiting, without allocating.

use super::attempt::{Attempt, Lookup, RulePhase, ValidToken};
use crate::cache::{ActiveToken, Found, Use};
use crate::manager::TokenManager;
use keyfob_core::time::Timestamp;
use keyfob_core::token::earliest_end;
use keyfob_core::validation::Refusal;
use keyfob_metrics::{CacheLookup, Tallied};
use keyfob_store::LastUse;

impl TokenManager {
    /// Asks the cache about a presented bearer token. `read` comes back unused if the cache cannot
    /// answer.
    #[inline]
    pub(super) fn look_up<R, F>(
        &self,
        attempt: &Attempt<'_>,
        rules: RulePhase,
        read: F,
    ) -> Lookup<R, F>
    where
        F: FnOnce(ValidToken<'_>) -> R,
    {
        let Attempt { bearer, presentation, chain } = attempt;
        let Some(cache) = self.inner.cache.as_ref().filter(|_| !chain.is_strict()) else {
            return Lookup::AskStore(read);
        };
        let now = self.now();
        let found = cache.look(bearer, now, read, |token, used, read| {
            if let Err(refusal) = chain.evaluate_active(token, presentation.device, now) {
                self.inner.metrics.handles.cache_lookups.of(CacheLookup::Hit).increment(1);
                return Lookup::refused(refusal, Some(token.id()));
            }
            if rules == RulePhase::Pending && chain.has_rules() {
                return Lookup::AskRules(Box::new(token.to_token()), read);
            }
            self.record_cached_use(token, used, now);
            let number = self.inner.tally.count(Tallied::Hit(bearer.kind()));
            self.record_sampled_use(number, || token.id());
            Lookup::Accepted(read(ValidToken::Cached(token)))
        });
        match found {
            Ok(Found::Active(lookup)) => lookup,
            Ok(Found::Unknown) => {
                self.inner.tally.count(Tallied::UnknownHit);
                Lookup::refused(Refusal::Unknown, None)
            }
            Ok(Found::Nothing(read)) => {
                self.inner.tally.count(Tallied::Miss);
                Lookup::AskStore(read)
            }
            Err(malformed) => Lookup::refused(malformed.into(), None),
        }
    }

    /// Has the use of a cached token written when one is due.
    fn record_cached_use(&self, token: &ActiveToken<'_>, used: Use<'_>, now: Timestamp) {
        let pause = || self.inner.last_use.interval(token.idle_timeout());
        if used.is_due(now, || now + pause()) {
            let ends_at = earliest_end([token.expires_at(), None], token.idle_timeout(), now);
            let ends_at = token.idle_timeout().and(ends_at);
            // Without room in the queue, the next use is written instead.
            self.queue_use(LastUse { id: token.id(), at: now, ends_at });
        }
        if token.is_by_older_secret() {
            self.record_older_secret_use(token.id(), token.idle_timeout());
        }
    }
}
