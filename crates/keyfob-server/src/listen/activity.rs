//! What a connection does, and whether that is acceptable.
//!
//! The parts of a connection note what happens. A clock of the connection asks [`fault`] from time to
//! time, which is a function of values. So no part needs a timer of its own, and ten thousand idle
//! connections cost little.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::time::Duration;

use keyfob::metrics::ConnectionCut;
use tokio::time::Instant;

use super::bounds::ConnectionBounds;

/// Why a connection is cut.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cut {
    /// The head of a request did not come in time.
    SlowHead,
    /// There was no request for long. The connection is closed in order.
    Idle,
    /// The client does not read an answer.
    SlowReader,
    /// The client cancels most of its requests.
    Resets,
}

/// What a connection has done so far. Times are milliseconds since it began, plus one; 0 is never.
#[derive(Debug)]
pub(crate) struct Activity {
    start: Instant,
    requests: AtomicU32,
    cancelled: AtomicU32,
    in_flight: AtomicU32,
    is_http2: AtomicBool,
    last_request_end: AtomicU64,
    head_since: AtomicU64,
    blocked_since: AtomicU64,
}

/// [`Activity`] at one moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Snapshot {
    pub(crate) now: Duration,
    pub(crate) requests: u32,
    pub(crate) cancelled: u32,
    pub(crate) in_flight: u32,
    /// When the last request ended, or the connection began.
    pub(crate) quiet_since: Duration,
    /// When the head of the next request began.
    pub(crate) head_since: Option<Duration>,
    /// Since when a write waits for the client.
    pub(crate) blocked_since: Option<Duration>,
}

/// Returns why a connection has to be cut.
pub(crate) fn fault(seen: &Snapshot, bounds: &ConnectionBounds) -> Option<Cut> {
    let since = |time: Duration| seen.now.saturating_sub(time);
    if seen.cancelled > bounds.max_resets && seen.cancelled > seen.requests / 2 {
        return Some(Cut::Resets);
    }
    if seen.blocked_since.is_some_and(|time| since(time) > bounds.write_timeout) {
        return Some(Cut::SlowReader);
    }
    if seen.in_flight > 0 {
        return None;
    }
    let is_slow = |time: Duration| since(time) > bounds.header_timeout;
    if seen.head_since.is_some_and(is_slow) || (seen.requests == 0 && is_slow(Duration::ZERO)) {
        return Some(Cut::SlowHead);
    }
    (since(seen.quiet_since) > bounds.idle_timeout).then_some(Cut::Idle)
}

impl From<Cut> for ConnectionCut {
    fn from(cut: Cut) -> Self {
        match cut {
            Cut::SlowHead => Self::SlowHead,
            Cut::Idle => Self::Idle,
            Cut::SlowReader => Self::SlowReader,
            Cut::Resets => Self::Resets,
        }
    }
}

impl Activity {
    pub(crate) fn new() -> Self {
        Self {
            start: Instant::now(),
            requests: AtomicU32::new(0),
            cancelled: AtomicU32::new(0),
            in_flight: AtomicU32::new(0),
            is_http2: AtomicBool::new(false),
            last_request_end: AtomicU64::new(0),
            head_since: AtomicU64::new(0),
            blocked_since: AtomicU64::new(0),
        }
    }

    fn now(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(u64::MAX - 1) + 1
    }

