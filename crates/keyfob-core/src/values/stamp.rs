//! Stamps: the values of a lane's sequence, by which records and epochs are ordered.

use super::time::Timestamp;

/// A value of a lane's sequence.
///
/// A token is stamped with the value of its insertion, an epoch with that of the revocation. A
/// token is revoked if an epoch that covers it has a greater stamp.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Stamp(u64);

impl Stamp {
    /// Creates the stamp with this value: at most 2⁵³ − 1, which every store's language can represent.
    pub const fn new(value: u64) -> Self {
        Self(value)
    }

    /// Returns the value.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// Returns the first value of a sequence that starts at `now`: the time in microseconds.
    pub const fn birth(now: Timestamp) -> Self {
        Self(now.as_millis() * 1000)
    }

    /// Returns the next value.
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}
