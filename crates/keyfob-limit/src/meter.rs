//! The generic cell rate algorithm (GCRA) as a meter: the debt of a key, and how it drains.
//!
//! A permit adds a **debt** to a key, and the debt drains at the rate. A call is admitted while the debt
//! stays within the burst. The usual form keeps one number, the time at which the debt is gone, and rounds
//! it with each permit. This one keeps the debt and the time apart, in units so small that both a permit
//! and a millisecond are whole numbers of units. So it is exact, however high the rate and however long
//! the period. No number reaches 2^53, so a script that has only floating point numbers is exact too.
//!
//! A store keeps the units beside a debt, so that a policy can get another rate: see
//! [`Meter::from_stored`].
//!
//! The bound is exact to the permit: in any time `w`, at most `burst + rate × w` are admitted.

use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::{Timestamp, Ttl};

use super::Rate;

/// A clock that goes back by more than this was set. By less, two readers overtook each other.
const SET_BACK: u64 = 1_000;

/// Above this, floating point numbers skip integers.
const EXACT: u64 = 1 << 53;

/// A rate and a burst in units of debt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    permit: u64,
    drain: u64,
    burst: u32,
}

/// The debt of a key at some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Level {
    /// The debt, in units of its meter.
    pub debt: u64,
    /// The time.
    pub at: Timestamp,
}

/// A level with the units that it is in, as a store keeps it. A policy may get another rate, and then
/// the units of its meter are others.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct StoredLevel {
    /// The level.
    pub level: Level,
    permit: u64,
    drain: u64,
}

impl StoredLevel {
    /// Returns the level at `now`, in the same units; see [`Meter::drained`].
    #[must_use]
    pub const fn drained(self, now: Timestamp) -> Self {
        let meter = Meter { permit: self.permit, drain: self.drain, burst: 0 };
        Self { level: meter.drained(self.level, now), ..self }
    }

    /// Returns when the debt is gone. From then on the key does not have to be kept.
    pub fn end(self) -> Timestamp {
        let Self { level, drain, .. } = self;
        match Ttl::from_millis(level.debt.div_ceil(drain.max(1))) {
            Ok(left) => level.at + left,
            Err(_) => level.at,
        }
    }
}

impl Meter {
    /// Returns a level of this meter as a store keeps it.
    pub const fn to_stored(self, level: Level) -> StoredLevel {
        StoredLevel { level, permit: self.permit, drain: self.drain }
    }

    /// Returns a stored level in the units of this meter.
    ///
    /// After a change of the rate, the permits that were used and have not drained stay used, rounded up to
    /// a unit. There are never more than the burst: what is above it has to drain, at the rate at which it
    /// was stored, before a permit is admitted. So a store keeps what it has until it admits one.
    pub const fn from_stored(self, stored: StoredLevel) -> Level {
        let StoredLevel { level, permit, .. } = stored;
        if permit == self.permit || level.debt == 0 || permit == 0 {
            return level;
        }
        let (used, rest) = (level.debt / permit, level.debt % permit);
        let whole = used.saturating_mul(self.permit);
        let part = match rest {
            0 => 0,
            // A script computes this with floating point numbers. One more than the quotient rounds up in
            // any case.
            _ => (rest as u128 * self.permit as u128 / permit as u128) as u64 + 1,
        };
        let part = if part < self.permit { part } else { self.permit };
        let debt = whole.saturating_add(part);
        Level { debt: if debt < self.whole() { debt } else { self.whole() }, at: level.at }
    }

    /// Creates a meter that admits `burst` in one step, and `rate` in the long run.
    ///
    /// # Errors
    /// When the burst is zero, or too large over too long a period to be exact.
    pub fn new(rate: Rate, burst: u32) -> Result<Self, InvalidValue> {
        let (permits, period) = (u64::from(rate.permits()), rate.period().as_millis());
        let shared = greatest_common_divisor(permits, period);
        let meter = Self { permit: period / shared, drain: permits / shared, burst };
        let allowed = match meter.permit.checked_mul(u64::from(burst)) {
            Some(0) => "at least one",
            Some(whole) if whole < EXACT => return Ok(meter),
            _ => "a smaller one, or a rounder rate",
        };
        Err(InvalidValue::new(Field::Burst, InvalidReason::OutOfRange { allowed }))
    }