    /// Notes that bytes came.
    pub(super) fn note_read(&self) {
        // Between the requests of HTTP/2 there are frames that begin no request.
        let is_head = self.in_flight.load(Ordering::Relaxed) == 0
            && !self.is_http2.load(Ordering::Relaxed)
            && self.head_since.load(Ordering::Relaxed) == 0;
        if is_head {
            self.head_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Notes that a write continued.
    pub(super) fn note_written(&self) {
        if self.blocked_since.load(Ordering::Relaxed) != 0 {
            self.blocked_since.store(0, Ordering::Relaxed);
        }
    }

    /// Notes that a write waits.
    pub(super) fn note_blocked(&self) {
        if self.blocked_since.load(Ordering::Relaxed) == 0 {
            self.blocked_since.store(self.now(), Ordering::Relaxed);
        }
    }

    /// Notes that a request has begun.
    pub(super) fn note_request(&self, is_http2: bool) {
        self.in_flight.fetch_add(1, Ordering::Relaxed);
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.head_since.store(0, Ordering::Relaxed);
        self.is_http2.store(is_http2, Ordering::Relaxed);
    }

    /// Notes that a request has ended, or that the client has given it up.
    pub(super) fn note_end(&self, is_cancelled: bool) {
        if is_cancelled {
            self.cancelled.fetch_add(1, Ordering::Relaxed);
        }
        self.last_request_end.store(self.now(), Ordering::Relaxed);
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    /// Returns whether requests of HTTP/2 came.
    pub(super) fn is_http2(&self) -> bool {
        self.is_http2.load(Ordering::Relaxed)
    }

    /// Returns the state at this moment.
    pub(super) fn snapshot(&self) -> Snapshot {
        let time = |at: &AtomicU64| {
            let at = at.load(Ordering::Relaxed);
            (at != 0).then(|| Duration::from_millis(at))
        };
        Snapshot {
            requests: self.requests.load(Ordering::Relaxed),
            cancelled: self.cancelled.load(Ordering::Relaxed),
            in_flight: self.in_flight.load(Ordering::Relaxed),
            quiet_since: time(&self.last_request_end).unwrap_or_default(),
            head_since: time(&self.head_since),
            blocked_since: time(&self.blocked_since),
            now: Duration::from_millis(self.now()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn check(expected: Option<Cut>, seen: Snapshot) {
        assert_eq!(fault(&seen, &ConnectionBounds::default()), expected, "{seen:?}");
    }

    #[test]
    fn a_client_that_sends_no_head_is_cut() {
        check(None, Snapshot { now: 10 * SECOND, ..Snapshot::default() });
        check(Some(Cut::SlowHead), Snapshot { now: 11 * SECOND, ..Snapshot::default() });
        let later = Snapshot { requests: 3, quiet_since: 20 * SECOND, ..Snapshot::default() };
        let begun = Snapshot { head_since: Some(20 * SECOND), ..later };
        check(None, Snapshot { now: 30 * SECOND, ..begun });
        check(Some(Cut::SlowHead), Snapshot { now: 31 * SECOND, ..begun });
        check(None, Snapshot { now: 31 * SECOND, ..later });
    }

    #[test]
    fn a_connection_may_be_idle_for_a_while() {
        let idle = Snapshot { requests: 1, quiet_since: SECOND, ..Snapshot::default() };
        check(None, Snapshot { now: 121 * SECOND, ..idle });
        check(Some(Cut::Idle), Snapshot { now: 122 * SECOND, ..idle });
        check(None, Snapshot { now: 999 * SECOND, in_flight: 1, ..idle });
    }

    #[test]
    fn a_client_that_does_not_read_is_cut_while_its_request_runs() {
        let blocked = Snapshot { requests: 1, in_flight: 1, ..Snapshot::default() };
        let blocked = Snapshot { blocked_since: Some(SECOND), ..blocked };
        check(None, Snapshot { now: 31 * SECOND, ..blocked });
        check(Some(Cut::SlowReader), Snapshot { now: 32 * SECOND, ..blocked });
    }

    #[test]
    fn a_client_that_cancels_most_requests_is_cut() {
        let busy = Snapshot { requests: 500, in_flight: 9, ..Snapshot::default() };
        check(None, Snapshot { cancelled: 200, ..busy });
        check(None, Snapshot { cancelled: 250, ..busy });
        check(Some(Cut::Resets), Snapshot { cancelled: 251, ..busy });
    }
}
