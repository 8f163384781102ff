//! Whether a request is sent again, and when: decisions as functions of values.

use std::time::Duration;

use http::StatusCode;

/// How often a request is sent again, and how long the client waits.
///
/// The wait before attempt *n* is random between 0 and `first_wait * 2^(n-1)`, at most `max_wait`. If
/// the server says `Retry-After`, the wait is at least that. A wait that would pass `max_total` is not
/// begun: the error of the last attempt is returned.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RetryPolicy {
    /// The maximum number of attempts, the first one included. Default: 4.
    pub max_attempts: u32,
    /// The maximum wait before the second attempt. Default: 100 ms.
    pub first_wait: Duration,
    /// The maximum wait before a later attempt, unless the server asks for more. Default: 2 s.
    pub max_wait: Duration,
    /// The maximum time of all attempts and waits. Default: 30 s.
    pub max_total: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            max_attempts: 4,
            first_wait: Duration::from_millis(100),
            max_wait: Duration::from_secs(2),
            max_total: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// Returns a policy that never sends a request again.
    pub fn never() -> Self {
        Self { max_attempts: 1, ..Self::default() }
    }

    /// Sets [`Self::max_attempts`].
    #[must_use]
    pub fn max_attempts(self, max_attempts: u32) -> Self {
        Self { max_attempts, ..self }
    }

    /// Sets [`Self::first_wait`] and [`Self::max_wait`].
    #[must_use]
    pub fn waits(self, first_wait: Duration, max_wait: Duration) -> Self {
        Self { first_wait, max_wait, ..self }
    }

    /// Sets [`Self::max_total`].
    #[must_use]
    pub fn max_total(self, max_total: Duration) -> Self {
        Self { max_total, ..self }
    }

    /// Returns how long to wait before the next attempt; `None` if there is none. `attempts` have been
    /// made in `elapsed`. `random` is between 0 and 1.
    pub(crate) fn next_wait(
        &self,
        attempts: u32,
        elapsed: Duration,
        retry_after: Option<Duration>,
        random: f64,
    ) -> Option<Duration> {
        if attempts >= self.max_attempts {
            return None;
        }
        let doublings = attempts.saturating_sub(1).min(16);
        let bound = self.first_wait.saturating_mul(1 << doublings).min(self.max_wait);
        let wait = bound.mul_f64(random.clamp(0.0, 1.0)).max(retry_after.unwrap_or_default());
        (elapsed.saturating_add(wait) < self.max_total).then_some(wait)
    }
}

/// Whether a request may be sent again after an attempt whose outcome is not known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Repeat {
    /// It changes nothing, or the second time changes nothing.
    Safe,
    /// It may do a thing twice.
    Unsafe,
}

/// What is known of an attempt that did not succeed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Attempt {
    /// The server was not reached, so nothing was sent.
    NotSent,
    /// The connection broke, or there was no answer in time.
    NoAnswer,
    /// The server answered.
    Answered(StatusCode),
}

impl Attempt {
    /// Returns whether the request may be sent again.
    pub(crate) fn may_repeat(self, repeat: Repeat) -> bool {
        match self {
            // A limit refuses before anything is done.
            Self::NotSent | Self::Answered(StatusCode::TOO_MANY_REQUESTS) => true,
            Self::NoAnswer
            | Self::Answered(
                StatusCode::REQUEST_TIMEOUT
                | StatusCode::BAD_GATEWAY
                | StatusCode::SERVICE_UNAVAILABLE
                | StatusCode::GATEWAY_TIMEOUT,
            ) => repeat == Repeat::Safe,
            Self::Answered(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn waits_grow_to_a_maximum_and_respect_the_server() {
        let policy = RetryPolicy::default().max_attempts(10).waits(MS(100), MS(500));
        let wait = |attempts, retry_after| policy.next_wait(attempts, MS(0), retry_after, 1.0);
        let waits: Vec<_> = (1..=5).map(|n| wait(n, None).unwrap()).collect();
        assert_eq!(waits, [MS(100), MS(200), MS(400), MS(500), MS(500)]);
        assert_eq!(wait(1, Some(MS(3_000))), Some(MS(3_000)));
        assert_eq!(policy.next_wait(1, MS(0), None, 0.0), Some(MS(0)));
        assert_eq!(wait(10, None), None);
    }

    #[test]
    fn a_wait_that_would_pass_the_total_is_not_begun() {
        let policy = RetryPolicy::default().max_total(MS(1_000));
        assert_eq!(policy.next_wait(1, MS(500), Some(MS(500)), 0.0), None);
        assert_eq!(policy.next_wait(1, MS(500), Some(MS(499)), 0.0), Some(MS(499)));
        assert_eq!(RetryPolicy::never().next_wait(1, MS(0), None, 0.5), None);
    }

    #[test]
    fn only_what_cannot_be_done_twice_is_sent_again() {
        use Attempt::*;
        for attempt in [NotSent, Answered(StatusCode::TOO_MANY_REQUESTS)] {
            assert!(attempt.may_repeat(Repeat::Safe) && attempt.may_repeat(Repeat::Unsafe));
        }
        for attempt in [NoAnswer, Answered(StatusCode::SERVICE_UNAVAILABLE)] {
            assert!(attempt.may_repeat(Repeat::Safe) && !attempt.may_repeat(Repeat::Unsafe));
        }
        for status in [400, 401, 403, 404, 409, 500] {
            let attempt = Answered(StatusCode::from_u16(status).unwrap());
            assert!(!attempt.may_repeat(Repeat::Safe), "{status}");
        }
    }
}
