//! How long a fetched document is used, and when it is fetched again: functions of values.

use std::time::{Duration, Instant};

use keyfob::Timestamp;
use keyfob::clock::{Clock, SystemClock};
use std::sync::Arc;

/// After how long a fetch is tried again. Neither failures nor unknown keys cause more than one request in this time.
pub(super) const RETRY_AFTER: Duration = Duration::from_secs(5);

/// A point in time by two clocks.
///
/// The clock of the day may be set back, and the monotonic one stands still while the machine sleeps. So an age is the
/// greater of the two.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Moment {
    pub(super) wall: Timestamp,
    pub(super) monotonic: Duration,
}

impl Moment {
    /// Returns how long ago an earlier moment was.
    pub(super) fn since(self, earlier: Self) -> Duration {
        let wall = self.wall.as_millis().saturating_sub(earlier.wall.as_millis());
        Duration::from_millis(wall).max(self.monotonic.saturating_sub(earlier.monotonic))
    }
}

/// The clocks of a verifier.
#[derive(Clone, Debug)]
pub(super) enum Clocks {
    /// Those of the machine.
    System(Instant),
    /// One that stands for both.
    One(Arc<dyn Clock>),
}

impl Clocks {
    pub(super) fn system() -> Self {
        Self::System(Instant::now())
    }

    pub(super) fn now(&self) -> Moment {
        match self {
            Self::System(start) => Moment { wall: SystemClock.now(), monotonic: start.elapsed() },
            Self::One(clock) => {
                let wall = clock.now();
                Moment { wall, monotonic: Duration::from_millis(wall.as_millis()) }
            }
        }
    }
}

/// For how long a document is used, counted from the start of its fetch.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Freshness {
    /// From then on one request fetches it again, and the others use it.
    pub(super) refresh_after: Duration,
    /// From then on requests wait until it is fetched again.
    pub(super) stale_after: Duration,
    /// From then on it is not used, also if it cannot be fetched again.
    pub(super) useless_after: Duration,
}

/// What a request does about a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Step {
    /// Uses it.
    Use,
    /// Fetches it, unless another request does, and then uses it in any case.
    Refresh,
    /// Fetches it, or waits until another request has.
    Fetch,
    /// Does without it.
    Missing,
}

/// Returns what a request does about a document: `kept` is its age and for how long it is used, `tried` how long ago a
/// fetch ended.
pub(super) fn step(kept: Option<(Duration, Freshness)>, tried: Option<Duration>) -> Step {
    let may_try = tried.is_none_or(|ago| ago >= RETRY_AFTER);
    match kept {
        Some((age, of)) if age < of.refresh_after.min(of.useless_after) => Step::Use,
        Some((age, of)) if age < of.stale_after.min(of.useless_after) && may_try => Step::Refresh,
        Some((age, of)) if age < of.useless_after && !may_try => Step::Use,
        _ if may_try => Step::Fetch,
        _ => Step::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: Freshness = Freshness {
        refresh_after: Duration::from_secs(45),
        stale_after: Duration::from_secs(60),
        useless_after: Duration::from_secs(120),
    };

    fn secs(secs: u64) -> Duration {
        Duration::from_secs(secs)
    }

    #[test]
    fn a_document_is_fetched_before_it_is_stale_and_never_used_when_it_is_useless() {
        let at = |age, tried: Option<u64>| step(Some((secs(age), OF)), tried.map(secs));
        assert_eq!(at(44, Some(44)), Step::Use);
        assert_eq!(at(45, Some(45)), Step::Refresh);
        assert_eq!(at(46, Some(1)), Step::Use, "a refresh has just failed");
        assert_eq!(at(60, Some(15)), Step::Fetch);
        assert_eq!(at(60, Some(4)), Step::Use, "within the grace");
        assert_eq!(at(119, Some(4)), Step::Use);
        assert_eq!(at(120, Some(4)), Step::Missing);
        assert_eq!(at(120, Some(5)), Step::Fetch);
        assert_eq!(at(u64::MAX, Some(5)), Step::Fetch);
    }

    #[test]
    fn a_document_that_ends_early_is_not_used_after_it() {
        let of = Freshness { useless_after: secs(10), ..OF };
        let at = |age, tried| step(Some((secs(age), of)), Some(secs(tried)));
        assert_eq!(at(9, 9), Step::Use);
        assert_eq!(at(10, 10), Step::Fetch);
        assert_eq!(at(10, 1), Step::Missing);
    }

    #[test]
    fn a_document_that_was_never_fetched_is_fetched_once_in_a_while() {
        assert_eq!(step(None, None), Step::Fetch);
        assert_eq!(step(None, Some(secs(4))), Step::Missing);
        assert_eq!(step(None, Some(secs(5))), Step::Fetch);
    }

    #[test]
    fn an_age_is_the_greater_of_two_clocks() {
        let moment = |wall, monotonic| Moment {
            wall: Timestamp::from_secs(wall),
            monotonic: secs(monotonic),
        };
        assert_eq!(moment(50, 130).since(moment(100, 100)), secs(30), "the clock was set back");
        assert_eq!(moment(3_700, 101).since(moment(100, 100)), secs(3_600), "the machine slept");
    }
}
