//! Reading a body: JSON whose errors contain no value.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{DeserializeOwned, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Why a text is not the body that was expected. It names members and places, never a value.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct InvalidJson(String);

impl InvalidJson {
    /// Returns the stable code.
    pub fn code(&self) -> &'static str {
        "invalid_json"
    }
}

/// Reads a body. White space around it is ignored.
///
/// # Errors
/// If the text is not JSON, or not such a body.
pub fn parse<T: DeserializeOwned>(body: &[u8]) -> Result<T, InvalidJson> {
    serde_json::from_slice(body).map_err(|error| InvalidJson(describe(&error)))
}

/// Reads a body that is an object.
///
/// # Errors
/// If the text is not JSON, no object, or not such a body.
pub fn parse_object<T: DeserializeOwned>(body: &[u8]) -> Result<T, InvalidJson> {
    parse(body).map(|Object(body)| body)
}

/// A body that is an object. serde would also take an array of the members in their order.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = Object<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, object: A) -> Result<Self::Value, A::Error> {
                T::deserialize(MapAccessDeserializer::new(object)).map(Object)
            }
        }

        deserializer.deserialize_map(Members(PhantomData))
    }
}

/// Describes the error in serde's words, without the value that serde quotes. Most bodies are one
/// line, so the number of the first line is left out.
fn describe(error: &serde_json::Error) -> String {
    let text = error.to_string().replace(" at line 1 column ", " at column ");
    match text.rsplit_once(", expected ") {
        Some((quoting, expected)) if quoting.starts_with("invalid ") => {
            format!("expected {expected}")
        }
        _ => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GrantSpec, OneOrMany, OpenSessionBody};

    #[test]
    fn an_array_of_members_is_no_object() {
        assert!(parse_object::<OpenSessionBody>(b"{}").is_ok());
        let refused = parse_object::<OpenSessionBody>(b"[null, null]").unwrap_err();
        assert_eq!(refused.to_string(), "expected an object at column 0");
        assert!(parse::<OneOrMany<GrantSpec>>(br#"[{"subject":"alice"}]"#).is_ok());
        assert!(parse::<OneOrMany<GrantSpec>>(br#"[["access"]]"#).is_err());
    }
}
