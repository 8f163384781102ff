//! A rate: permits per period, at least one and within fixed limits.

use std::fmt;
use std::str::FromStr;

use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::Ttl;

/// Permits per period.
///
/// Read from text such as `100/1m`, `5/s` or `10000/30d`.
///
/// ```
/// use keyfob::{Rate, Ttl};
///
/// assert_eq!("100/1m".parse::<Rate>()?, Rate::new(100, Ttl::from_mins(1))?);
/// assert_eq!("5/s".parse::<Rate>()?.to_string(), "5/1s");
/// assert!("0/s".parse::<Rate>().is_err());
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Rate {
    permits: u32,
    period: Ttl,
}

impl Rate {
    /// The maximum period: a leap year.
    pub const MAX_PERIOD: Ttl = Ttl::from_days(366);
    /// The maximum number of permits in a millisecond, the unit of time.
    pub const MAX_PER_MILLI: u64 = 1_000;

    /// Creates a rate of this many permits per period.
    ///
    /// # Errors
    /// When there are no permits, when there are more than [`Rate::MAX_PER_MILLI`] in a millisecond, or
    /// when the period is longer than [`Rate::MAX_PERIOD`].
    pub fn new(permits: u32, period: Ttl) -> Result<Self, InvalidValue> {
        let allowed = if permits == 0 {
            "at least one permit per period"
        } else if u64::from(permits) > period.as_millis().saturating_mul(Self::MAX_PER_MILLI) {
            "at most a thousand permits per millisecond"
        } else if period > Self::MAX_PERIOD {
            "a period of at most 366 days"
        } else {
            return Ok(Self { permits, period });
        };
        Err(InvalidValue::new(Field::Rate, InvalidReason::OutOfRange { allowed }))
    }

    /// Returns the number of permits in a period.
    pub const fn permits(self) -> u32 {
        self.permits
    }

    /// Returns the period.
    pub const fn period(self) -> Ttl {
        self.period
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.permits, self.period)
    }
}

impl FromStr for Rate {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "permits/period such as 100/1m";
        let malformed = || InvalidValue::new(Field::Rate, InvalidReason::Malformed { expected });
        let (permits, period) = text.split_once('/').ok_or_else(malformed)?;
        if !permits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        let permits = permits.parse().map_err(|_| malformed())?;
        let one = format!("1{period}");
        let unit = period.bytes().all(|byte| byte.is_ascii_lowercase());
        let period = if unit { &one } else { period };
        Self::new(permits, period.parse().map_err(|_| malformed())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zero_and_extreme_rates_are_refused() {
        for text in ["0/s", "1001/ms", "4294967295/1s", "1/367d", "1/100000d"] {
            let refused = text.parse::<Rate>().unwrap_err();
            assert_eq!(refused.what(), "rate", "{text}");
        }
        for text in ["1/366d", "1000/ms", "1000000/s", "4294967295/366d"] {
            assert!(text.parse::<Rate>().is_ok(), "{text}");
        }
    }

    #[test]
    fn an_invalid_rate_is_malformed() {
        for text in ["", "/", "5", "5/", "/s", "-1/s", "+1/s", "1.5/s", "5/0s", "5/x", "5/s/s"] {
            let problem = text.parse::<Rate>().unwrap_err();
            assert!(matches!(problem.reason(), InvalidReason::Malformed { .. }), "{text}");
        }
    }
}
