//! Values that have a form of their own on the command line.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use keyfob::{ClaimName, InvalidValue, Kind, LabelKey, LabelValue, SecretOverlap, Timestamp, Ttl};
use serde::Deserialize;
use serde_json::value::RawValue;

/// How long a token lives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lifetime {
    For(Ttl),
    Never,
}

/// How long an older secret stays good; 0 is not at all.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct OverlapFor(SecretOverlap);

impl From<OverlapFor> for SecretOverlap {
    fn from(overlap: OverlapFor) -> Self {
        overlap.0
    }
}

impl FromStr for OverlapFor {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "0" {
            Ok(Self(SecretOverlap::NONE))
        } else {
            Ok(Self(SecretOverlap::new(text.parse()?)))
        }
    }
}

/// A moment, or a distance from now.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum TimeArg {
    At(Timestamp),
    In(Ttl),
}

/// When a subject was authenticated.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum AuthTime {
    Now,
    At(Timestamp),
}

/// A label: `key=value`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Label {
    pub(crate) key: LabelKey,
    pub(crate) value: LabelValue,
}

/// A claim: `name=JSON`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Claim {
    pub(crate) name: ClaimName,
    pub(crate) json: Box<str>,
}

/// Why a text is no value. It does not hold the text.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum WrongValue {
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    #[error("has no '=': write key=value, such as environment=production")]
    Label,
    #[error("has no '=': write name=JSON, such as seats=12 or plan='\"team\"'")]
    Claim,
    #[error("the claim's value is no JSON: a text needs double quotes, as in plan='\"team\"'")]
    Json,
}

impl FromStr for Lifetime {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        if text == "never" { Ok(Self::Never) } else { text.parse().map(Self::For) }
    }
}

impl TimeArg {
    /// The moment, counted from `now`.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
        match self {
            Self::At(at) => at,
            Self::In(ttl) => now + ttl,
        }
    }
}

impl AuthTime {
    /// The moment, at `now`.
    pub(crate) fn from(self, now: Timestamp) -> Timestamp {
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
            None => text.parse().map(Self::At),
        }
    }
}

impl FromStr for Label {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let (key, value) = text.split_once('=').ok_or(WrongValue::Label)?;
        Ok(Self { key: key.parse()?, value: value.parse()? })
    }
}

impl FromStr for Claim {
    type Err = WrongValue;

    fn from_str(text: &str) -> Result<Self, WrongValue> {
        let (name, json) = text.split_once('=').ok_or(WrongValue::Claim)?;
        let name = name.parse()?;
        serde_json::from_str::<&RawValue>(json).map_err(|_| WrongValue::Json)?;
        Ok(Self { name, json: json.into() })
    }
}

/// Reads from JSON what is read from the command line in the same way.
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

/// A kind, with its values known to the help and to completions.
pub(crate) fn kind() -> impl TypedValueParser<Value = Kind> {
    PossibleValuesParser::new(Kind::ALL.map(Kind::as_str)).try_map(|text| text.parse::<Kind>())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_claims_are_split_at_the_first_equals_sign() {
        let label: Label = "a=b=c".parse().unwrap();
        assert_eq!((label.key.as_str(), label.value.as_str()), ("a", "b=c"));
        let claim: Claim = r#"a={"b":"=\""}"#.parse().unwrap();
        assert_eq!((claim.name.as_str(), &*claim.json), ("a", r#"{"b":"=\""}"#));
        assert_eq!("a".parse::<Label>(), Err(WrongValue::Label));
        assert_eq!("a=team".parse::<Claim>(), Err(WrongValue::Json));
        assert_eq!("a=1 2".parse::<Claim>(), Err(WrongValue::Json));
    }

    #[test]
    fn a_moment_is_absolute_or_counts_from_now() {
        let now = Timestamp::from_millis(1_000);
        assert_eq!("+5m".parse::<TimeArg>().unwrap().from(now).as_millis(), 301_000);
        let at: TimeArg = "2026-11-24T08:30:00Z".parse().unwrap();
        assert_eq!(at.from(now).to_string(), "2026-11-24T08:30:00Z");
        assert!("5m".parse::<TimeArg>().is_err());
    }
}
