//! When tokens were last used: gathered in memory, written together in the background.
//!
//! A token is written at most once within the precision, however often it is used, and never in the
//! request that uses it. The exception is a token with an idle timeout that has run for half of it:
//! its use is written before it is answered, so that a crash cannot log its owner out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::id::TokenId;
use crate::manager::background::Repeating;
use crate::manager::{Inner, TokenManager};
use crate::metrics::LastUseOutcome;
use crate::store::LastUse;
use crate::time::{Timestamp, Ttl};
use crate::token::{Token, TokenState};

/// The most tokens that wait to be written. Beyond it, uses are written before they are answered.
const MOST_WAITING: usize = 65_536;
/// How many go into one write.
const TOGETHER: usize = 1024;
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(in crate::manager) struct LastUses {
    precision: Ttl,
    waiting: Mutex<HashMap<TokenId, LastUse>>,
    /// Held while they are written, so that whoever shuts down waits for a write under way.
    writing: tokio::sync::Mutex<()>,
    repeating: Repeating,
}

/// What is to be done about one use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// It is close enough to what is known.
    No,
    /// Write it when there is time.
    Later,
    /// Write it before it is answered.
    Now,
}

/// What came of putting a use where it is written from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Put {
    There,
    /// Another use of the same token was there.
    WithAnother,
    NoRoom,
}

impl LastUses {
    pub(in crate::manager) fn new(precision: Ttl) -> Self {
        Self {
            precision,
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            repeating: Repeating::default(),
        }
    }

    /// How long after a use that was written the next one is.
    pub(in crate::manager) fn pause(&self, idle_timeout: Option<Ttl>) -> Ttl {
        let eighth = idle_timeout.map(|idle| idle.half().half().half());
        eighth.map_or(self.precision, |eighth| eighth.min(self.precision))
    }

    /// When the next use is to be noted, after one at this time.
    pub(in crate::manager) fn next_use_due(&self, token: &Token, now: Timestamp) -> Timestamp {
        let since = if self.due(token, now) == Due::No { token.idle_since() } else { now };
        since + self.pause(token.idle_timeout)
    }

    fn due(&self, token: &Token, now: Timestamp) -> Due {
        let known = token.idle_since();
        let since = now.since(known).map_or(0, Ttl::as_millis);
        match token.idle_timeout.map(Ttl::as_millis) {
            Some(idle) if since >= idle / 2 => Due::Now,
            None if token.last_used.is_none() => Due::Later,
            _ if since >= self.pause(token.idle_timeout).as_millis() => Due::Later,
            _ => Due::No,
        }
    }

    /// Puts a use where the background task finds it.
    fn put(&self, last: LastUse) -> Put {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiting.get_mut(&last.id) {
            if known.at < last.at {
                *known = last;
            }
            return Put::WithAnother;
        }
        if waiting.len() >= MOST_WAITING {
            return Put::NoRoom;
        }
        waiting.insert(last.id, last);
        Put::There
    }

    fn take(&self) -> Vec<LastUse> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.drain().map(|(_, last)| last).collect()
    }
}

impl TokenManager {
    /// Notes that a token is used, where that is known by other means than its bearer. It is
    /// written within the precision.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`] when the token is not active: a use does not bring it
    /// back; [`Error::Store`].
    pub async fn touch(&self, id: TokenId) -> Result<(), Error> {
        let token = self.get(id).await?;
        let now = self.now();
        match token.state(now) {
            TokenState::Active => self.record_use(&token, now).await,
            state => Err(Error::Ended { id, state }),
        }
    }

    pub(in crate::manager) async fn record_use(
        &self,
        token: &Token,
        now: Timestamp,
    ) -> Result<(), Error> {
        // An allowance for clocks lets a token pass, but prolongs nothing.
        if token.state(now) != TokenState::Active && token.uses_left != Some(0) {
            return Ok(());
        }
        // Only a token that may not idle for ever ends later for being used.
        let ends_at = token.idle_timeout.and_then(|_| token.ends_after(now));
        let last = LastUse { id: token.id, at: now, ends_at };
        match self.inner.last_use.due(token, now) {
            Due::No => Ok(()),
            Due::Later if self.queue_use(last) => Ok(()),
            Due::Later | Due::Now => self.write_use(last).await,
        }
    }

    async fn write_use(&self, last: LastUse) -> Result<(), Error> {
        self.inner.store.touch(&[last]).await?;
        self.inner.metrics.handles.last_uses.of(LastUseOutcome::WrittenAtOnce).increment(1);
        Ok(())
    }

    /// Has a use written in the background; `false` if there is no room.
    pub(in crate::manager) fn queue_use(&self, last: LastUse) -> bool {
        let uses = &self.inner.last_use;
        let put = uses.put(last);
        if put == Put::WithAnother {
            self.inner.metrics.handles.last_uses.of(LastUseOutcome::Coalesced).increment(1);
        }
        uses.repeating.start(&self.inner, PAUSE, |inner| Box::pin(inner.write_pending_uses()));
        put != Put::NoRoom
    }
}

impl Inner {
    pub(in crate::manager) async fn write_pending_uses(&self) {
        let _writing = self.last_use.writing.lock().await;
        let uses = self.last_use.take();
        let counts = &self.metrics.handles.last_uses;
        for (place, together) in uses.chunks(TOGETHER).enumerate() {
            if let Err(error) = self.store.touch(together).await {
                let left = uses.get(place * TOGETHER..).unwrap_or_default();
                tracing::warn!(%error, waiting = left.len(), "last uses wait for the store");
                for last in left {
                    // Without room, the next use of the token will be written.
                    self.last_use.put(*last);
                }
                counts.of(LastUseOutcome::Deferred).increment(left.len() as u64);
                break;
            }
            counts.of(LastUseOutcome::Written).increment(together.len() as u64);
        }
    }
}
