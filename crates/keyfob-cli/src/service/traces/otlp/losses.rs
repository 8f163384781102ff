//! How many spans were lost, and when to say it.

use std::fmt::Display;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The time between two warnings.
const INTERVAL: Duration = Duration::from_secs(60);

/// The spans that were lost since the last warning.
#[derive(Debug, Default)]
pub(super) struct Losses {
    lost: AtomicU64,
    warned: Mutex<Option<Instant>>,
}

impl Losses {
    /// Counts spans.
    pub(super) fn add(&self, spans: usize) {
        self.lost.fetch_add(u64::try_from(spans).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    /// Warns if spans were lost and the last warning is long ago. `error` is why the last batch could not
    /// be sent.
    pub(super) fn report(&self, error: Option<&impl Display>) {
        let Some(lost) = self.due(Instant::now()) else { return };
        match error {
            Some(error) => {
                tracing::warn!(lost, %error, "the collector of traces.endpoint takes no traces");
            }
            None => tracing::warn!(lost, "there are more traces than the collector takes"),
        }
    }

    /// Warns about what no warning has said.
    pub(super) fn report_rest(&self) {
        let lost = self.lost.swap(0, Ordering::Relaxed);
        if lost > 0 {
            tracing::warn!(lost, "these traces were lost too");
        }
    }

    /// Returns how many spans to warn about now.
    fn due(&self, now: Instant) -> Option<u64> {
        // A panic elsewhere leaves a time that is right.
        let mut warned = self.warned.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        if warned.is_some_and(|at| now.duration_since(at) < INTERVAL) {
            return None;
        }
        let lost = Some(self.lost.swap(0, Ordering::Relaxed)).filter(|lost| *lost > 0)?;
        *warned = Some(now);
        Some(lost)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn losses_are_reported_once_a_minute() {
        let losses = Losses::default();
        let start = Instant::now();
        assert_eq!(losses.due(start), None);
        losses.add(3);
        assert_eq!(losses.due(start), Some(3));
        losses.add(4);
        assert_eq!(losses.due(start + INTERVAL / 2), None);
        losses.add(5);
        assert_eq!(losses.due(start + INTERVAL), Some(9));
    }
}
