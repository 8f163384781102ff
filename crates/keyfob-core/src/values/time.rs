//! Points in time and lengths of time, in milliseconds, with no way to mix the two.

use std::fmt;
use std::str::FromStr;

use crate::invalid::{InvalidReason, InvalidValue};

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// Shown and read as RFC 3339 in UTC.
///
/// ```
/// use keyfob::{Timestamp, Ttl};
///
/// let start: Timestamp = "2026-01-01T00:00:00Z".parse()?;
/// assert_eq!((start + Ttl::from_mins(90)).to_string(), "2026-01-01T01:30:00Z");
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Timestamp(u64);

/// A length of time in milliseconds: at least one, at most [`Ttl::MAX`].
///
/// Read from text such as `15m`, `36h`, `90d` or `1h 30m`; a day is 24 hours.
///
/// ```
/// use keyfob::Ttl;
///
/// assert_eq!("1h 30m".parse::<Ttl>()?, Ttl::from_mins(90));
/// assert_eq!(Ttl::from_days(90).to_string(), "90d");
/// assert!("0s".parse::<Ttl>().is_err());
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u64);

impl Timestamp {
    /// 9999-12-30T00:00:00Z: what is meant by never, and about the last that RFC 3339 can write in
    /// every zone.
    pub const MAX: Self = Self(253_402_128_000_000);

    /// The point `millis` milliseconds after the start of 1970; later than [`Timestamp::MAX`] is
    /// brought back to it.
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Milliseconds since the start of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Whole seconds since the start of 1970: the `NumericDate` of RFC 7519 section 2.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// The time from `earlier` to this point; `None` if it is not before this point.
    pub fn since(self, earlier: Self) -> Option<Ttl> {
        self.0.checked_sub(earlier.0).filter(|millis| *millis > 0).map(Ttl)
    }

    /// This point less `ttl`, not before the start of 1970.
    pub const fn saturating_sub(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_sub(ttl.0))
    }
}

impl std::ops::Add<Ttl> for Timestamp {
    type Output = Self;
    /// Not beyond [`Timestamp::MAX`].
    fn add(self, ttl: Ttl) -> Self {
        Self::from_millis(self.0.saturating_add(ttl.0))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // `MAX` bounds the value to what jiff can hold.
        match jiff::Timestamp::from_millisecond(self.0 as i64) {
            Ok(at) => fmt::Display::fmt(&at, f),
            Err(_) => Err(fmt::Error),
        }
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Timestamp {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "RFC 3339 such as 2026-11-24T08:30:00Z";
        let malformed = || InvalidValue::new("time", InvalidReason::Malformed { expected });
        let at: jiff::Timestamp = text.parse().map_err(|_| malformed())?;
        let millis = u64::try_from(at.as_millisecond()).map_err(|_| malformed())?;
        Ok(Self::from_millis(millis))
    }
}

const UNITS: [(&str, u64); 6] = [
    ("w", 7 * 86_400_000),
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

impl Ttl {
    /// A hundred years of 365 days.
    pub const MAX: Self = Self(100 * 365 * 86_400_000);

    /// A length of `millis` milliseconds.
    ///
    /// # Errors
    /// When it is zero or longer than [`Ttl::MAX`].
    pub const fn from_millis(millis: u64) -> Result<Self, InvalidValue> {
        if millis == 0 || millis > Self::MAX.0 {
            let allowed = "at least 1 ms and at most 100 years";
            return Err(InvalidValue::new("duration", InvalidReason::OutOfRange { allowed }));
        }
        Ok(Self(millis))
    }

    /// So many milliseconds, brought into the range of the type; the longest for `None`.
    pub const fn clamped(millis: Option<u64>) -> Self {
        match millis {
            Some(0) => Self(1),
            Some(millis) if millis <= Self::MAX.0 => Self(millis),
            _ => Self::MAX,
        }
    }

    /// A length in seconds, brought into the range of the type.
    pub const fn from_secs(secs: u64) -> Self {
        Self::clamped(secs.checked_mul(1_000))
    }

    /// A length in minutes, brought into the range of the type.
    pub const fn from_mins(mins: u64) -> Self {
        Self::clamped(mins.checked_mul(60_000))
    }

    /// A length in hours, brought into the range of the type.
    pub const fn from_hours(hours: u64) -> Self {
        Self::clamped(hours.checked_mul(3_600_000))
    }

    /// A length in days of 24 hours, brought into the range of the type.
    pub const fn from_days(days: u64) -> Self {
        Self::clamped(days.checked_mul(86_400_000))
    }

    /// Half of it, at least a millisecond.
    pub const fn half(self) -> Self {
        Self::clamped(Some(self.0 / 2))
    }

    /// The length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The same length as the standard library has it.
    pub const fn as_duration(self) -> std::time::Duration {
        std::time::Duration::from_millis(self.0)
    }
}

impl fmt::Display for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0;
        let mut separator = "";
        // Weeks are read but not written: `90d` is what people say.
        for (unit, millis) in &UNITS[1..] {
            let count = rest / millis;
            if count > 0 {
                write!(f, "{separator}{count}{unit}")?;
                separator = " ";
                rest %= millis;
            }
        }
        Ok(())
    }
}

