//! Bytes in a JSON text.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Bytes, written as base64url without padding (RFC 4648 section 5). `Debug` does not show them.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Binary(pub Vec<u8>);

impl Binary {
    /// Returns the bytes, if there are exactly `N`.
    pub fn array<const N: usize>(&self) -> Option<[u8; N]> {
        self.0.as_slice().try_into().ok()
    }
}

impl<const N: usize> From<[u8; N]> for Binary {
    fn from(bytes: [u8; N]) -> Self {
        Self(bytes.to_vec())
    }
}

impl From<Vec<u8>> for Binary {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl fmt::Debug for Binary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Binary({} bytes)", self.0.len())
    }
}

impl Serialize for Binary {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Base64UrlUnpadded::encode_string(&self.0))
    }
}

impl<'de> Deserialize<'de> for Binary {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<'_, str>>::deserialize(deserializer)?;
        Base64UrlUnpadded::decode_vec(&text)
            .map(Self)
            .map_err(|_| D::Error::custom("expected base64url without padding"))
    }
}

#[cfg(feature = "schema")]
impl schemars::JsonSchema for Binary {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Binary".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        // The last character has no bits left over.
        let pattern =
            "^([A-Za-z0-9_-]{4})*([A-Za-z0-9_-][AQgw]|[A-Za-z0-9_-]{2}[AEIMQUYcgkosw048])?$";
        schemars::json_schema!({ "type": "string", "pattern": pattern })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_base64url_and_are_not_shown() {
        let bytes = Binary(vec![0xfb, 0xff, 1]);
        let json = serde_json::to_string(&bytes).unwrap();
        assert_eq!(json, r#""-_8B""#);
        assert_eq!(serde_json::from_str::<Binary>(&json).unwrap(), bytes);
        assert_eq!(format!("{bytes:?}"), "Binary(3 bytes)");
        assert_eq!((bytes.array::<3>(), bytes.array::<4>()), (Some([0xfb, 0xff, 1]), None));
        for not in [r#""+/8B""#, r#""-_8B=""#, "3"] {
            assert!(serde_json::from_str::<Binary>(not).is_err(), "{not}");
        }
    }
}
