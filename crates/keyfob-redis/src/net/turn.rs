//! Taking turns at something that may fail: many want it, one tries, and all learn what came of it.

use std::sync::{Mutex, PoisonError};

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::trouble::CallError;

/// A turn. Were each of a thousand waiting callers to find out by itself that a server is silent,
/// the last of them would know after a thousand time-outs.
#[derive(Debug, Default)]
pub(super) struct Turn {
    taken: tokio::sync::Mutex<()>,
    failed: Mutex<Option<(Instant, String)>>,
}

impl Turn {
    /// Waits for the turn; fails with what the one failed with who had it meanwhile.
    pub(super) async fn take(&self) -> Result<MutexGuard<'_, ()>, CallError> {
        let arrived = Instant::now();
        let turn = self.taken.lock().await;
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        match &*failed {
            Some((at, detail)) if *at >= arrived => Err(CallError::Refused(detail.clone())),
            _ => Ok(turn),
        }
    }

    /// Lets the others know that it was of no use. An error that stays is for each to find out.
    pub(super) fn failed(&self, trouble: &CallError) {
        if let CallError::Refused(detail) = trouble {
            let failure = Some((Instant::now(), detail.clone()));
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        }
    }
}
