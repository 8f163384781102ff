//! When tokens were last used: collected in memory, written together in the background.
//!
//! The last use of a token is written at most once within the precision, however often the token is
//! used, and never in the request that uses it. There is one exception: a token with an idle timeout
//! that was idle for half of it. That use is written before it is answered, so that a crash cannot
//! log its owner out.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::error::Error;
use crate::manager::background::Repeating;
use crate::manager::{Inner, TokenManager};
use keyfob_core::id::TokenId;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::{Token, TokenState};
use keyfob_metrics::LastUseOutcome;
use keyfob_store::LastUse;

/// The maximum number of tokens whose use waits to be written. Beyond it, a use is written before it
/// is answered.
const MAX_WAITING: usize = 65_536;
/// The maximum number of uses in one write.
const MAX_BATCH: usize = 1024;
const PAUSE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(in crate::manager) struct LastUses {
    precision: Ttl,
    waiting: Mutex<HashMap<TokenId, LastUse>>,
    /// Held during a write, so that a shutdown waits for it.
    writing: tokio::sync::Mutex<()>,
    repeating: Repeating,
}

/// When a use must be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Due {
    /// Not at all: the stored time is close enough.
    No,
    /// In the background.
    Later,
    /// Before it is answered.
    Now,
}

/// The outcome of queueing a use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Queued {
    Added,
    /// Another use of the same token was queued.
    Merged,
    Full,
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

    /// How long after a use was written the next one is written.
    pub(in crate::manager) fn interval(&self, idle_timeout: Option<Ttl>) -> Ttl {
        let eighth = idle_timeout.map(|idle| idle.half().half().half());
        eighth.map_or(self.precision, |eighth| eighth.min(self.precision))
    }

    /// When the next use must be written, after one at this time.
    pub(in crate::manager) fn next_use_due(&self, token: &Token, now: Timestamp) -> Timestamp {
        let since = if self.due(token, now) == Due::No { token.idle_since() } else { now };
        since + self.interval(token.idle_timeout)
    }

    fn due(&self, token: &Token, now: Timestamp) -> Due {
        let known = token.idle_since();
        let since = now.since(known).map_or(0, Ttl::as_millis);
        match token.idle_timeout.map(Ttl::as_millis) {
            Some(idle) if since >= idle / 2 => Due::Now,
            None if token.last_used.is_none() => Due::Later,
            _ if since >= self.interval(token.idle_timeout).as_millis() => Due::Later,
            _ => Due::No,
        }
    }

    /// Queues a use for the background task.
    fn queue(&self, last: LastUse) -> Queued {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiting.get_mut(&last.id) {
            if known.at < last.at {
                *known = last;
            }
            return Queued::Merged;
        }
        if waiting.len() >= MAX_WAITING {
            return Queued::Full;
        }
        waiting.insert(last.id, last);
        Queued::Added
    }

    fn take(&self) -> Vec<LastUse> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.drain().map(|(_, last)| last).collect()
    }
}

/// # Last use
impl TokenManager {
    /// Records a use of a token that was not presented to [`TokenManager::validate`], such as one on
    /// an open connection. It is written within the precision of last uses.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let id = manager.issue(Grant::new(Kind::Session).subject("user123")).await?.token.id;
    /// manager.touch(id).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Ended`] when the token is not active: a use does not make it
    /// active again; [`Error::Store`].
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
        // A token that is accepted only by the tolerance for clocks is not prolonged.
        if token.state(now) != TokenState::Active && token.uses_left != Some(0) {
            return Ok(());
        }
        // Only a token with an idle timeout ends later when it is used.
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

    /// Queues a use to be written in the background; `false` if the queue is full.
    pub(in crate::manager) fn queue_use(&self, last: LastUse) -> bool {
        let uses = &self.inner.last_use;
        let queued = uses.queue(last);
        if queued == Queued::Merged {
            self.inner.metrics.handles.last_uses.of(LastUseOutcome::Coalesced).increment(1);
        }
        uses.repeating.start(&self.inner, PAUSE, |inner| Box::pin(inner.write_pending_uses()));
        queued != Queued::Full
    }
}

impl Inner {
    pub(in crate::manager) async fn write_pending_uses(&self) {
        let _writing = self.last_use.writing.lock().await;
        let uses = self.last_use.take();
        let counts = &self.metrics.handles.last_uses;
        for (index, batch) in uses.chunks(MAX_BATCH).enumerate() {
            if let Err(error) = self.store.touch(batch).await {
                let left = uses.get(index * MAX_BATCH..).unwrap_or_default();
                tracing::warn!(%error, waiting = left.len(), "last uses wait for the store");
                for last in left {
                    // If the queue is full, the next use of the token is written.
                    self.last_use.queue(*last);
                }
                counts.of(LastUseOutcome::Deferred).increment(left.len() as u64);
                break;
            }
            counts.of(LastUseOutcome::Written).increment(batch.len() as u64);
        }
    }
}
