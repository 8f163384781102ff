//! Instants of a clock that never goes back, for limits on staleness.

use std::time::Duration;

/// An instant of the monotonic clock of this machine. It is not related to the time of day.
///
/// Two processes on one machine see the same clock. Two machines do not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MonotonicInstant(u64);

/// From this maximum staleness on, a clock that lags by a tick of the kernel is exact enough.
const MIN_COARSE_STALENESS: Duration = Duration::from_millis(100);

/// The clock that checks of staleness read.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoarseClock {
    /// The cheapest clock, which lags by up to a tick of the kernel.
    #[cfg(target_os = "linux")]
    Coarse {
        /// The maximum lag in nanoseconds.
        lag: u64,
    },
    /// The exact clock.
    Exact,
}

impl MonotonicInstant {
    /// Returns the present instant, exactly.
    pub fn now() -> Self {
        Self(nanos())
    }

    /// Creates an instant from nanoseconds since the fixed start of the clock.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Returns the nanoseconds since the fixed start of the clock.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the instant `duration` earlier, or the start of the clock.
    #[must_use]
    pub fn before(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }

    /// Returns the time from `earlier` to this instant; zero if it is not earlier.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// Returns for how long this machine was suspended since it started. The clock of instants does not run
    /// meanwhile. The two clocks that tell are read one after the other, so this varies a little. Zero where the
    /// system does not tell.
    pub fn suspended() -> Duration {
        #[cfg(target_os = "linux")]
        {
            use rustix::time::{ClockId, clock_gettime};
            let boot = clock_gettime(ClockId::Boottime);
            let boot = boot.tv_sec as u64 * 1_000_000_000 + boot.tv_nsec as u64;
            Duration::from_nanos(boot.saturating_sub(nanos()))
        }
        #[cfg(not(target_os = "linux"))]
        Duration::ZERO
    }

    /// Returns whether the machine was suspended between two readings of [`MonotonicInstant::suspended`].
    pub fn has_slept(before: Duration, after: Duration) -> bool {
        after.abs_diff(before) > Duration::from_millis(20)
    }

    /// Returns the instant `duration` later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl CoarseClock {
    /// Returns the cheapest clock that is exact enough for this maximum staleness.
    pub fn for_max_staleness(max_staleness: Duration) -> Self {
        #[cfg(target_os = "linux")]
        if max_staleness >= MIN_COARSE_STALENESS {
            use rustix::time::{ClockId, clock_getres};
            let lag = clock_getres(ClockId::MonotonicCoarse).tv_nsec;
            return Self::Coarse { lag: u64::try_from(lag).unwrap_or(10_000_000) };
        }
        Self::Exact
    }

    /// Returns the maximum lag in nanoseconds.
    pub fn lag(self) -> u64 {
        match self {
            #[cfg(target_os = "linux")]
            Self::Coarse { lag } => lag,
            Self::Exact => 0,
        }
    }

    /// Returns the present instant of this clock.
    pub fn now(self) -> MonotonicInstant {
        match self {
            #[cfg(target_os = "linux")]
            Self::Coarse { .. } => {
                let now = rustix::time::clock_gettime(rustix::time::ClockId::MonotonicCoarse);
                MonotonicInstant(now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64)
            }
            Self::Exact => MonotonicInstant::now(),
        }
    }
}

#[cfg(target_os = "linux")]
fn nanos() -> u64 {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Monotonic);
    now.tv_sec as u64 * 1_000_000_000 + now.tv_nsec as u64
}

#[cfg(not(target_os = "linux"))]
fn nanos() -> u64 {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(START.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
