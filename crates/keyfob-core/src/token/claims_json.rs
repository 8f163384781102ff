//! Checks that every reader of JSON understands the same by a text.
//!
//! RFC 8259 leaves open what an object with a repeated name means (section 4), and what a number
//! means that a reader cannot hold (section 6). Such a text is refused at any depth, with its place.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::values::json_place::JsonPlace;

/// The maximum number of objects and arrays around a value. Common readers stop at 128.
const MAX_DEPTH: usize = 100;

/// The members of an object in their order, with unparsed values.
#[derive(Default)]
pub(super) struct Members<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

/// Checks the members of an object and everything below them.
pub(super) fn check(members: &Members<'_>) -> Result<(), InvalidValue> {
    check_members(members, &mut Place::default())
}

/// The path to a value, as the names and positions of RFC 6901.
#[derive(Default)]
struct Place<'a>(Vec<Cow<'a, str>>);

impl Place<'_> {
    fn shown(&self) -> JsonPlace {
        JsonPlace::new(self.0.iter().map(|step| &**step))
    }
}

fn check_members<'a>(members: &Members<'a>, place: &mut Place<'a>) -> Result<(), InvalidValue> {
    let mut names: Vec<&Cow<'a, str>> = members.0.iter().map(|(name, _)| name).collect();
    names.sort_unstable();
    if let Some(pair) = names.windows(2).find(|pair| pair[0] == pair[1]) {
        place.0.push(pair[0].clone());
        return Err(invalid(InvalidReason::DuplicateName { place: place.shown() }));
    }
    members.0.iter().try_for_each(|(name, value)| check_below(name.clone(), value, place))
}

fn check_below<'a>(
    step: Cow<'a, str>,
    value: &'a RawValue,
    place: &mut Place<'a>,
) -> Result<(), InvalidValue> {
    place.0.push(step);
    if place.0.len() > MAX_DEPTH {
        return Err(invalid(InvalidReason::TooDeep { max: MAX_DEPTH }));
    }
    let text = value.get();
    let malformed = |_| {
        let expected = "JSON whose texts consist of whole characters";
        invalid(InvalidReason::Malformed { expected })
    };
    match text.as_bytes().first() {
        Some(b'{') => {
            check_members(&serde_json::from_str(text).map_err(malformed)?, place)?;
        }
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(text).map_err(malformed)?;
            for (position, item) in items.into_iter().enumerate() {
                check_below(position.to_string().into(), item, place)?;
            }
        }
        Some(b'"') => drop(serde_json::from_str::<Cow<'_, str>>(text).map_err(malformed)?),
        Some(b'-' | b'0'..=b'9') if !is_portable(text) => {
            return Err(invalid(InvalidReason::NumberRange { place: place.shown() }));
        }
        _ => {}
    }
    place.0.pop();
    Ok(())
}

/// Whether a number is a 64-bit integer, or one that a double holds: an integer exactly, a fraction
/// or a power as its nearest value.
fn is_portable(number: &str) -> bool {
    if number.parse::<i64>().is_ok() || number.parse::<u64>().is_ok() {
        return true;
    }
    let Ok(double) = number.parse::<f64>() else { return false };
    if !number.contains(['.', 'e', 'E']) {
        return double.is_finite() && format!("{double:.0}") == number;
    }
    let mantissa = number.split(['e', 'E']).next().unwrap_or_default();
    let is_zero = !mantissa.contains(|c: char| matches!(c, '1'..='9'));
    double.is_finite() && (double != 0.0 || is_zero)
}

fn invalid(reason: InvalidReason) -> InvalidValue {
    let field = match reason {
        InvalidReason::TooDeep { .. } | InvalidReason::Malformed { .. } => Field::Claims,
        _ => Field::Claim,
    };
    InvalidValue::new(field, reason)
}

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Members<'de>;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: serde::de::MapAccess<'de>>(
                self,
                mut map: A,
            ) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }

        deserializer.deserialize_map(Visitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(json: &str) -> String {
        match check(&serde_json::from_str(json).unwrap()) {
            Ok(()) => String::new(),
            Err(invalid) => invalid.to_string(),
        }
    }

    #[test]
    fn a_repeated_name_is_refused_at_any_depth_with_its_place() {
        for (json, place) in [
            (r#"{"a":1,"a":2}"#, "/a"),
            (r#"{"n":{"a":1,"b":0,"a":1}}"#, "/n/a"),
            (r#"{"n":[0,{"a":1,"\u0061":2}]}"#, "/n/1/a"),
            (r#"{"n":{"two words":1,"two words":2}}"#, "/n/…"),
        ] {
            let expected = format!("claim is given twice, at {place}: give each name once");
            assert_eq!(refused(json), expected, "{json}");
        }
        assert_eq!(refused(r#"{"a":{"a":{"a":1}},"b":[{"a":1},{"a":1}]}"#), "");
        let secret = format!("fob_at_{}", "0".repeat(61));
        let json = format!(r#"{{"n":{{"{secret}":1,"{secret}":2}}}}"#);
        assert!(!refused(&json).contains("fob_at"));
    }

    #[test]
    fn a_number_that_readers_round_or_lose_is_refused_with_its_place() {
        for number in [
            "1e999",
            "-1e999",
            "1e-999",
            "18446744073709551617",
            "-9223372036854775809",
            "123456789012345678901234567890",
            "1.5e400",
        ] {
            for (json, place) in [
                (format!(r#"{{"n":{number}}}"#), "/n"),
                (format!(r#"{{"n":[{{"m":{number}}}]}}"#), "/n/0/m"),
            ] {
                let text = refused(&json);
                assert!(
                    text.starts_with(&format!("claim has a number at {place} ")),
                    "{json}: {text}"
                );
            }
        }
        for number in [
            "0",
            "-0",
            "0.1",
            "1e308",
            "1E+2",
            "5e-324",
            "0e999",
            "0.0e-999",
            "-1.5",
            "18446744073709551615",
            "18446744073709551616",
            "-9223372036854775808",
            "10000000000000000000000",
        ] {
            assert_eq!(refused(&format!(r#"{{"n":{number}}}"#)), "", "{number}");
        }
    }

    #[test]
    fn depth_is_bounded_and_texts_are_whole() {
        let nested = |depth| format!(r#"{{"n":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        assert_eq!(refused(&nested(MAX_DEPTH)), "");
        for depth in [MAX_DEPTH + 1, 4_000] {
            assert!(refused(&nested(depth)).contains("at most 100 levels"), "{depth}");
        }
        assert!(refused(r#"{"n":"\ud800"}"#).contains("whole characters"));
        assert_eq!(refused(r#"{"n":"\ud83d\ude00"}"#), "");
    }
}
