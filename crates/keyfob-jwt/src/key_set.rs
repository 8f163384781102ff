//! The public keys of an issuer: a JWK set (RFC 7517 section 5), and the check that one of them signed a JWT.

use serde::ser::{SerializeMap as _, Serializer};
use serde::{Deserialize, Serialize};

use crate::jws::{Malformed, Object, Unverified};
use crate::key::{Algorithm, BadKey, BadSignature, Jwk, PublicKey};

/// The maximum length of a JWK set in bytes.
pub const MAX_BYTES: usize = 64 * 1024;
/// The maximum number of keys in a set.
pub const MAX_KEYS: usize = 64;

/// A public key with its name and the one algorithm that it is for. It serializes as a JWK.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifyingKey {
    key: PublicKey,
    algorithm: Algorithm,
    kid: String,
}

/// The public keys of an issuer. It serializes as a JWK set.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct KeySet {
    keys: Vec<VerifyingKey>,
}

/// A JWT that a key of a set has signed.
#[derive(Clone, Copy, Debug)]
pub struct Verified<'j, 'k> {
    jwt: &'j Unverified<'j>,
    key: &'k VerifyingKey,
}

/// Why a JWT is not one that a key of the set has signed. It holds no part of the JWT.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotSigned {
    /// The text is no signed JWT, or its header is not valid. An algorithm that is not accepted is one reason.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The type in the header is another one.
    #[error("the JWT is of another type")]
    Type,
    /// The header has `crit`, which nobody understands.
    #[error("the header has critical extensions")]
    Critical,
    /// No key of the set has the name that the header has. The set may be older than the key.
    #[error("the key that signed the JWT is not known")]
    UnknownKey,
    /// The algorithm is not the one that the key is for.
    #[error("the algorithm is not the one of the key")]
    Algorithm,
    /// The signature is not by the key.
    #[error(transparent)]
    Signature(#[from] BadSignature),
}

impl VerifyingKey {
    /// Returns a key that is named by its thumbprint.
    pub(crate) fn new(key: PublicKey, algorithm: Algorithm) -> Self {
        let kid = key.thumbprint();
        Self { key, algorithm, kid }
    }

    /// Returns its name.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Returns the algorithm that it is for.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

impl Serialize for VerifyingKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in self.key.jwk_members() {
            map.serialize_entry(name, &value)?;
        }
        map.serialize_entry("alg", self.algorithm.as_str())?;
        map.serialize_entry("use", "sig")?;
        map.serialize_entry("kid", &self.kid)?;
        map.end()
    }
}

impl Serialize for KeySet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(1))?;
        map.serialize_entry("keys", &self.keys)?;
        map.end()
    }
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: Algorithm,
    kid: String,
    crit: Option<serde::de::IgnoredAny>,
}

impl KeySet {
    /// Returns a set of these keys.
    pub fn new(keys: impl IntoIterator<Item = VerifyingKey>) -> Self {
        Self { keys: keys.into_iter().collect() }
    }

    /// Reads a JWK set. A key that is not for one of the accepted algorithms, or has no name, is left out (RFC 7517
    /// section 5): the issuer may have it for somebody else.
    ///
    /// # Errors
    /// If the text is no JWK set, is too long, has too many keys, or has a secret.
    pub fn parse(json: &[u8]) -> Result<Self, BadKey> {
        #[derive(Deserialize)]
        struct Members {
            keys: Vec<serde_json::Value>,
        }
        if json.len() > MAX_BYTES {
            return Err(BadKey::Malformed);
        }
        let read = serde_json::from_slice::<Object<Members>>(json);
        let Object(Members { keys }) = read.map_err(|_| BadKey::Malformed)?;
        if keys.len() > MAX_KEYS {
            return Err(BadKey::Malformed);
        }
        let mut set = Self::default();
        for jwk in keys {
            let kid = jwk.get("kid").and_then(serde_json::Value::as_str).map(str::to_owned);
            let Ok(Object(jwk)) = serde_json::from_value::<Object<Jwk>>(jwk) else { continue };
            let named = jwk.alg.clone().map(serde_json::Value::String);
            let named = named.and_then(|name| serde_json::from_value(name).ok());
            let (Some(algorithm), Some(kid)) = (named, kid) else { continue };
            match jwk.key_for(algorithm) {
                Ok(key) => set.keys.push(VerifyingKey { key, algorithm, kid }),
                Err(BadKey::Private) => return Err(BadKey::Private),
                Err(_) => {}
            }
        }
        Ok(set)
    }

