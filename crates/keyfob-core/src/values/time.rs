//! Points in time and lengths of time, in milliseconds, as two types that cannot be mixed up.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, SystemTime};

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};
use super::time_text;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z.
///
/// It is written and read as RFC 3339 in UTC.
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

/// A length of time in whole milliseconds: at least one, at most [`Ttl::MAX`].
///
/// It is read from text such as `15m`, `36h`, `90d` or `1h 30m`. A day has 24 hours.
///
/// A length is never zero. For a length that is written in the program, use [`Ttl::from_secs`] and
/// its siblings, which panic outside the range. For a length that is an input, use
/// [`Ttl::from_millis`], `TryFrom<Duration>` or [`str::parse`], which return an error.
///
/// ```
/// use std::time::Duration;
///
/// use keyfob::Ttl;
///
/// assert_eq!("1h 30m".parse::<Ttl>()?, Ttl::from_mins(90));
/// assert_eq!(Ttl::from_days(90).to_string(), "90d");
/// assert_eq!(Ttl::try_from(Duration::from_secs(90))?.as_secs(), 90);
/// assert!("0s".parse::<Ttl>().is_err());
/// assert!(Ttl::try_from(Duration::ZERO).is_err());
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ttl(u64);

impl Timestamp {
    /// 9999-12-30T00:00:00Z: stands for never. It is about the last day that RFC 3339 can write in
    /// every time zone.
    pub const MAX: Self = Self(253_402_128_000_000);

    /// Returns the time so many seconds after 1970 began. A time that is too late is [`Timestamp::MAX`].
    pub const fn from_secs(secs: u64) -> Self {
        Self::from_millis(secs.saturating_mul(1_000))
    }

    /// Returns the point `millis` milliseconds after the start of 1970, or [`Timestamp::MAX`] if
    /// that is earlier.
    pub const fn from_millis(millis: u64) -> Self {
        if millis > Self::MAX.0 { Self::MAX } else { Self(millis) }
    }

    /// Returns the milliseconds since the start of 1970.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the whole seconds since the start of 1970: the `NumericDate` of RFC 7519 section 2.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1000
    }

    /// Returns the time from `earlier` to this point, or `None` if `earlier` is not before it.
    pub fn since(self, earlier: Self) -> Option<Ttl> {
        self.0.checked_sub(earlier.0).filter(|millis| *millis > 0).map(Ttl)
    }

    /// Returns the point `ttl` before this one, or the start of 1970 if that is later.
    pub const fn saturating_sub(self, ttl: Ttl) -> Self {
        Self(self.0.saturating_sub(ttl.0))
    }
}

impl std::ops::Add<Ttl> for Timestamp {
    type Output = Self;
    /// Returns the point `ttl` after this one, or [`Timestamp::MAX`] if that is earlier.
    fn add(self, ttl: Ttl) -> Self {
        Self::from_millis(self.0.saturating_add(ttl.0))
    }
}

