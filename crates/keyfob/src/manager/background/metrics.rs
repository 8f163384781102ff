//! What was counted, into the metrics: once a second, and when somebody asks.
//!
//! The facade has nobody ask for a value, so those that change by themselves are said again and
//! again: how full the cache is, and whether its feed may be believed. The counts of the cached path
//! come along.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::manager::{Inner, TokenManager};
use crate::metrics::ClockJump;
use crate::store::MonotonicInstant;
use crate::time::Timestamp;

const PAUSE: Duration = Duration::from_secs(1);
/// By how many milliseconds two clocks may come apart between two rounds before one was set.
const JUMP: i64 = 1_000;

#[derive(Debug, Default)]
pub(in crate::manager) struct Publisher {
    is_started: AtomicBool,
    /// What both clocks said the last time.
    clocks: Mutex<Option<(Timestamp, MonotonicInstant)>>,
}

impl Publisher {
    /// By how many milliseconds the clock moved on more than the time that has passed.
    fn jumped(&self, time: Timestamp, moment: MonotonicInstant) -> i64 {
        let mut clocks = self.clocks.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((last_time, last_moment)) = clocks.replace((time, moment)) else { return 0 };
        let passed = moment.as_nanos().saturating_sub(last_moment.as_nanos()) / 1_000_000;
        let moved = time.as_millis() as i64 - last_time.as_millis() as i64;
        moved.saturating_sub_unsigned(passed)
    }
}

impl TokenManager {
    /// Sees to it that what is counted is published, as long as the manager lives.
    pub(in crate::manager) fn start_metrics_publisher(&self) {
        let is_started = &self.inner.publisher.is_started;
        if is_started.load(Ordering::Relaxed) || !self.inner.metrics.is_kept() {
            return;
        }
        // Somebody else drives what is done here; the next one may be within a runtime.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if is_started.swap(true, Ordering::Relaxed) {
            return;
        }
        let manager = Arc::downgrade(&self.inner);
        runtime.spawn(async move {
            while let Some(inner) = manager.upgrade() {
                inner.publish();
                drop(inner);
                tokio::time::sleep(PAUSE).await;
            }
        });
    }
}

impl Inner {
    pub(in crate::manager) fn publish(&self) {
        if !self.metrics.is_kept() {
            return;
        }
        let handles = &self.metrics.handles;
        self.tally.publish(handles);
        if let Some(cache) = &self.cache {
            cache.publish();
        }
        let direction = match self.publisher.jumped(self.clock.now(), MonotonicInstant::now()) {
            jump if jump > JUMP => ClockJump::Forward,
            jump if jump < -JUMP => ClockJump::Back,
            _ => return,
        };
        handles.clock_jumps.of(direction).increment(1);
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.publish();
    }
}
