//! Bounded text types: one type for each name that a token carries.
//!
//! Each type is not empty, bounded in bytes and free of control characters. So a value that exists
//! can be stored, logged and shown without another check.
//!
//! ```
//! use keyfob::Subject;
//!
//! let subject = Subject::new("user123")?;
//! assert_eq!(subject, "user123");
//! assert!(Subject::new("line\nbreak").is_err());
//! # Ok::<(), keyfob::InvalidValue>(())
//! ```

use base64ct::{Base64UrlUnpadded, Encoding as _};

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};

fn check(field: Field, max: usize, text: &str) -> Result<(), InvalidValue> {
    if text.is_empty() {
        return Err(InvalidValue::new(field, InvalidReason::Empty));
    }
    if text.len() > max {
        return Err(InvalidValue::new(field, InvalidReason::TooLong { max }));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidValue::new(field, InvalidReason::ControlCharacter));
    }
    Ok(())
}

macro_rules! text_type {
    ($($(#[$doc:meta])* $name:ident, $field:ident, $max:literal $(, $extra:path)?;)+) => {$(
        $(#[$doc])*
        #[doc = concat!("\n\nAt most ", stringify!($max), " bytes, not empty, no control characters.")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The maximum length in bytes.
            pub const MAX_BYTES: usize = $max;

            /// The field that errors name.
            pub const FIELD: Field = Field::$field;

            /// Creates a value from a text.
            ///
            /// # Errors
            /// If the text breaks the rules of the type.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
                let text = text.into();
                check(Field::$field, $max, &text)?;
                $( $extra(&text)?; )?
                Ok(Self(text.into_boxed_str()))
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(&self.0)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({:?})"), &self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = InvalidValue;
            fn from_str(text: &str) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl TryFrom<&str> for $name {
            type Error = InvalidValue;
            fn try_from(text: &str) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidValue;
            fn try_from(text: String) -> Result<Self, InvalidValue> {
                Self::new(text)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl PartialEq<str> for $name {
            fn eq(&self, other: &str) -> bool {
                *self.0 == *other
            }
        }

        impl PartialEq<&str> for $name {
            fn eq(&self, other: &&str) -> bool {
                *self.0 == **other
            }
        }

        impl PartialEq<String> for $name {
            fn eq(&self, other: &String) -> bool {
                *self.0 == **other
            }
        }

        impl PartialEq<$name> for str {
            fn eq(&self, other: &$name) -> bool {
                *self == *other.0
            }
        }

        impl PartialEq<$name> for &str {
            fn eq(&self, other: &$name) -> bool {
                **self == *other.0
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0.into()
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                Self::new(text).map_err(serde::de::Error::custom)
            }
        }

        impl<C> minicbor::Encode<C> for $name {
            fn encode<W: minicbor::encode::Write>(
                &self,
                encoder: &mut minicbor::Encoder<W>,
                _: &mut C,
            ) -> Result<(), minicbor::encode::Error<W::Error>> {
                encoder.str(&self.0)?.ok()
            }
        }

        impl<'b, C> minicbor::Decode<'b, C> for $name {
            fn decode(
                decoder: &mut minicbor::Decoder<'b>,
                _: &mut C,
            ) -> Result<Self, minicbor::decode::Error> {
                Self::new(decoder.str()?).map_err(minicbor::decode::Error::custom)
            }
        }
    )+};
}

fn check_scope(text: &str) -> Result<(), InvalidValue> {
    let fits = |b: u8| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    if text.bytes().all(fits) {
        return Ok(());
    }
    let allowed = "printable ASCII without space, quote and backslash";
    Err(InvalidValue::new(Field::Scope, InvalidReason::Character { allowed }))
}

fn check_label_key(text: &str) -> Result<(), InvalidValue> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    if text.bytes().all(fits) {
        return Ok(());
    }
    let allowed = "letters, digits, '.', '_', '-' and '/'";
    Err(InvalidValue::new(Field::LabelKey, InvalidReason::Character { allowed }))
}

text_type! {
    /// The subject of a token: the `sub` of RFC 7519 section 4.1.2.
    Subject, Subject, 256;
    /// The issuer of a token: the `iss` of RFC 7519 section 4.1.1.
    Issuer, Issuer, 256;
    /// A service that a token is meant for: one member of the `aud` of RFC 7519 section 4.1.3.
    Audience, Audience, 256;
    /// The OAuth client that a token was issued to (RFC 6749 section 2.2).
    ClientId, Client, 256;
    /// One scope-token of RFC 6749 section 3.3: printable ASCII without space, quote and backslash.
    Scope, Scope, 128, check_scope;
    /// The identifier of a device, given by the application.
    DeviceId, DeviceId, 128;
    /// The `User-Agent` that a token was issued to (RFC 9110 section 10.1.5).
    UserAgent, UserAgent, 512;
    /// The platform of a device, such as `iOS`.
    Platform, Platform, 64;
    /// The version of a device's platform or of an application.
    Version, Version, 64;
    /// The application that a token was issued to.
    AppId, App, 128;
    /// The key of a label: letters, digits, `.`, `_`, `-` and `/`.
    LabelKey, LabelKey, 64, check_label_key;
    /// The value of a label.
    LabelValue, LabelValue, 256;
    /// A tag: a word to find a token by.
    Tag, Tag, 64;
    /// The name of a limit.
    LimitName, LimitName, 64;
    /// The person or the service that did something, as the caller names it.
    Actor, Actor, 256;
    /// The reason for a change, in words for a person.
    Reason, Reason, 256;
    /// A human-readable name of the subject (RFC 7662 section 2.2, `username`).
    Username, Username, 256;
    /// How strongly the subject was authenticated (OpenID Connect Core section 2, `acr`).
    AuthenticationContext, AuthenticationContext, 128;
    /// A way in which the subject was authenticated (RFC 8176, a member of `amr`).
    AuthenticationMethod, AuthenticationMethod, 32;
    /// The text of a claim that keyfob passes on unread.
    ClaimText, Claim, 256;
    /// The name of a claim.
    ClaimName, ClaimName, 128;
}

impl From<&Subject> for Actor {
    fn from(subject: &Subject) -> Self {
        // Both have the same rules.
        Self(subject.0.clone())
    }
}

impl ClaimText {
    /// Returns a digest in base64url, which is always valid.
    pub(crate) fn of_digest(digest: &[u8; 32]) -> Self {
        let mut text = [0; 43];
        Self(Base64UrlUnpadded::encode(digest, &mut text).unwrap_or_default().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_the_edge() {
        assert!(Tag::new("x".repeat(64)).is_ok());
        let refused = Tag::new("x".repeat(65)).unwrap_err();
        assert_eq!(refused.reason(), &InvalidReason::TooLong { max: 64 });
    }

    #[test]
    fn control_characters_are_refused_everywhere() {
        for text in ["a\nb", "\u{0}", "a\u{7f}", "\u{85}", "a\u{1b}[31m"] {
            let refused = Subject::new(text).unwrap_err();
            assert_eq!(refused.reason(), &InvalidReason::ControlCharacter, "{text:?}");
        }
    }

    #[test]
    fn a_scope_follows_rfc_6749() {
        assert!(Scope::new("files:read/*").is_ok());
        for text in ["two words", "quo\"te", "back\\slash", "ümlaut"] {
            assert!(Scope::new(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_value_compares_with_text() {
        let tag = Tag::new("mobile").unwrap();
        assert_eq!(tag, "mobile");
        assert_eq!("mobile", tag);
        assert_eq!(tag, *"mobile");
        assert_eq!(tag, String::from("mobile"));
        assert_ne!(tag, "desktop");
        assert_eq!(String::from(tag), "mobile");
    }
}