impl From<SystemTime> for Timestamp {
    /// Returns the same point to the millisecond, brought into the range from the start of 1970 to
    /// [`Timestamp::MAX`].
    fn from(time: SystemTime) -> Self {
        let since = time.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self::from_millis(u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
    }
}

impl From<Timestamp> for SystemTime {
    fn from(at: Timestamp) -> Self {
        Self::UNIX_EPOCH + Duration::from_millis(at.0)
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
        let millis = time_text::parse_millis(text, Self::MAX.0);
        millis.map(Self).map_err(|reason| InvalidValue::new(Field::Time, reason))
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

const RANGE: &str = "at least 1 ms and at most 100 years";

impl Ttl {
    /// A hundred years of 365 days.
    pub const MAX: Self = Self(100 * 365 * 86_400_000);

    /// Returns a length of `millis` milliseconds.
    ///
    /// # Errors
    /// If it is zero or longer than [`Ttl::MAX`].
    pub const fn from_millis(millis: u64) -> Result<Self, InvalidValue> {
        if millis == 0 || millis > Self::MAX.0 {
            let reason = InvalidReason::OutOfRange { allowed: RANGE };
            return Err(InvalidValue::new(Field::Duration, reason));
        }
        Ok(Self(millis))
    }

    /// Returns a length of `millis` milliseconds, brought into the range of the type.
    pub const fn saturating_from_millis(millis: u64) -> Self {
        match millis {
            0 => Self(1),
            1..=Self::MAX_MILLIS => Self(millis),
            _ => Self::MAX,
        }
    }

    /// Returns a length of `secs` seconds.
    ///
    /// # Panics
    /// If it is zero or longer than [`Ttl::MAX`]. In a constant, that is an error of compilation.
    /// For an input, use `Ttl::try_from(Duration::from_secs(…))`.
    #[track_caller]
    pub const fn from_secs(secs: u64) -> Self {
        Self::literal(secs, 1_000)
    }

    /// Returns a length of `mins` minutes.
    ///
    /// # Panics
    /// As [`Ttl::from_secs`] does.
    #[track_caller]
    pub const fn from_mins(mins: u64) -> Self {
        Self::literal(mins, 60_000)
    }

    /// Returns a length of `hours` hours.
    ///
    /// # Panics
    /// As [`Ttl::from_secs`] does.
    #[track_caller]
    pub const fn from_hours(hours: u64) -> Self {
        Self::literal(hours, 3_600_000)
    }

    /// Returns a length of `days` days of 24 hours.
    ///
    /// # Panics
    /// As [`Ttl::from_secs`] does.
    #[track_caller]
    pub const fn from_days(days: u64) -> Self {
        Self::literal(days, 86_400_000)
    }

    const MAX_MILLIS: u64 = Self::MAX.0;

    #[track_caller]
    const fn literal(count: u64, unit_millis: u64) -> Self {
        match count.checked_mul(unit_millis) {
            Some(millis @ 1..=Self::MAX_MILLIS) => Self(millis),
            _ => panic!("a Ttl is at least 1 ms and at most 100 years"),
        }
    }

    /// Returns half of the length, at least a millisecond.
    pub const fn half(self) -> Self {
        Self::saturating_from_millis(self.0 / 2)
    }

    /// Returns the length in milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// Returns the whole seconds of the length, rounded down. A length below a second has none.
    pub const fn as_secs(self) -> u64 {
        self.0 / 1_000
    }

    /// Returns the length as a [`Duration`].
    pub const fn as_duration(self) -> Duration {
        Duration::from_millis(self.0)
    }
}

impl From<Ttl> for Duration {
    fn from(ttl: Ttl) -> Self {
        ttl.as_duration()
    }
}

impl TryFrom<Duration> for Ttl {
    type Error = InvalidValue;

    /// Returns the length in whole milliseconds, rounded down.
    ///
    /// # Errors
    /// If it is less than a millisecond or longer than [`Ttl::MAX`].
    fn try_from(length: Duration) -> Result<Self, InvalidValue> {
        Self::from_millis(u64::try_from(length.as_millis()).unwrap_or(u64::MAX))
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
        let malformed =
            || InvalidValue::new(Field::Duration, InvalidReason::Malformed { expected });
        let out_of_range =
            || InvalidValue::new(Field::Duration, InvalidReason::OutOfRange { allowed: RANGE });
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

crate::serde_as_text!(Timestamp, Ttl);

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
    fn a_time_beyond_the_range_is_refused_with_the_range() {
        for text in [
            "9999-12-31T23:59:59Z",
            "9999-12-30T00:00:00.001Z",
            "9999-12-30T22:00:01Z",
            "9999-12-31T23:59:59-23:59",
            "1969-12-31T23:59:59Z",
            "-000001-01-01T00:00:00Z",
        ] {
            let refused = text.parse::<Timestamp>().unwrap_err().to_string();
            assert!(refused.ends_with("1970-01-01T00:00:00Z to 9999-12-30T00:00:00Z"), "{refused}");
        }
        assert_eq!(Timestamp::MAX.to_string().parse(), Ok(Timestamp::MAX));
        assert_eq!(Timestamp::default().to_string().parse(), Ok(Timestamp::default()));
        for text in
            ["", "2026-11-24", "2026-11-24T08:30:00", "2026-13-01T00:00:00Z", "soon", "08:30Z"]
        {
            let refused = text.parse::<Timestamp>().unwrap_err();
            assert!(
                matches!(refused.reason(), InvalidReason::Malformed { .. }),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn a_time_zone_must_agree_with_the_offset() {
        let read = |text: &str| text.parse::<Timestamp>().map(|at| at.to_string());
        let expected = Ok("2027-05-31T22:00:00Z".to_owned());
        assert_eq!(read("2027-06-01T00:00:00+02:00[Europe/Berlin]"), expected);
        assert_eq!(read("2027-06-01T00:00:00+02:00[+02:00]"), expected);
        for text in [
            "2027-06-01T00:00:00-05:00[Europe/Berlin]",
            "2027-12-01T00:00:00+02:00[Europe/Berlin]",
            "2027-06-01T00:00:00+02:00[+03:00]",
            "2027-06-01T00:00:00+02:00[Mars/Olympus]",
        ] {
            let refused = text.parse::<Timestamp>().unwrap_err();
            assert!(
                matches!(refused.reason(), InvalidReason::Contradiction { .. }),
                "{text}: {refused}"
            );
        }
    }

    #[test]
    fn adding_never_overflows() {
        assert_eq!(Timestamp::MAX + Ttl::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::MAX.to_string(), "9999-12-30T00:00:00Z");
    }

    #[test]
    fn a_length_is_never_zero_and_never_too_long() {
        for length in [Duration::ZERO, Duration::from_micros(999), Duration::MAX] {
            assert!(Ttl::try_from(length).is_err(), "{length:?}");
        }
        let longest = Ttl::try_from(Ttl::MAX.as_duration());
        assert_eq!(longest, Ok(Ttl::MAX));
        assert_eq!(Ttl::saturating_from_millis(0).as_millis(), 1);
        assert_eq!(Ttl::saturating_from_millis(u64::MAX), Ttl::MAX);
        assert_eq!(Duration::from(Ttl::from_secs(2)), Duration::from_secs(2));
        assert_eq!(Ttl::saturating_from_millis(1_999).as_secs(), 1);
    }

    #[test]
    fn a_length_of_zero_in_the_program_panics() {
        let lengths: [fn(u64) -> Ttl; 4] =
            [Ttl::from_secs, Ttl::from_mins, Ttl::from_hours, Ttl::from_days];
        for from in lengths {
            assert!(std::panic::catch_unwind(|| from(0)).is_err());
            assert!(std::panic::catch_unwind(|| from(u64::MAX)).is_err());
        }
    }

    #[test]
    fn a_time_of_the_system_keeps_its_milliseconds() {
        let at = Timestamp::from_millis(1_795_000_000_123);
        assert_eq!(Timestamp::from(SystemTime::from(at)), at);
        let before = SystemTime::UNIX_EPOCH - Duration::from_secs(1);
        assert_eq!(Timestamp::from(before), Timestamp::from_millis(0));
    }
}
