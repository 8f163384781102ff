//! The bounded text types: every name that a token carries, each a type of its own.
//!
//! All of them are non-empty, bounded in bytes and free of control characters, so that a value
//! that exists can be stored, logged and shown without another check.

use crate::invalid::{InvalidReason, InvalidValue};

fn check(what: &'static str, most: usize, text: &str) -> Result<(), InvalidValue> {
    if text.is_empty() {
        return Err(InvalidValue::new(what, InvalidReason::Empty));
    }
    if text.len() > most {
        return Err(InvalidValue::new(what, InvalidReason::TooLong { most }));
    }
    if text.chars().any(char::is_control) {
        return Err(InvalidValue::new(what, InvalidReason::ControlCharacter));
    }
    Ok(())
}

macro_rules! text_type {
    ($($(#[$doc:meta])* $name:ident, $what:literal, $most:literal $(, $extra:path)?;)+) => {$(
        $(#[$doc])*
        #[doc = concat!("\n\nAt most ", stringify!($most), " bytes, not empty, no control characters.")]
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Box<str>);

        impl $name {
            /// The most bytes that a value may have.
            pub const MAX_BYTES: usize = $most;

            /// Checks and takes a text.
            ///
            /// # Errors
            /// When the text breaks the rules of the type.
            pub fn new(text: impl Into<String>) -> Result<Self, InvalidValue> {
                let text = text.into();
                check($what, $most, &text)?;
                $( $extra(&text)?; )?
                Ok(Self(text.into_boxed_str()))
            }

            /// The text.
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
    Err(InvalidValue::new("scope", InvalidReason::Character { allowed }))
}

fn check_label_key(text: &str) -> Result<(), InvalidValue> {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-' | b'/');
    if text.bytes().all(fits) {
        return Ok(());
    }
    let allowed = "letters, digits, '.', '_', '-' and '/'";
    Err(InvalidValue::new("label key", InvalidReason::Character { allowed }))
}

text_type! {
    /// Whom a token speaks for: the `sub` of RFC 7519 section 4.1.2.
    Subject, "subject", 256;
    /// Who issued a token: the `iss` of RFC 7519 section 4.1.1.
    Issuer, "issuer", 256;
    /// Whom a token is meant for: one member of the `aud` of RFC 7519 section 4.1.3.
    Audience, "audience", 256;
    /// The OAuth client that a token was issued to (RFC 6749 section 2.2).
    ClientId, "client", 256;
    /// One scope-token of RFC 6749 section 3.3: printable ASCII without space, quote and backslash.
    Scope, "scope", 128, check_scope;
    /// The identifier that an application gives to a device.
    DeviceId, "device id", 128;
    /// The `User-Agent` that a token was issued to (RFC 9110 section 10.1.5).
    UserAgent, "user agent", 512;
    /// The platform of a device, such as `iOS`.
    Platform, "platform", 64;
    /// The version of a device's platform or of an application.
    Version, "version", 64;
    /// The application that a token was issued to.
    AppId, "app", 128;
    /// The key of a label: letters, digits, `.`, `_`, `-` and `/`.
    LabelKey, "label key", 64, check_label_key;
    /// The value of a label.
    LabelValue, "label value", 256;
    /// A tag: a word that a token is filed under.
    Tag, "tag", 64;
    /// The name of a limit.
    LimitName, "limit name", 64;
    /// Who did something: a person or a service, as the caller names it.
    Actor, "actor", 256;
    /// Why something was done, in words for a person.
    Reason, "reason", 256;
    /// A name for a person to read (RFC 7662 section 2.2, `username`).
    Username, "username", 256;
    /// How strongly the subject was authenticated (OpenID Connect Core section 2, `acr`).
    AuthenticationContext, "authentication context", 128;
    /// One way in which the subject was authenticated (RFC 8176, a member of `amr`).
    AuthenticationMethod, "authentication method", 32;
    /// The text of a claim that keyfob passes on without reading it.
    ClaimText, "claim", 256;
    /// The name of a claim.
    ClaimName, "claim name", 128;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_at_the_edge() {
        assert!(Tag::new("x".repeat(64)).is_ok());
        let refused = Tag::new("x".repeat(65)).unwrap_err();
        assert_eq!(refused.problem(), &InvalidReason::TooLong { most: 64 });
    }

    #[test]
    fn control_characters_are_refused_everywhere() {
        for text in ["a\nb", "\u{0}", "a\u{7f}", "\u{85}", "a\u{1b}[31m"] {
            let refused = Subject::new(text).unwrap_err();
            assert_eq!(refused.problem(), &InvalidReason::ControlCharacter, "{text:?}");
        }
    }

    #[test]
    fn a_scope_follows_rfc_6749() {
        assert!(Scope::new("files:read/*").is_ok());
        for text in ["two words", "quo\"te", "back\\slash", "ümlaut"] {
            assert!(Scope::new(text).is_err(), "{text:?}");
        }
    }
}
