//! How far a server's clock is ahead of this node's clock.
//!
//! Deadlines are given by this node's clock and checked by the server's. A monotonic clock, which is
//! never set, tells how long a measurement took and whether this node's clock was set since.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use keyfob_store::{Clock, MonotonicInstant, Timestamp};
use redis::Value;

use super::call_error::CallError;
use super::reply::{Reply, next};

/// If this node's clock differs from the monotonic clock by more milliseconds than at the last
/// measurement, it was set.
const MAX_DRIFT_MS: u64 = 500;

/// This node's clock, and how long to wait for the server's.
#[derive(Clone)]
pub(super) struct ClockSource {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) timeout: Duration,
}

#[derive(Debug, Default)]
pub(super) struct ClockOffset {
    /// By how many milliseconds the server's clock is ahead.
    ahead: AtomicI64,
    /// By how many milliseconds this node's clock was ahead of the monotonic clock at the measurement.
    ahead_of_monotonic: AtomicI64,
}

impl ClockOffset {
    /// Measures the offset. `server_time` sends TIME when it is polled first. The server read its clock in
    /// the middle of the time that the answer took.
    pub(super) async fn measure(
        &self,
        source: &ClockSource,
        server_time: impl Future<Output = Result<Value, CallError>>,
    ) -> Result<(), CallError> {
        let sent = monotonic_millis();
        let answer = server_time.await?;
        let (received, now) = (monotonic_millis(), source.now_millis());
        let middle = now - (received - sent) / 2;
        let server = read_millis(answer)?;
        self.ahead.store(server - middle, Ordering::Relaxed);
        self.ahead_of_monotonic.store(now - received, Ordering::Relaxed);
        Ok(())
    }

    /// Returns whether this node's clock was set since the measurement. If so, the offset is wrong.
    pub(super) fn is_outdated(&self, source: &ClockSource) -> bool {
        let ahead = source.now_millis() - monotonic_millis();
        ahead.abs_diff(self.ahead_of_monotonic.load(Ordering::Relaxed)) > MAX_DRIFT_MS
    }

    /// Returns the server's time at a time of this node's clock.
    pub(super) fn to_server_time(&self, local: Timestamp) -> Timestamp {
        Timestamp::from_millis(local.as_millis().saturating_add_signed(self.ahead()))
    }

    /// By how many milliseconds the server's clock is ahead of this node's.
    pub(super) fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }
}

impl ClockSource {
    fn now_millis(&self) -> i64 {
        self.clock.now().as_millis() as i64
    }
}

/// Reads the answer to TIME: seconds, then microseconds.
fn read_millis(answer: Value) -> Result<i64, CallError> {
    let read = || {
        let mut parts = Reply(answer).array()?.into_iter();
        let secs = next(&mut parts)?.number()?;
        Ok((secs * 1000 + next(&mut parts)?.number()? / 1000) as i64)
    };
    read().map_err(CallError::Final)
}

fn monotonic_millis() -> i64 {
    (MonotonicInstant::now().as_nanos() / 1_000_000) as i64
}
