//! Where claims do not read as the type that an application asked for. It names the member and quotes no value.

use serde_json::Error;
use serde_json::value::RawValue;

use super::claims_json::Members;
use crate::values::json_place::JsonPlace;

/// Describes where `json`, one object, did not read as a type.
pub(super) fn describe(json: &str, error: &Error) -> String {
    let members: Members<'_> = serde_json::from_str(json).unwrap_or_default();
    let at = offset(json, error);
    let has_it = |value: &RawValue| {
        // The value is a part of the same text.
        let start = (value.get().as_ptr() as usize).checked_sub(json.as_ptr() as usize);
        start.is_some_and(|start| start <= at && at <= start + value.get().len())
    };
    let member = members.0.iter().find(|(_, value)| has_it(value));
    let member = member.map(|(name, _)| JsonPlace::new([&**name]));
    match (member, missing_field(error)) {
        (None, Some(name)) => format!("{} is missing", JsonPlace::new([&*name])),
        (Some(member), Some(name)) => {
            format!("{} is missing in {member}", JsonPlace::new([&*name]))
        }
        // The position, not serde's text, which quotes values.
        (Some(member), None) => {
            format!("{member} does not fit, at line {} column {}", error.line(), error.column())
        }
        (None, None) => format!("line {} column {}", error.line(), error.column()),
    }
}

/// The position of an error in bytes.
fn offset(json: &str, error: &Error) -> usize {
    let before = json.split_inclusive('\n').take(error.line().saturating_sub(1));
    before.map(str::len).sum::<usize>() + error.column()
}

/// The name of the field that a type needs, if that is the error. It is a part of the type.
fn missing_field(error: &Error) -> Option<String> {
    let text = error.to_string();
    let (name, _) = text.strip_prefix("missing field `")?.split_once('`')?;
    Some(name.to_owned())
}
