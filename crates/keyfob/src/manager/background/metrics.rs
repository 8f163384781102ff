//! Publishes counts and gauges to the metrics: once a second, and when a report is asked for.
//!
//! The `metrics` facade has no callback for the moment of a scrape. So gauges that change by
//! themselves are set again and again: how full the cache is, and whether its feed is trusted. The
//! counters of the cached path are published along with them.

use std::time::Duration;

use crate::manager::{Inner, TokenManager};
use keyfob_metrics::ClockJump;
use keyfob_store::MonotonicInstant;

const PAUSE: Duration = Duration::from_secs(1);
/// A clock was set if it moved on by this number of milliseconds more, or less, than the time that passed.
const MIN_JUMP_MILLIS: i64 = 1_000;

impl TokenManager {
    /// Publishes once a second from now on, as long as the manager lives.
    pub(in crate::manager) fn start_metrics_publisher(&self) {
        let repeating = &self.inner.publisher.repeating;
        if repeating.is_started() || !self.inner.metrics.is_kept() {
            return;
        }
        repeating.start(&self.inner.tasks, &self.inner, PAUSE, |inner| {
            inner.publish();
            Box::pin(std::future::ready(()))
        });
        if repeating.is_started() {
            self.inner.publish();
        }
    }
}

impl Inner {
    /// Publishes what was counted.
    pub(in crate::manager) fn publish(&self) {
        if !self.metrics.is_kept() {
            return;
        }
        let handles = &self.metrics.handles;
        self.tally.publish(handles);
        if let Some(cache) = &self.cache {
            cache.publish();
        }
        let direction = match self.publisher.clock_jump(self.clock.now(), MonotonicInstant::now()) {
            jump if jump > MIN_JUMP_MILLIS => ClockJump::Forward,
            jump if jump < -MIN_JUMP_MILLIS => ClockJump::Back,
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
