//! Compares what the clocks show from one round of metrics to the next.

use std::sync::{Mutex, PoisonError};

use super::repeating::Repeating;
use keyfob_core::time::Timestamp;
use keyfob_store::MonotonicInstant;

#[derive(Debug, Default)]
pub(in crate::manager) struct MetricsPublisher {
    pub(super) repeating: Repeating,
    /// What both clocks showed at the last round.
    clocks: Mutex<Option<(Timestamp, MonotonicInstant)>>,
}

impl MetricsPublisher {
    /// By how many milliseconds the clock moved on more than the time that has passed.
    pub(super) fn clock_jump(&self, time: Timestamp, instant: MonotonicInstant) -> i64 {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((last_time, last_instant)) = clocks.replace((time, instant)) else { return 0 };
        let passed = instant.as_nanos().saturating_sub(last_instant.as_nanos()) / 1_000_000;
        let moved = time.as_millis() as i64 - last_time.as_millis() as i64;
        moved.saturating_sub_unsigned(passed)
    }
}
