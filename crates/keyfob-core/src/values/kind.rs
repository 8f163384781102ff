//! The kinds of tokens.

use std::fmt;
use std::str::FromStr;

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};

/// The kind of a token.
///
/// The enum is exhaustive on purpose: a service decides for each kind what it is used for.
#[derive(
    Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, minicbor::Encode, minicbor::Decode,
)]
#[cbor(index_only)]
pub enum Kind {
    /// An access token: access to a resource for a short time (RFC 6749 section 1.4).
    #[n(0)]
    Access,
    /// A refresh token: renewal of access (RFC 6749 section 1.5).
    #[n(1)]
    Refresh,
    /// The long-lived key of a service or a developer.
    #[n(2)]
    ApiKey,
    /// The session of a person.
    #[n(3)]
    Session,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Access, Self::Refresh, Self::ApiKey, Self::Session];

    /// Returns the name on the wire and in filters: `access`, `refresh`, `api-key`, `session`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Access => "access",
            Self::Refresh => "refresh",
            Self::ApiKey => "api-key",
            Self::Session => "session",
        }
    }

    /// Returns the two letters of the kind in a bearer token.
    pub const fn bearer_code(self) -> [u8; 2] {
        match self {
            Self::Access => *b"at",
            Self::Refresh => *b"rt",
            Self::ApiKey => *b"ak",
            Self::Session => *b"st",
        }
    }

    /// Returns the kind with these two letters in a bearer token.
    pub fn from_bearer_code(code: [u8; 2]) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.bearer_code() == code)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Kind {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "access, refresh, api-key or session";
        let known = Self::ALL.into_iter().find(|kind| kind.as_str() == text);
        known.ok_or_else(|| InvalidValue::new(Field::Kind, InvalidReason::Malformed { expected }))
    }
}

impl serde::Serialize for Kind {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Kind {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}
