//! Answers from the cache: without asking the store, without waiting, without allocating.

use super::attempt::{Attempt, Lookup, RulePhase, ValidToken};
use crate::cache::{ActiveToken, Found, Use};
use crate::manager::TokenManager;
use keyfob_core::bearer::Presented;
use keyfob_core::time::Timestamp;
use keyfob_core::token::earliest_end;
use keyfob_core::validation::{Presentation, Refusal, ValidationChain};
use keyfob_metrics::{CacheLookup, Tallied};
use keyfob_store::LastUse;

impl TokenManager {
    /// Answers from the cache alone, and only "yes". Every other answer takes the long way.
    #[inline]
    pub(super) fn accept_cached<R>(
        &self,
        presentation: &Presentation<'_>,
        chain: &ValidationChain,
        read: impl FnOnce(&ActiveToken<'_>) -> R,
    ) -> Option<R> {
        let cache = self.inner.cache.as_ref()?;
        if chain.is_strict() || chain.has_rules() || chain.check().is_err() {
            return None;
        }
        let bearer = Presented::parse(presentation.bearer, &self.inner.prefix).ok()?;
        let now = self.now();
        let found = cache.look(&bearer, now, (), |token, used, ()| {
            chain.evaluate_active(token, presentation.by(), now).ok()?;
            self.count_cached(token, used, now);
            Some(read(token))
        });
        match found {
            Ok(Found::Active(answer)) => answer,
            _ => None,
        }
    }

    /// Counts a use of a cached token, and has it written when one is due.
    #[inline]
    fn count_cached(&self, token: &ActiveToken<'_>, used: Use<'_>, now: Timestamp) {
        self.record_cached_use(token, used, now);
        let number = self.inner.tally.count(Tallied::Hit(token.kind()));
        self.record_sampled_use(number, || token.id());
    }

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
            if let Err(refusal) = chain.evaluate_active(token, presentation.by(), now) {
                self.inner.metrics.handles.cache_lookups.of(CacheLookup::Hit).increment(1);
                return Lookup::refused(refusal, Some(token.id()));
            }
            if rules == RulePhase::Pending && chain.has_rules() {
                return Lookup::AskRules(Box::new(token.to_token()), read);
            }
            self.count_cached(token, used, now);
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
