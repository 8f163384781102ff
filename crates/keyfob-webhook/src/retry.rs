//! When a delivery is tried again.

use keyfob_core::time::Ttl;

/// The schedule of attempts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RetryPolicy {
    /// The wait after the first attempt.
    pub first: Ttl,
    /// The longest wait.
    pub max: Ttl,
    /// The number of attempts after which a delivery becomes a dead letter: at least one.
    pub max_attempts: u32,
}

impl Default for RetryPolicy {
    /// Twelve attempts in about five and a half hours.
    fn default() -> Self {
        Self { first: Ttl::from_secs(5), max: Ttl::from_hours(1), max_attempts: 12 }
    }
}

/// By how much each wait is longer than the one before.
const GROWTH: u64 = 3;

impl RetryPolicy {
    /// Returns how long to wait after `attempts` attempts that failed; `None` if there is no further one.
    ///
    /// A quarter of the wait is drawn, so that deliveries that failed together are not tried again together: `random`
    /// is a number of any size. A longer wait that the receiver asked for counts.
    pub fn wait_after(&self, attempts: u32, asked: Option<Ttl>, random: u64) -> Option<Ttl> {
        if attempts >= self.max_attempts {
            return None;
        }
        let growth = GROWTH.saturating_pow(attempts.saturating_sub(1));
        let whole = self.first.as_millis().saturating_mul(growth).min(self.max.as_millis());
        let drawn = random % (whole / 4 + 1);
        let wait = Ttl::saturating_from_millis(whole - drawn);
        Some(asked.map_or(wait, |asked| wait.max(asked)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_up_to_the_longest_and_end() {
        let policy = RetryPolicy::default();
        let waits: Vec<_> =
            (1..=12).map(|n| policy.wait_after(n, None, 0).map(Ttl::as_secs)).collect();
        let expected = [5, 15, 45, 135, 405, 1215, 3600, 3600, 3600, 3600, 3600];
        assert_eq!(waits[..11], expected.map(Some));
        assert_eq!(waits[11], None);
        assert_eq!(policy.wait_after(u32::MAX, None, 0), None);
    }

    #[test]
    fn a_quarter_is_drawn_and_a_receiver_may_ask_for_more() {
        let policy = RetryPolicy::default();
        for random in (0..5_000).chain([u64::MAX]) {
            let wait = policy.wait_after(1, None, random).unwrap().as_millis();
            assert!((3_750..=5_000).contains(&wait), "{wait}");
        }
        let asked = Some(Ttl::from_mins(2));
        assert_eq!(policy.wait_after(1, asked, 9), asked);
        assert_eq!(policy.wait_after(7, asked, 0), Some(Ttl::from_hours(1)));
        let once = RetryPolicy { max_attempts: 1, ..policy };
        assert_eq!(once.wait_after(1, asked, 0), None);
    }
}
