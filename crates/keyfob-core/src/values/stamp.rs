//! Stamps: the values of a lane's sequence, by which records and epochs are ordered.

use super::time::Timestamp;

/// A value of a lane's sequence.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp(u64);

impl Stamp {
    /// The stamp with this value: at most 2⁵³ − 1, so that every store's language can count it.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The first value of a sequence that starts at `now`.
    pub const fn birth(now: Timestamp) -> Self {
        Self(now.as_millis() * 1000)
    }

    /// The next value.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
