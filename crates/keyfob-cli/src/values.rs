//! Values that have a form of their own on the command line.

use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use keyfob::filter::FilterBindings;
use keyfob::rotation::SecretOverlap;
use keyfob::values::{ClaimName, LabelKey, LabelValue};
use keyfob::{InvalidValue, Kind};
use serde_json::value::RawValue;

/// How long an older secret stays valid. `0` ends it immediately.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct OverlapArg {
    overlap: SecretOverlap,
    text: String,
}

impl From<&OverlapArg> for SecretOverlap {
    fn from(overlap: &OverlapArg) -> Self {
        overlap.overlap
    }
}

impl OverlapArg {
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

impl FromStr for OverlapArg {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let overlap =
            if text == "0" { SecretOverlap::NONE } else { SecretOverlap::new(text.parse()?) };
        Ok(Self { overlap, text: text.to_owned() })
    }
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
}
