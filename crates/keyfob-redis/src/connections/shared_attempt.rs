//! An attempt that many callers share: one of them tries, and a failure is the answer for all that waited.
//!
//! If each of a thousand callers found out by itself that a server does not answer, the last one would know
//! after a thousand timeouts.

use std::sync::{Mutex, PoisonError};

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::call_error::CallError;

#[derive(Debug, Default)]
pub(super) struct SharedAttempt {
    running: tokio::sync::Mutex<()>,
    last_failure: Mutex<Option<(Instant, String)>>,
}

impl SharedAttempt {
    /// Waits until no other caller tries. Returns the right to try, or the error of an attempt that failed
    /// in the meantime.
    pub(super) async fn begin(&self) -> Result<MutexGuard<'_, ()>, CallError> {
        let arrived = Instant::now();
        let attempt = self.running.lock().await;
        let last_failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last_failure {
            Some((at, detail)) if *at >= arrived => Err(CallError::Refused(detail.clone())),
            _ => Ok(attempt),
        }
    }

    /// Passes an error to the callers that wait. An error that does not pass by itself is not shared: each
    /// caller gets it from its own attempt.
    pub(super) fn record_failure(&self, error: &CallError) {
        if let CallError::Refused(detail) = error {
            let failure = Some((Instant::now(), detail.clone()));
            *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = failure;
        }
    }
}
