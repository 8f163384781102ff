//! Work that is done now and then in the background: started by the first who needs it, for a
//! manager that it holds weakly, and over when the manager is.

pub(in crate::manager) mod last_use;
pub(in crate::manager) mod metrics;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::manager::Inner;

/// Whether the work has been started.
#[derive(Debug, Default)]
pub(in crate::manager) struct Background(AtomicBool);

/// One round of the work.
pub(in crate::manager) type Round =
    for<'a> fn(&'a Inner) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Background {
    /// Sees to it that `round` is done after every `pause`.
    pub(in crate::manager) fn ensure(&self, manager: &Arc<Inner>, pause: Duration, round: Round) {
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
