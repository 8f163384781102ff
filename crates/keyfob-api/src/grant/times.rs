//! Times and lifetimes in a request: absolute, or relative to the present.

use std::fmt;
use std::str::FromStr;

use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::time::{Timestamp, Ttl};

/// The lifetime of a token: a duration, or `never`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Lifetime {
    /// This long.
    For(Ttl),
    /// Without an end.
    Never,
}

/// A time: RFC 3339, or a duration from now such as `+15m`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TimeSpec {
    /// At this time.
    At(Timestamp),
    /// This long after the present.
    In(Ttl),
}

/// The time of an authentication: RFC 3339, or `now`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthTime {
    /// At the present.
    Now,
    /// At this time.
    At(Timestamp),
}

impl TimeSpec {
    /// Returns the absolute time. A duration counts from `now`.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(ttl) => now + ttl,
        }
    }
}

impl AuthTime {
    /// Returns the absolute time.
    pub fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(at) => at,
        }
    }
}

impl fmt::Display for Lifetime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(ttl) => fmt::Display::fmt(ttl, f),
            Self::Never => f.write_str("never"),
        }
    }
}

impl fmt::Display for TimeSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(at) => fmt::Display::fmt(at, f),
            Self::In(ttl) => write!(f, "+{ttl}"),
        }
    }
}

impl fmt::Display for AuthTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Now => f.write_str("now"),
            Self::At(at) => fmt::Display::fmt(at, f),
        }
    }
}

impl FromStr for Lifetime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "never" { Ok(Self::Never) } else { text.parse().map(Self::For) }
    }
}

impl FromStr for TimeSpec {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.strip_prefix('+') {
            Some(distance) => distance.parse().map(Self::In),
            None => text.parse().map(Self::At).map_err(with_both_forms),
        }
    }
}

impl FromStr for AuthTime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "now" { Ok(Self::Now) } else { text.parse().map(Self::At) }
    }
}

/// Says that a time can also be given as a distance.
fn with_both_forms(invalid: InvalidValue) -> InvalidValue {
    let expected = "RFC 3339 such as 2027-01-01T00:00:00Z, or a time from now such as +15m";
    match invalid.reason() {
        InvalidReason::Malformed { .. } => {
            InvalidValue::new(invalid.field(), InvalidReason::Malformed { expected })
        }
        _ => invalid,
    }
}

keyfob_core::serde_as_text!(Lifetime, TimeSpec, AuthTime);

#[cfg(feature = "schema")]
mod schema {
    use std::borrow::Cow;

    use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

    use super::{AuthTime, Lifetime, TimeSpec};
    use crate::schema::{TimeText, TtlText};

    macro_rules! any_of {
        ($($name:ty: $doc:literal => $generator:ident, [$($schema:tt)+];)+) => {$(
            impl JsonSchema for $name {
                fn inline_schema() -> bool {
                    true
                }

                fn schema_name() -> Cow<'static, str> {
                    stringify!($name).into()
                }

                fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                    json_schema!({ "description": $doc, "anyOf": [$($schema)+] })
                }
            }
        )+};
    }

    any_of! {
        Lifetime: "How long a token is valid: a duration, or `never`." => generator, [
            (TtlText::json_schema(generator)), { "type": "string", "const": "never" }
        ];
        TimeSpec: "RFC 3339, or a duration from now such as `+15m`." => generator, [
            (TimeText::json_schema(generator)),
            { "type": "string", "pattern": r"^\+[0-9]{1,9}(ms|s|m|h|d|w)( ?[0-9]{1,9}(ms|s|m|h|d|w))*$" }
        ];
        AuthTime: "RFC 3339, or `now`." => generator, [
            (TimeText::json_schema(generator)), { "type": "string", "const": "now" }
        ];
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_absolute_or_counts_from_now() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!("+5m".parse::<TimeSpec>().unwrap().resolve(now).as_millis(), 301_000);
        let at: TimeSpec = "2026-11-24T08:30:00Z".parse().unwrap();
        assert_eq!(at.resolve(now).to_string(), "2026-11-24T08:30:00Z");
        assert!("5m".parse::<TimeSpec>().is_err());
    }

    #[test]
    fn a_written_text_is_read_again() {
        for text in ["never", "15m", "1h 30m"] {
            assert_eq!(text.parse::<Lifetime>().unwrap().to_string(), text);
        }
        for text in ["2026-11-24T08:30:00Z", "+1h 30m"] {
            assert_eq!(text.parse::<TimeSpec>().unwrap().to_string(), text);
        }
        for text in ["now", "2026-11-24T08:30:00Z"] {
            assert_eq!(text.parse::<AuthTime>().unwrap().to_string(), text);
        }
    }
}
