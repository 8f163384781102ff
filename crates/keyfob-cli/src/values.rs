//! Values that have a form of their own on the command line and in lines of JSON.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use keyfob::filter::FilterBindings;
use keyfob::rotation::SecretOverlap;
use keyfob::values::{ClaimName, InvalidReason, LabelKey, LabelValue};
use keyfob::{InvalidValue, Kind, Timestamp, Ttl};
use serde::Deserialize;
use serde_json::value::RawValue;

/// The lifetime of a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lifetime {
    For(Ttl),
    Never,
}

/// How long an older secret stays valid. `0` ends it immediately.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OverlapArg(SecretOverlap);

impl From<OverlapArg> for SecretOverlap {
    fn from(overlap: OverlapArg) -> Self {
        overlap.0
    }
}

impl FromStr for OverlapArg {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "0" {
            Ok(Self(SecretOverlap::NONE))
        } else {
            Ok(Self(SecretOverlap::new(text.parse()?)))
        }
    }
}

/// A time, absolute or as a duration from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimeArg {
    At(Timestamp),
    In(Ttl),
}

/// The time of an authentication: absolute, or now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AuthTime {
    Now,
    At(Timestamp),
}

/// A label: `key=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct LabelArg {
    pub(crate) key: LabelKey,
    pub(crate) value: LabelValue,
}

/// A value for a name in a filter: `name=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BindArg {
    pub(crate) name: String,
    pub(crate) value: String,
}

/// A claim: `name=JSON`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct ClaimArg {
    pub(crate) name: ClaimName,
    pub(crate) json: Box<str>,
}

/// A text that is not a label or a claim. It does not contain the text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum InvalidArgument {
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    #[error("has no '='. Write key=value, such as environment=production")]
    Label,
    #[error("has no '='. Write name=value, and use it in the filter as $name")]
    Binding,
    #[error("has no '='. Write name=JSON, such as seats=12 or plan='\"team\"'")]
    Claim,
    #[error("the claim's value is not JSON: a text needs double quotes, as in plan='\"team\"'")]
    Json,
}

impl FromStr for Lifetime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "never" { Ok(Self::Never) } else { text.parse().map(Self::For) }
    }
}

impl TimeArg {
    /// Returns the absolute time. A duration counts from `now`.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(ttl) => now + ttl,
        }
    }
}

impl AuthTime {
    /// Returns the absolute time.
    pub(crate) fn resolve(self, now: Timestamp) -> Timestamp {
        match self {
            Self::Now => now,
            Self::At(at) => at,
        }
    }
}

impl FromStr for AuthTime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "now" { Ok(Self::Now) } else { text.parse().map(Self::At) }
    }
}

impl FromStr for TimeArg {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        match text.strip_prefix('+') {
            Some(distance) => distance.parse().map(Self::In),
            None => text.parse().map(Self::At).map_err(with_both_forms),
        }
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

impl FromStr for LabelArg {
    type Err = InvalidArgument;

    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let (key, value) = text.split_once('=').ok_or(InvalidArgument::Label)?;
        Ok(Self { key: key.parse()?, value: value.parse()? })
    }
}

impl FromStr for BindArg {
    type Err = InvalidArgument;

    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let (name, value) = text.split_once('=').ok_or(InvalidArgument::Binding)?;
        FilterBindings::new().bind(name, value)?;
        Ok(Self { name: name.to_owned(), value: value.to_owned() })
    }
}

impl FromStr for ClaimArg {
    type Err = InvalidArgument;

    fn from_str(text: &str) -> Result<Self, InvalidArgument> {
        let (name, json) = text.split_once('=').ok_or(InvalidArgument::Claim)?;
        let name = name.parse()?;
        serde_json::from_str::<&RawValue>(json).map_err(|_| InvalidArgument::Json)?;
        Ok(Self { name, json: json.into() })
    }
}

/// Implements `Deserialize` by parsing a text, as the command line does.
macro_rules! deserialize_from_str {
    ($($name:ty),+) => {$(
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

deserialize_from_str!(Lifetime, TimeArg, AuthTime);

/// A parser of kinds that lists the values in the help and in completions.
pub(crate) fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|text| text.parse::<Kind>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_claims_are_split_at_the_first_equals_sign() {
        let label: LabelArg = "a=b=c".parse().unwrap();
        assert_eq!((label.key.as_str(), label.value.as_str()), ("a", "b=c"));
        let claim: ClaimArg = r#"a={"b":"=\""}"#.parse().unwrap();
        assert_eq!((claim.name.as_str(), &*claim.json), ("a", r#"{"b":"=\""}"#));
        assert_eq!("a".parse::<LabelArg>(), Err(InvalidArgument::Label));
        assert_eq!("a=team".parse::<ClaimArg>(), Err(InvalidArgument::Json));
        assert_eq!("a=1 2".parse::<ClaimArg>(), Err(InvalidArgument::Json));
    }

    #[test]
    fn a_time_is_absolute_or_counts_from_now() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!("+5m".parse::<TimeArg>().unwrap().resolve(now).as_millis(), 301_000);
        let at: TimeArg = "2026-11-24T08:30:00Z".parse().unwrap();
        assert_eq!(at.resolve(now).to_string(), "2026-11-24T08:30:00Z");
        assert!("5m".parse::<TimeArg>().is_err());
    }
}