    /// Returns the keys.
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// Returns a JWT of this type, if a key of the set has signed it. The key is chosen by its name, and its algorithm
    /// by the key: a header cannot choose another one.
    ///
    /// # Errors
    /// The first check that it does not pass. The signature comes last, because it costs most.
    pub fn verified<'j, 'k>(
        &'k self,
        jwt: &'j Unverified<'j>,
        typ: &str,
    ) -> Result<Verified<'j, 'k>, NotSigned> {
        let header: Header = jwt.header()?;
        if !is_type(&header.typ, typ) {
            return Err(NotSigned::Type);
        }
        if header.crit.is_some() {
            return Err(NotSigned::Critical);
        }
        let key = self.keys.iter().find(|key| key.kid == header.kid);
        let key = key.ok_or(NotSigned::UnknownKey)?;
        if key.algorithm != header.alg {
            return Err(NotSigned::Algorithm);
        }
        key.key.verify(key.algorithm, jwt.signed, &jwt.signature)?;
        Ok(Verified { jwt, key })
    }
}

impl<'k> Verified<'_, 'k> {
    /// Returns the key that signed it.
    pub fn key(&self) -> &'k VerifyingKey {
        self.key
    }

    /// Reads the payload.
    ///
    /// # Errors
    /// If it does not read as a `T`.
    pub fn payload<T: serde::de::DeserializeOwned>(&self) -> Result<T, Malformed> {
        self.jwt.payload()
    }
}

/// Returns whether a media type in a header is this one. Case does not matter, and `application/` may be left out (RFC
/// 7515 section 4.1.9).
fn is_type(given: &str, wanted: &str) -> bool {
    const PREFIX: &str = "application/";
    let short = match given.split_at_checked(PREFIX.len()) {
        Some((start, rest)) if start.eq_ignore_ascii_case(PREFIX) => rest,
        _ => given,
    };
    short.eq_ignore_ascii_case(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::{SigningAlgorithm, SigningKey};

    #[test]
    fn a_set_that_is_written_is_read() {
        let keys = SigningAlgorithm::ALL
            .map(|algorithm| SigningKey::derive(&[5; 32], algorithm).unwrap().public().clone());
        let set = KeySet::new(keys);
        let json = serde_json::to_vec(&set).unwrap();
        assert_eq!(KeySet::parse(&json).unwrap(), set);
    }

    #[test]
    fn a_key_for_something_else_is_left_out_and_a_secret_is_refused() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let set = |members: &str| {
            let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{members}}}"#);
            KeySet::parse(format!(r#"{{"keys":[{jwk}]}}"#).as_bytes()).map(|set| set.keys.len())
        };
        assert_eq!(set(r#","alg":"EdDSA","kid":"a""#), Ok(1));
        assert_eq!(set(r#","alg":"EdDSA""#), Ok(0), "no name");
        assert_eq!(set(r#","kid":"a""#), Ok(0), "no algorithm");
        assert_eq!(set(r#","alg":"HS256","kid":"a""#), Ok(0));
        assert_eq!(set(r#","alg":"ES256","kid":"a""#), Ok(0));
        assert_eq!(set(r#","alg":"EdDSA","kid":"a","use":"enc""#), Ok(0));
        assert_eq!(set(r#","alg":"EdDSA","kid":"a","d":"AAAA""#), Err(BadKey::Private));
        assert_eq!(KeySet::parse(b"[]"), Err(BadKey::Malformed));
        let many = format!(r#"{{"keys":[{}]}}"#, vec!["{}"; MAX_KEYS + 1].join(","));
        assert_eq!(KeySet::parse(many.as_bytes()), Err(BadKey::Malformed));
    }

    #[test]
    fn a_type_may_have_its_prefix_and_any_case() {
        for given in ["at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"] {
            assert!(is_type(given, "at+jwt"), "{given}");
        }
        for given in ["", "JWT", "at+jwt ", "text/at+jwt", "application/application/at+jwt"] {
            assert!(!is_type(given, "at+jwt"), "{given}");
        }
    }
}