impl fmt::Debug for Ttl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Ttl {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "a number and a unit (ms, s, m, h, d, w), such as 15m or 1h 30m";
        let malformed = || InvalidValue::new("duration", InvalidReason::Malformed { expected });
        let allowed = "at least 1 ms and at most 100 years";
        let out_of_range = || InvalidValue::new("duration", InvalidReason::OutOfRange { allowed });
        let mut rest = text.trim();
        if rest.is_empty() {
            return Err(malformed());
        }
        let mut total = 0u64;
        while !rest.is_empty() {
            let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let (number, after) = rest.split_at(digits);
            if number.is_empty() {
                return Err(malformed());
            }
            let number: u64 = number.parse().map_err(|_| out_of_range())?;
            let letters =
                after.len() - after.trim_start_matches(|c: char| c.is_ascii_alphabetic()).len();
            let (unit, after) = after.split_at(letters);
            let (_, millis) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(malformed)?;
            total = number
                .checked_mul(*millis)
                .and_then(|part| total.checked_add(part))
                .ok_or_else(out_of_range)?;
            rest = after.trim_start();
        }
        Self::from_millis(total)
    }
}

macro_rules! serde_as_text {
    ($($name:ty),+) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

serde_as_text!(Timestamp, Ttl);

macro_rules! cbor_as_millis {
    ($($name:ident, $from:expr;)+) => {$(
        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.u64(self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                let from: fn(u64) -> Result<Self, InvalidValue> = $from;
                from(decoder.u64()?).map_err(minicbor::decode::Error::custom)
            }
        }
    )+};
}

cbor_as_millis! {
    Timestamp, |millis| Ok(Timestamp::from_millis(millis));
    Ttl, Ttl::from_millis;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_what_people_write() {
        for (text, millis) in [
            ("1ms", 1),
            ("15m", 900_000),
            ("90d", 7_776_000_000),
            ("2w", 1_209_600_000),
            ("1h30m", 5_400_000),
            (" 1h 30m ", 5_400_000),
        ] {
            assert_eq!(text.parse::<Ttl>().map(Ttl::as_millis), Ok(millis), "{text}");
        }
    }

    #[test]
    fn durations_refuse_what_they_cannot_hold() {
        for text in ["", "0s", "15", "m", "-1s", "1x", "1.5h", "99999999999999999999s", "101000d"] {
            assert!(text.parse::<Ttl>().is_err(), "{text}");
        }
        assert!(format!("{}w", u64::MAX).parse::<Ttl>().is_err());
    }

    #[test]
    fn adding_never_overflows() {
        assert_eq!(Timestamp::MAX + Ttl::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T00:00:00Z");
    }
}
