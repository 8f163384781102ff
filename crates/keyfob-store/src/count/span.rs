//! Time buckets: ranges of time that ends and starts of tokens are counted by.

use keyfob_core::time::Timestamp;

/// A range of time in which tokens end, or start. Its length is a power of two seconds, and it begins at
/// a multiple of its length.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct TimeBucket {
    is_start: bool,
    power: u8,
    number: u64,
}

/// A bucket is shorter than the remaining life by at least this power of two.
const FINER: u32 = 3;
const START: u8 = 1 << 7;
const NUMBER_BYTES: usize = 5;

impl TimeBucket {
    /// The size in bytes.
    pub const BYTES: usize = 1 + NUMBER_BYTES;

    /// Returns the bucket that contains an end.
    pub fn of_end(at: Timestamp, now: Timestamp) -> Self {
        Self::of(at, now, false)
    }

    /// Returns the bucket that contains a start.
    pub fn of_start(at: Timestamp, now: Timestamp) -> Self {
        Self::of(at, now, true)
    }

    fn of(at: Timestamp, now: Timestamp, is_start: bool) -> Self {
        let secs = at.since(now).map_or(0, |left| left.as_millis() / 1000);
        let power = secs.checked_ilog2().unwrap_or(0).saturating_sub(FINER) as u8;
        Self { is_start, power, number: at.as_secs() >> power }
    }

    /// Returns whether it counts starts.
    pub const fn is_start(self) -> bool {
        self.is_start
    }

    /// Returns its first millisecond.
    pub const fn from(self) -> Timestamp {
        Timestamp::from_millis((self.number << self.power).saturating_mul(1000))
    }

    /// Returns the first millisecond after it.
    pub const fn to(self) -> Timestamp {
        Timestamp::from_millis(((self.number + 1) << self.power).saturating_mul(1000))
    }

    /// Encodes it. Stores use these bytes in the names of their rows.
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        let [.., a, b, c, d, e] = self.number.to_be_bytes();
        let start = if self.is_start { START } else { 0 };
        let all = [start | self.power, a, b, c, d, e];
        bytes.copy_from_slice(&all);
        bytes
    }

    /// Decodes it, or returns `None` if the bytes are not valid.
    pub fn from_bytes(bytes: [u8; Self::BYTES]) -> Option<Self> {
        let [first, a, b, c, d, e] = bytes;
        let (is_start, power) = (first & START != 0, first & !START);
        let number = u64::from_be_bytes([0, 0, 0, a, b, c, d, e]);
        let last = Timestamp::MAX.as_secs().checked_shr(power.into())?;
        (number <= last).then_some(Self { is_start, power, number })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use keyfob_core::time::Ttl;

    #[test]
    fn a_span_is_at_most_an_eighth_of_the_life_and_at_least_a_second() {
        let now = Timestamp::from_millis(1_795_000_000_000);
        for (life, seconds) in [(1, 1), (15, 1), (16, 2), (60, 4), (900, 64), (3600, 256)] {
            let span = TimeBucket::of_end(now + Ttl::from_secs(life), now);
            let length = span.to().as_secs() - span.from().as_secs();
            assert_eq!(length, seconds, "of {life} s");
        }
        let past = TimeBucket::of_end(now, now + Ttl::from_hours(1));
        assert_eq!(past.to().as_secs() - past.from().as_secs(), 1);
    }

    #[test]
    fn never_is_one_span_whenever_it_is_asked_for() {
        let one = TimeBucket::of_end(Timestamp::MAX, Timestamp::from_millis(1_700_000_000_000));
        let other = TimeBucket::of_end(Timestamp::MAX, Timestamp::from_millis(1_900_000_000_000));
        assert_eq!(one, other);
        assert_eq!(one.to(), Timestamp::MAX);
    }

    proptest! {
        #[test]
        fn a_moment_lies_in_its_span_and_its_bytes_read_back(
            now in 0u64..4_000_000_000_000,
            life in 0u64..4_000_000_000_000,
            is_start: bool,
        ) {
            let (now, at) = (Timestamp::from_millis(now), Timestamp::from_millis(now + life));
            let span = TimeBucket::of(at, now, is_start);
            prop_assert!(span.from() <= at && at < span.to());
            prop_assert_eq!(TimeBucket::from_bytes(span.to_bytes()), Some(span));
        }

        #[test]
        fn foreign_bytes_do_no_harm(bytes: [u8; TimeBucket::BYTES]) {
            if let Some(span) = TimeBucket::from_bytes(bytes) {
                prop_assert!(span.from() <= span.to());
            }
        }
    }
}
