//! An attempt that many callers share: one of them tries, and a failure is the answer for all that waited.
//!
//! If each of a thousand callers found out by itself that a server does not answer, the last one would know
//! after a thousand timeouts.

use std::sync::{Mutex, PoisonError};

use tokio::sync::MutexGuard;
use tokio::time::Instant;

use super::call_error::CallError;

#[derive(Debug)]
struct Failure {
    at: Instant,
    detail: String,
    as_error: fn(String) -> CallError,
}

#[derive(Debug, Default)]
pub(super) struct SharedAttempt {
    running: tokio::sync::Mutex<()>,
    last_failure: Mutex<Option<Failure>>,
}

impl SharedAttempt {
    /// Waits until no other caller tries. Returns the right to try, or the error of an attempt that failed
    /// in the meantime.
    pub(super) async fn begin(&self) -> Result<MutexGuard<'_, ()>, CallError> {
        let arrived = Instant::now();
        let attempt = self.running.lock().await;
        let last_failure = self.last_failure.lock().unwrap_or_else(PoisonError::into_inner);
        match &*last_failure {
            Some(Failure { at, detail, as_error }) if *at >= arrived => {
                Err(as_error(detail.clone()))
            }
            _ => Ok(attempt),
        }
    }

    /// Passes an error to the callers that wait. A refused login too: a server counts each one. Another error
    /// that does not pass by itself is not shared: each caller gets it from its own attempt.
    pub(super) fn record_failure(&self, error: &CallError) {
        let (detail, as_error): (_, fn(String) -> CallError) = match error {
            CallError::Refused(detail) => (detail, CallError::Refused),
            CallError::LoginRefused(detail) => (detail, CallError::LoginRefused),
            _ => return,
        };
        let failure = Failure { at: Instant::now(), detail: detail.clone(), as_error };
        *self.last_failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(failure);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::future::join_all;

    use super::*;

    /// Lets a hundred callers try, and returns how many of them did, and what all got.
    async fn try_together(error: fn(String) -> CallError) -> (usize, Vec<CallError>) {
        let (attempt, tried) = (SharedAttempt::default(), std::sync::atomic::AtomicUsize::new(0));
        let callers = (0..100).map(|_| async {
            let _running = match attempt.begin().await {
                Ok(running) => running,
                Err(failed) => return failed,
            };
            tried.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            tokio::task::yield_now().await;
            attempt.record_failure(&error("no".to_owned()));
            error("no".to_owned())
        });
        let failures = join_all(callers).await;
        (tried.into_inner(), failures)
    }

    #[tokio::test]
    async fn one_of_many_callers_tries() {
        let (tried, failures) = try_together(CallError::Refused).await;
        assert_eq!(tried, 1);
        assert!(failures.iter().all(|failed| matches!(failed, CallError::Refused(_))));
        let (tried, failures) = try_together(CallError::LoginRefused).await;
        assert_eq!(tried, 1, "a refused login is not repeated by each caller");
        assert!(failures.iter().all(|failed| matches!(failed, CallError::LoginRefused(_))));
        let final_error = |what| CallError::Final(crate::config::misconfigured(what));
        assert_eq!(try_together(final_error).await.0, 100);
    }
}