    /// Returns the debt of one permit.
    pub const fn permit(self) -> u64 {
        self.permit
    }

    /// Returns the debt that drains in a millisecond.
    pub const fn drain(self) -> u64 {
        self.drain
    }

    /// Returns how many permits a key without debt admits in one step.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// Returns the maximum debt: that of the burst.
    pub const fn whole(self) -> u64 {
        self.permit * self.burst as u64
    }

    /// Returns the level at `now`.
    ///
    /// At an earlier time the level stays as it is, so that readers that overtake each other admit nothing
    /// extra. If the clock was set back, the debt drains from the new time on: no debt is forgiven, and none
    /// is kept for as long as the clock was ahead. A store must keep this level immediately, even if nothing
    /// is charged, because its time is earlier than the time of the level before.
    pub const fn drained(self, level: Level, now: Timestamp) -> Level {
        let (then, millis) = (level.at.as_millis(), now.as_millis());
        if then > millis {
            let at = if then - millis > SET_BACK { now } else { level.at };
            return Level { debt: level.debt, at };
        }
        let gone = (millis - then).saturating_mul(self.drain);
        Level { debt: level.debt.saturating_sub(gone), at: now }
    }

    /// Returns how many permits a level has room for.
    pub const fn room(self, level: Level) -> u32 {
        // Not more than the burst, which fits into 32 bits.
        (self.whole().saturating_sub(level.debt) / self.permit) as u32
    }

    /// Returns the level after this many permits. It must have room for them.
    pub const fn charged(self, level: Level, permits: u32) -> Level {
        let debt = level.debt.saturating_add(self.permit.saturating_mul(permits as u64));
        Level { debt, at: level.at }
    }

    /// Returns the level after this many permits are refunded that were charged at `since`.
    ///
    /// Debt that has drained since then may have let others in only because of these permits. That much is
    /// not refunded, so a refund never admits too much.
    pub const fn refunded(self, level: Level, permits: u32, since: Timestamp) -> Level {
        let gone = level.at.as_millis().saturating_sub(since.as_millis());
        let taken = self.permit.saturating_mul(permits as u64);
        let back = taken.saturating_sub(gone.saturating_mul(self.drain));
        Level { debt: level.debt.saturating_sub(back), at: level.at }
    }

    /// Returns how long until a level has room for this many permits: `None` if it has room at `now`. More
    /// permits than the burst never fit, which is the error.
    ///
    /// # Errors
    /// [`InsufficientCapacity`].
    pub fn wait(
        self,
        level: Level,
        permits: u32,
        now: Timestamp,
    ) -> Result<Option<Ttl>, InsufficientCapacity> {
        if permits > self.burst {
            return Err(InsufficientCapacity);
        }
        let excess = (level.debt + self.permit * u64::from(permits)).saturating_sub(self.whole());
        let ahead = level.at.as_millis().saturating_sub(now.as_millis());
        let millis = if excess == 0 { 0 } else { excess.div_ceil(self.drain) + ahead };
        Ok(Ttl::from_millis(millis).ok())
    }

    /// Returns how long until the debt is gone, or `None` if there is none.
    pub fn reset(self, level: Level, now: Timestamp) -> Option<Ttl> {
        self.end(level).since(now)
    }

    /// Returns when the debt is gone. From then on the key does not have to be kept.
    pub fn end(self, level: Level) -> Timestamp {
        self.to_stored(level).end()
    }
}

/// More permits than the burst can ever hold.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct InsufficientCapacity;

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b > 0 {
        (a, b) = (b, a % b);
    }
    a
}

#[cfg(test)]
mod tests;
