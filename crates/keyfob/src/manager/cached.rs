//! Answers from the cache: without asking the store, without waiting, without allocating.

use super::validate::Answer;
use super::{Inner, TokenManager};
use crate::bearer::{BearerDigest, Presented};
use crate::cache::{self, Cache, Found, Keep, Use};
use crate::error::Error;
use crate::id::TokenId;
use crate::store::{Loaded, StoreError, Ticket};
use crate::time::Timestamp;
use crate::token::{ActiveToken, Kind, Token, TokenState};
use crate::validation::{Presentation, Refusal, ValidationChain};

/// What the cache has to say, or the reader back if it is not for the cache to say.
pub(super) enum Quick<R, F> {
    /// The token is active and meets every demand but the rules.
    Active(TokenId, R),
    /// It is refused.
    Refused(Refusal, Option<TokenId>),
    /// It is active, and the application's rules have yet to be asked.
    Rules(Box<Token>, F),
    /// Ask the store.
    Ask(F),
}

/// What was read of an active token.
enum Read<R> {
    Answer(R),
    Refused(Refusal),
    Rules(Result<Token, StoreError>),
}

/// Whether the application's rules are still to be asked.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Rules {
    ToBeAsked,
    Met,
}

impl TokenManager {
    pub(super) fn quick<R, F>(
        &self,
        presented: &Presentation<'_>,
        chain: &ValidationChain,
        rules: Rules,
        read: F,
    ) -> Result<Quick<R, F>, Error>
    where
        F: FnOnce(Answer<'_>) -> R,
    {
        let bearer = match Presented::read(presented.bearer, &self.inner.prefix) {
            Ok(bearer) => bearer,
            Err(refused) => return Ok(Quick::Refused(refused.into(), None)),
        };
        let Some(cache) = self.inner.cache.as_ref().filter(|_| !chain.is_strict()) else {
            return Ok(Quick::Ask(read));
        };
        let now = self.now();
        let id = bearer.id();
        let mut reader = Some(read);
        let found = cache.look(&bearer, now, |token, used| {
            if let Err(refusal) = chain.check_active(token, presented.device, now) {
                return Read::Refused(refusal);
            }
            if rules == Rules::ToBeAsked && chain.has_rules() {
                return Read::Rules(token.to_token());
            }
            match reader.take() {
                Some(read) => {
                    self.note_cached_use(token, used, now);
                    Read::Answer(read(Answer::Cached(*token)))
                }
                // Nobody takes it but this, which is called once.
                None => Read::Refused(Refusal::Unknown),
            }
        });
        Ok(match (found, reader) {
            (Found::Active(Read::Answer(answer)), _) => Quick::Active(id, answer),
            (Found::Active(Read::Refused(refusal)), _) => Quick::Refused(refusal, Some(id)),
            (Found::Active(Read::Rules(token)), Some(read)) => Quick::Rules(Box::new(token?), read),
            (Found::Nothing, Some(read)) => Quick::Ask(read),
            (Found::Unknown | Found::Nothing | Found::Active(Read::Rules(_)), _) => {
                Quick::Refused(Refusal::Unknown, None)
            }
        })
    }

    /// Has the use of a cached token written, now and then.
    fn note_cached_use(&self, token: &ActiveToken<'_>, used: Use<'_>, now: Timestamp) {
        let pause = || self.inner.last_use.pause(token.idle_timeout());
        if used.is_due(now, || now + pause()) {
            // Without room, it is the next one that is written.
            self.note_use(token.id(), now);
        }
    }
}

impl Inner {
    /// Keeps what was loaded, if it may be answered from memory.
    pub(super) fn keep(
        &self,
        cache: &Cache,
        ticket: Ticket,
        loaded: &Loaded,
        token: &Token,
        digest: &BearerDigest,
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
        let ends = [token.expires_at, token.absolute_expiry, idle, Some(loaded.keep_until)];
        let end = ends.into_iter().flatten().min().unwrap_or(Timestamp::MAX);
        // The use that it was loaded for is noted if it is due.
        let note_at = self.last_use.next_note(token, now);
        let bytes = &cache::bytes_of(token, &loaded.epochs);
        cache.keep(ticket, token.id, &Keep { bytes, digest, end, note_at, now });
    }
}
