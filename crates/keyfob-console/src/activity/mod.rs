//! What this server did in the last hour, from the counters that the process keeps.
//!
//! A task reads the metrics page of the server every few seconds, as Prometheus would, and remembers the
//! counters that the overview shows. So no counter is kept twice, and nothing is measured on the way of
//! a request.

mod metrics_text;
mod window;

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use keyfob_core::Timestamp;

pub(crate) use metrics_text::Sample;
pub(crate) use window::{PerMinute, Window};

/// How often the counters are read.
pub(crate) const INTERVAL: Duration = Duration::from_secs(10);

/// The counters of the last hour.
#[derive(Debug, Default)]
pub(crate) struct Activity {
    window: Mutex<Window>,
}

impl Activity {
    /// Remembers the counters of a metrics page.
    pub(crate) fn record(&self, page: &str, now: Timestamp) {
        let sample = Sample::parse(page);
        self.window.lock().unwrap_or_else(PoisonError::into_inner).push(now, sample);
    }

    /// Reads the counters of the last hour.
    pub(crate) fn read<R>(&self, read: impl FnOnce(&Window) -> R) -> R {
        read(&self.window.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
