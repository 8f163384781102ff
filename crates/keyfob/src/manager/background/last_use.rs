//! When tokens were last used: collected in memory, written together in the background.
//!
//! The last use of a token is written at most once within the precision, however often the token is
//! used, and never in the request that uses it. There is one exception: a token with an idle timeout
//! that was idle for half of it. That use is written before it is answered, so that a crash cannot
//! log its owner out.

use std::time::Duration;

use super::pending_uses::{Due, Queued};
use crate::error::Error;
use crate::manager::{Inner, TokenManager};
use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;
use keyfob_core::token::{Token, TokenState};
use keyfob_metrics::LastUseOutcome;
use keyfob_store::LastUse;

/// The maximum number of uses in one write.
const MAX_BATCH: usize = 1024;
const PAUSE: Duration = Duration::from_secs(1);

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
        uses.repeating.start(&self.inner.tasks, &self.inner, PAUSE, |inner| {
            Box::pin(inner.write_pending_uses())
        });
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
