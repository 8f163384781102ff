//! The end of a manager: what it does, in which order.

use std::time::Duration;

use crate::manager::TokenManager;
use crate::manager::background::Phase;

/// How long handlers may take to catch up with the pending events.
const DRAIN_LIMIT: Duration = Duration::from_secs(5);
/// How long tasks may take after that to finish the step that they are in.
const STOP_LIMIT: Duration = Duration::from_secs(1);

/// # Shutdown
impl TokenManager {
    /// Ends everything that the manager does, in this order:
    ///
    /// 1. Last uses and observations that wait in memory are written.
    /// 2. Event handlers and audit logs are given the pending events. Each commits its
    ///    cursor and ends; so does each [`EventStream`](crate::manager::EventStream). A handler that fails
    ///    is not tried again. What it did not take stays in the feed.
    /// 3. Background tasks end. Metrics are published once more.
    /// 4. The store is closed.
    ///
    /// It takes five seconds at most for handlers to catch up, and one more for the call that each
    /// is in. It may be called again, also by clones and at the same time: each call returns when
    /// all of it is done, and writes what was gathered since.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// // After the server has answered its last request:
    /// manager.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn shutdown(&self) {
        let inner = &*self.inner;
        // The second of two calls waits for the first.
        let _turn = inner.shutdown.lock().await;
        inner.write_pending_uses().await;
        inner.write_pending_observations().await;
        if !inner.tasks.end(Phase::Draining, DRAIN_LIMIT).await
            && !inner.tasks.end(Phase::Stopped, STOP_LIMIT).await
        {
            tracing::warn!("the manager shuts down although a task has not ended in time");
        }
        // What the last requests and the handlers left behind.
        inner.write_pending_uses().await;
        inner.write_pending_observations().await;
        inner.publish();
        inner.store.close().await;
    }
}
