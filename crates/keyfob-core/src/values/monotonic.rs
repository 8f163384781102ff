//! Moments of a clock that never goes back, by which trust ends.

use std::time::Duration;

/// A moment by the monotonic clock of this machine. It says nothing of the time of day.
///
/// Two processes on one machine see the same clock; two machines do not.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct MonotonicInstant(u64);

/// From this bound on, the clock that is read may lag by a tick of the kernel.
const COARSE_FROM: Duration = Duration::from_millis(100);

/// Which clock a reader looks at.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CoarseClock {
    /// The one that costs least, and lags by up to so many nanoseconds.
    #[cfg(target_os = "linux")]
    Coarse { lag: u64 },
    /// The exact one.
    Exact,
}

impl MonotonicInstant {
    /// The present moment, exactly.
    pub fn now() -> Self {
        Self(nanos())
    }

    /// The moment so many nanoseconds after the machine's beginning.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Nanoseconds since some fixed moment of this machine.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// This moment and so much later.
    pub fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl CoarseClock {
    /// The cheapest that can tell when a bound is over.
    pub fn for_bound(bound: Duration) -> Self {
        #[cfg(target_os = "linux")]
        if bound >= COARSE_FROM {
            use rustix::time::{ClockId, clock_getres};
            let lag = clock_getres(ClockId::MonotonicCoarse).tv_nsec;
            return Self::Coarse { lag: u64::try_from(lag).unwrap_or(10_000_000) };
        }
        let _exact_below = COARSE_FROM;
        Self::Exact
    }

    /// By how much what it shows may lag.
    pub fn lag(self) -> u64 {
        match self {
            #[cfg(target_os = "linux")]
            Self::Coarse { lag } => lag,
            Self::Exact => 0,
        }
    }

    /// The present moment, as it shows it.
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

    static BEGINNING: LazyLock<Instant> = LazyLock::new(Instant::now);
    u64::try_from(BEGINNING.elapsed().as_nanos()).unwrap_or(u64::MAX)
}
