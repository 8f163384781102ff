//! Work that is done now and then in the background: started by the first who needs it, for a
//! manager that it holds weakly, and over when the manager is.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::Inner;

/// Whether the work has been started.
#[derive(Debug, Default)]
pub(super) struct Background(AtomicBool);

/// One round of the work.
pub(super) type Round = for<'a> fn(&'a Inner) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Background {
    /// Sees to it that `round` is done after every `pause`.
    pub(super) fn ensure(&self, manager: &Arc<Inner>, pause: Duration, round: Round) {
        if self.0.load(Ordering::Relaxed) || self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let manager = Arc::downgrade(manager);
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                match manager.upgrade() {
                    Some(inner) => round(&inner).await,
                    None => break,
                }
            }
        });
    }
}
