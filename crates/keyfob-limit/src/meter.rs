//! The generic cell rate algorithm as a meter: what is owed, and how it drains.
//!
//! A permit puts a **debt** on a key, which drains at the rate; a call is admitted while the debt
//! stays within the burst. The usual form keeps one number, the time at which the debt will be gone,
//! and rounds it with each permit. This one keeps the debt and the time apart, in units so small
//! that both a permit and a millisecond are whole numbers of them: it is exact, however high the
//! rate and however long the period. No number reaches 2^53, so that a script that only has floating
//! point is exact too.
//!
//! So the bound holds to the permit: in any time `w` at most `burst + rate × w` are admitted.

use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::{Timestamp, Ttl};

use super::Rate;

/// A clock that goes back by more than this was set; by less, two readers of it overtook each other.
const SET_BACK: u64 = 1_000;

/// From here on floating point skips whole numbers.
const EXACT: u64 = 1 << 53;

/// A rate and a burst in units of debt.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Meter {
    permit: u64,
    drain: u64,
    burst: u32,
}

/// What a key owes, and when it was so.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Level {
    /// The debt, in units of its meter.
    pub debt: u64,
    /// When.
    pub at: Timestamp,
}

impl Meter {
    /// The meter that admits `burst` at once, and `rate` in the long run.
    ///
    /// # Errors
    /// When the burst is zero, or so large over so long a period that it could not be told exactly.
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

    /// The debt of one permit.
    pub const fn permit(self) -> u64 {
        self.permit
    }

    /// The debt that drains in a millisecond.
    pub const fn drain(self) -> u64 {
        self.drain
    }

    /// How many permits may be taken at once from a key that owes nothing.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// The most debt: that of the burst.
    pub const fn whole(self) -> u64 {
        self.permit * self.burst as u64
    }

    /// What a level has become by `now`.
    ///
    /// Before its time it stays as it is, so that readers who overtake each other give nothing away.
    /// If the clock was set back it drains from the new time on: no debt is forgiven, and none is
    /// kept for as long as the clock was ahead. Whoever keeps levels keeps that one at once, even if
    /// nothing is taken: its time is earlier than that of the level before.
    pub const fn drained(self, level: Level, now: Timestamp) -> Level {
        let (then, millis) = (level.at.as_millis(), now.as_millis());
        if then > millis {
            let at = if then - millis > SET_BACK { now } else { level.at };
            return Level { debt: level.debt, at };
        }
        let gone = (millis - then).saturating_mul(self.drain);
        Level { debt: level.debt.saturating_sub(gone), at: now }
    }

    /// How many permits a level has room for.
    pub const fn room(self, level: Level) -> u32 {
        // Not more than the burst, which fits.
        (self.whole().saturating_sub(level.debt) / self.permit) as u32
    }

    /// A level with so many permits taken, for which it must have room.
    pub const fn charged(self, level: Level, permits: u32) -> Level {
        let debt = level.debt.saturating_add(self.permit.saturating_mul(permits as u64));
        Level { debt, at: level.at }
    }

    /// A level with so many permits given back that were taken at `since`.
    ///
    /// What has drained in the meantime may have been others' permits only thanks to these, so that
    /// much is not given back: giving back never admits too much.
    pub const fn refunded(self, level: Level, permits: u32, since: Timestamp) -> Level {
        let gone = level.at.as_millis().saturating_sub(since.as_millis());
        let taken = self.permit.saturating_mul(permits as u64);
        let back = taken.saturating_sub(gone.saturating_mul(self.drain));
        Level { debt: level.debt.saturating_sub(back), at: level.at }
    }

    /// How long until a level has room for so many permits: nothing if it has it by `now`, and
    /// never, which is the error, if they are more than the burst.
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

    /// How long until nothing is owed: nothing if nothing is.
    pub fn reset(self, level: Level, now: Timestamp) -> Option<Ttl> {
        self.end(level).since(now)
    }

    /// When nothing is owed any more. From then on the key need not be kept.
    pub fn end(self, level: Level) -> Timestamp {
        match Ttl::from_millis(level.debt.div_ceil(self.drain)) {
            Ok(left) => level.at + left,
            Err(_) => level.at,
        }
    }
}

/// More permits than there can ever be.
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
