//! Answers from the cache: without asking the store, without waiting, without allocating.

use super::validate::Answer;
use super::{Inner, TokenManager};
use crate::bearer::{BearerDigest, ParseBearerError, Presented};
use crate::cache::{self, Cache, Found, Keep, Use};
use crate::cache::{ActiveToken, Other};
use crate::codec::Record;
use crate::id::TokenId;
use crate::metrics::{CacheLookup, Tallied};
use crate::store::{LastUse, LoadVersion, Loaded, StoreError};
use crate::time::Timestamp;
use crate::token::{Kind, SecretUsed, Token, TokenState, first_end};
use crate::validation::{Presentation, Refusal, ValidationChain};

/// What the cache has to say, or the reader back if it is not for the cache to say.
pub(super) enum Quick<R, F> {
    /// The token is active and meets every demand but the rules.
    Active(R),
    /// It is no bearer, which may come in floods and must cost nothing.
    Malformed(ParseBearerError),
    /// It is refused.
    Refused(Box<Refused>),
    /// It is active, and the application's rules have yet to be asked.
    Rules(Box<Result<Token, StoreError>>, F),
    /// Ask the store.
    Ask(F),
}

/// A refusal, and the token that the bearer proved to be one's.
pub(super) struct Refused {
    pub(super) refusal: Refusal,
    pub(super) token: Option<TokenId>,
}

/// What was read of an active token. What is seldom is boxed: the answer is moved about.
enum Read<R> {
    Answer(R),
    Refused(Box<Refused>),
    Rules(Box<Result<Token, StoreError>>),
}

/// Whether the application's rules are still to be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    ToBeAsked,
    Met,
}

/// What a token is kept with.
pub(super) struct Kept {
    digest: BearerDigest,
    other: Other,
    pub(super) secret: SecretUsed,
}

impl Kept {
    /// Of a key with two secrets it is the newest, and the older one is kept beside it. While the
    /// newest was never used it is the older one: the first use of the newest has to be written.
    pub(super) fn of(record: &Record, now: Timestamp) -> Option<Self> {
        let newest = |other| Self { digest: record.digest, other, secret: SecretUsed::Newest };
        let Some(secrets) = &record.secrets else { return Some(newest(Other::None)) };
        match (secrets.is_used, secrets.live_older(now)) {
            (true, None) => Some(newest(Other::None)),
            (true, Some(older)) => {
                Some(newest(Other::Older { half: older.digest.half(), until: older.until }))
            }
            (false, None) => None,
            (false, Some(older)) => {
                let secret = SecretUsed::Older { until: older.until };
                Some(Self { digest: older.digest, other: Other::NewestUnused, secret })
            }
        }
    }

    /// When what it is kept with ends.
    fn end(&self) -> Option<Timestamp> {
        match self.secret {
            SecretUsed::Newest => None,
            SecretUsed::Older { until } => Some(until),
        }
    }
}

impl Refused {
    pub(super) fn boxed(refusal: impl Into<Refusal>, token: Option<TokenId>) -> Box<Self> {
        Box::new(Self { refusal: refusal.into(), token })
    }
}

impl TokenManager {
    #[inline]
    pub(super) fn quick<R, F>(
        &self,
        presented: &Presentation<'_>,
        chain: &ValidationChain,
        rules: Rules,
        read: F,
    ) -> Quick<R, F>
    where
        F: FnOnce(Answer<'_>) -> R,
    {
        let bearer = match Presented::read(presented.bearer, &self.inner.prefix) {
            Ok(bearer) => bearer,
            Err(refused) => return Quick::Malformed(refused),
        };
        let Some(cache) = self.inner.cache.as_ref().filter(|_| !chain.is_strict()) else {
            return Quick::Ask(read);
        };
        let now = self.now();
        let mut reader = Some(read);
        let found = match cache.look(&bearer, now, |token, used| {
            if let Err(refusal) = chain.evaluate_active(token, presented.device, now) {
                self.inner.metrics.handles.cache_lookups.of(CacheLookup::Hit).increment(1);
                return Read::Refused(Refused::boxed(refusal, Some(token.id())));
            }
            if rules == Rules::ToBeAsked && chain.has_rules() {
                return Read::Rules(Box::new(token.to_token()));
            }
            match reader.take() {
                Some(read) => {
                    self.note_cached_use(token, used, now);
                    let number = self.inner.tally.count(Tallied::Hit(bearer.kind()));
                    self.record_sampled_use(number, || token.id());
                    Read::Answer(read(Answer::Cached(token)))
                }
                // Nobody takes it but this, which is called once.
                None => Read::Refused(Refused::boxed(Refusal::Unknown, None)),
            }
        }) {
            Ok(found) => found,
            Err(refused) => return Quick::Malformed(refused),
        };
        match (found, reader) {
            (Found::Active(Read::Answer(answer)), _) => Quick::Active(answer),
            (Found::Active(Read::Refused(refused)), _) => Quick::Refused(refused),
            (Found::Active(Read::Rules(token)), Some(read)) => Quick::Rules(token, read),
            (Found::Nothing, Some(read)) => {
                self.inner.tally.count(Tallied::Miss);
                Quick::Ask(read)
            }
            (Found::Unknown | Found::Nothing | Found::Active(Read::Rules(_)), _) => {
                self.inner.tally.count(Tallied::UnknownHit);
                Quick::Refused(Refused::boxed(Refusal::Unknown, None))
            }
        }
    }

    /// Has the use of a cached token written, now and then.
    fn note_cached_use(&self, token: &ActiveToken<'_>, used: Use<'_>, now: Timestamp) {
        let pause = || self.inner.last_use.pause(token.idle_timeout());
        if used.is_due(now, || now + pause()) {
            let ends_at = first_end([token.expires_at(), None], token.idle_timeout(), now);
            let ends_at = token.idle_timeout().and(ends_at);
            // Without room, it is the next one that is written.
            self.queue_use(LastUse { id: token.id(), at: now, ends_at });
            if token.is_by_older_secret() {
                self.record_older_secret_use(token.id());
            }
        }
    }
}

impl Inner {
    /// Keeps what was loaded, if it may be answered from memory.
    pub(super) fn keep(
        &self,
        cache: &Cache,
        load_version: LoadVersion,
        loaded: &Loaded,
        token: &Token,
        kept: &Kept,
    ) {
        let now = self.clock.now();
        // Counted uses are counted by the store, and a refresh token is proven by more than its digest.
        let is_plain = token.uses_left.is_none() && token.kind != Kind::Refresh;
        if !is_plain || !loaded.is_clear() || token.state(now) != TokenState::Active {
            return;
        }
        let since = token.idle_since();
        // The use of a token that has idled for half of what it may is written before it is
        // answered, and not by the cache.
        let idle = token.idle_timeout.map(|idle| since + idle.half());
        let ends =
            [token.expires_at, token.absolute_expiry, idle, Some(loaded.keep_until), kept.end()];
        let end = ends.into_iter().flatten().min().unwrap_or(Timestamp::MAX);
        // The use that it was loaded for is noted if it is due.
        let note_at = self.last_use.next_use_due(token, now);
        let bytes = &cache::bytes_of(token, &loaded.epochs, kept.other);
        let digest = &kept.digest;
        cache.keep(load_version, token.id, &Keep { bytes, digest, end, note_at, now });
    }
}
