//! A signed JWT in its compact form, taken apart (RFC 7515 section 7.1).

use std::marker::PhantomData;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use keyfob_core::time::Timestamp;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, DeserializeOwned, Deserializer, MapAccess, Visitor};

/// The maximum length of a proof or an access token in bytes. A proof with an RSA key of 4,096 bits has 1,800.
pub const MAX_BYTES: usize = 8 * 1024;

/// A signed JWT whose signature was not verified yet.
#[derive(Clone, Debug)]
pub struct Unverified<'a> {
    /// The bytes that are signed: header and payload as they came.
    pub signed: &'a [u8],
    /// The signature.
    pub signature: Vec<u8>,
    header: Vec<u8>,
    payload: Vec<u8>,
}

/// The error for text that is not a signed JWT, or whose members are not as they have to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    /// The text has more bytes than are allowed.
    #[error("the JWT is too long")]
    TooLong,
    /// The text does not consist of three parts in base64url without padding.
    #[error("the JWT is not three parts in base64url")]
    Parts,
    /// The header is no JSON object with the members that are needed, or has one twice.
    #[error("the header of the JWT is not valid")]
    Header,
    /// The payload is no JSON object with the members that are needed, or has one twice.
    #[error("the payload of the JWT is not valid")]
    Payload,
}

impl<'a> Unverified<'a> {
    /// Takes the compact form apart.
    ///
    /// # Errors
    /// If the text is too long, or does not consist of three parts in base64url.
    pub fn parse(text: &'a str) -> Result<Self, Malformed> {
        Self::parse_within(text, MAX_BYTES)
    }

    /// Takes the compact form apart, if it has no more than this number of bytes.
    ///
    /// # Errors
    /// As [`Unverified::parse`].
    pub fn parse_within(text: &'a str, max_bytes: usize) -> Result<Self, Malformed> {
        if text.len() > max_bytes {
            return Err(Malformed::TooLong);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(Malformed::Parts)?;
        let (header, payload) = signed.split_once('.').ok_or(Malformed::Parts)?;
        let decoded = |part| Base64UrlUnpadded::decode_vec(part).map_err(|_| Malformed::Parts);
        Ok(Self {
            signed: signed.as_bytes(),
            signature: decoded(signature)?,
            header: decoded(header)?,
            payload: decoded(payload)?,
        })
    }

    /// Reads the header. Nothing in it is proven.
    ///
    /// # Errors
    /// If it does not read as a `T`.
    pub fn header<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        object(&self.header).ok_or(Malformed::Header)
    }

    /// Reads the payload. Nothing in it is proven before the signature was verified.
    ///
    /// # Errors
    /// If it does not read as a `T`.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Malformed> {
        object(&self.payload).ok_or(Malformed::Payload)
    }
}

fn object<T: DeserializeOwned>(json: &[u8]) -> Option<T> {
    serde_json::from_slice::<Object<T>>(json).ok().map(|Object(members)| members)
}

/// What is read from a JSON object alone. A struct that derives `Deserialize` is read from an array too, whose values
/// have no names.
pub(crate) struct Object<T>(pub(crate) T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Members<T> {
            type Value = T;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(members))
            }
        }

        deserializer.deserialize_map(Members(PhantomData)).map(Self)
    }
}

/// A time in seconds since 1970, which may have a fraction (RFC 7519 section 2).
#[derive(Debug, serde::Deserialize)]
#[serde(untagged)]
pub(crate) enum Seconds {
    Whole(u64),
    Fraction(f64),
}

impl Seconds {
    /// Returns the time in whole seconds.
    pub(crate) fn at(&self) -> Option<Timestamp> {
        /// The year 9999.
        const MAX: u64 = 253_402_300_799;
        match self {
            Self::Whole(seconds) => Some(*seconds),
            Self::Fraction(seconds) if *seconds >= 0.0 && seconds.is_finite() => {
                Some(*seconds as u64)
            }
            Self::Fraction(_) => None,
        }
        .filter(|seconds| *seconds <= MAX)
        .map(Timestamp::from_secs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_is_not_three_parts_is_refused() {
        for text in
            ["", ".", "..", "a.b", "e30.e30", "e30.e30.e30.e30", "e30=.e30.e30", "e30.e30.é"]
        {
            let read = Unverified::parse(text);
            let is_header = |read: &Unverified<'_>| read.header::<serde_json::Value>().is_ok();
            assert!(!read.as_ref().is_ok_and(is_header), "{text}");
        }
        let long = format!("e30.e30.{}", "A".repeat(MAX_BYTES));
        assert_eq!(Unverified::parse(&long).unwrap_err(), Malformed::TooLong);
    }

    #[test]
    fn an_array_is_no_object() {
        #[derive(serde::Deserialize, PartialEq, Debug)]
        struct Header {
            alg: String,
        }
        let read = |json: &str| {
            let text = format!("{}.e30.", Base64UrlUnpadded::encode_string(json.as_bytes()));
            Unverified::parse(&text).unwrap().header::<Header>()
        };
        assert_eq!(read(r#"{"alg":"ES256"}"#).unwrap().alg, "ES256");
        assert_eq!(read(r#"["ES256"]"#), Err(Malformed::Header));
    }

    #[test]
    fn a_member_that_is_there_twice_is_refused() {
        #[derive(serde::Deserialize, Debug)]
        #[expect(dead_code, reason = "only read")]
        struct Header {
            alg: String,
        }
        let header = Base64UrlUnpadded::encode_string(br#"{"alg":"ES256","alg":"none"}"#);
        let text = format!("{header}.e30.");
        assert_eq!(
            Unverified::parse(&text).unwrap().header::<Header>().unwrap_err(),
            Malformed::Header
        );
    }
}
