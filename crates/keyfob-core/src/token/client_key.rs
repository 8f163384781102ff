//! The public key by which a client authenticates.

mod pem;

use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer, Serialize};
use sha2::{Digest as _, Sha256};

use self::pem::PemKey;
use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::text::ClaimText;

/// The public key by which a client authenticates (RFC 7523 section 2.2): a JWK (RFC 7517).
///
/// The key is for one algorithm. That of a key on an elliptic curve follows from the curve: ES256, ES384 or EdDSA. An RSA
/// key has to name its own: RS256 or PS256. `kid` is not kept, as the key is named by the token that has it.
///
/// ```
/// use keyfob::token::ClientKey;
///
/// let jwk = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
/// let key = ClientKey::from_json(jwk)?;
/// assert_eq!(key.algorithm(), "EdDSA");
/// assert_eq!(key.thumbprint().as_str(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
/// assert!(ClientKey::from_json(&jwk.replace("}", r#","d":"c2VjcmV0"}"#)).is_err());
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
pub struct ClientKey(Box<Members>);

/// The members of a JWK that are kept, in a form that a key has only one of.
#[derive(Clone, PartialEq, Eq, Debug, Serialize)]
struct Members {
    kty: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    crv: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    x: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    y: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    n: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    e: Option<String>,
    alg: &'static str,
}

/// A JWK as somebody gives it.
#[derive(Default, Deserialize)]
struct Given {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    alg: Option<String>,
    r#use: Option<String>,
    // A private or a symmetric key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4.1).
    d: Option<IgnoredAny>,
    p: Option<IgnoredAny>,
    q: Option<IgnoredAny>,
    dp: Option<IgnoredAny>,
    dq: Option<IgnoredAny>,
    qi: Option<IgnoredAny>,
    oth: Option<IgnoredAny>,
    k: Option<IgnoredAny>,
}

/// The range of the size of an RSA key, in bytes: 2,048 to 4,096 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

impl ClientKey {
    /// The maximum length of a key as JSON, in bytes.
    pub const MAX_BYTES: usize = 4 * 1024;

    /// Reads a JWK. Members that say nothing of the key are left out.
    ///
    /// # Errors
    /// If the text is no JWK, has a secret, or the key is not for one of the algorithms.
    pub fn from_json(json: &str) -> Result<Self, InvalidValue> {
        if json.len() > Self::MAX_BYTES {
            return Err(invalid(InvalidReason::TooLong { max: Self::MAX_BYTES }));
        }
        Self::of(serde_json::from_str(json).map_err(|_| malformed())?)
    }

    /// Reads a public key in PEM (RFC 7468 section 13), as `openssl pkey -pubout` writes it. An RSA key is for RS256.
    ///
    /// # Errors
    /// If the text is no public key in PEM, or the key is not for one of the algorithms.
    pub fn from_pem(pem: &str) -> Result<Self, InvalidValue> {
        if pem.len() > Self::MAX_BYTES {
            return Err(invalid(InvalidReason::TooLong { max: Self::MAX_BYTES }));
        }
        if pem.contains("PRIVATE KEY-----") {
            return refused("it contains a secret: give the public key alone");
        }
        let expected = "a public key in PEM, as openssl pkey -pubout writes it";
        let read = pem::read(pem).ok_or(invalid(InvalidReason::Malformed { expected }))?;
        Self::of(read.into())
    }

    fn of(given: Given) -> Result<Self, InvalidValue> {
        if given.has_secret() {
            return refused("it contains a secret: give the public key alone");
        }
        if given.r#use.as_deref().is_some_and(|named| named != "sig") {
            return refused("it is not for signatures");
        }
        let sized = |text: &Option<String>, size| number(text, |bytes| bytes.len() == size);
        let named = given.alg.as_deref();
        let curve = |crv, size, alg| -> Result<Members, InvalidValue> {
            let (x, y) = (Some(sized(&given.x, size)?), Some(sized(&given.y, size)?));
            Ok(Members { kty: "EC", crv: Some(crv), x, y, n: None, e: None, alg })
        };
        let members = match (&*given.kty, given.crv.as_deref(), named) {
            ("EC", Some("P-256"), None | Some("ES256")) => curve("P-256", 32, "ES256")?,
            ("EC", Some("P-384"), None | Some("ES384")) => curve("P-384", 48, "ES384")?,
            ("OKP", Some("Ed25519"), None | Some("EdDSA" | "Ed25519")) => {
                let x = Some(sized(&given.x, 32)?);
                let (crv, y, n, e) = (Some("Ed25519"), None, None, None);
                Members { kty: "OKP", crv, x, y, n, e, alg: "EdDSA" }
            }
            ("RSA", None, Some(named @ ("RS256" | "PS256"))) => {
                // Numbers have no leading zero (RFC 7518 section 2), so that a key has one thumbprint.
                let is_number = |bytes: &[u8]| bytes.first().is_some_and(|first| *first != 0);
                let is_modulus =
                    |bytes: &[u8]| is_number(bytes) && RSA_BYTES.contains(&bytes.len());
                let n = Some(number(&given.n, is_modulus)?);
                let e = Some(number(&given.e, |bytes| is_number(bytes) && bytes.len() <= 4)?);
                let alg = if named == "RS256" { "RS256" } else { "PS256" };
                Members { kty: "RSA", crv: None, x: None, y: None, n, e, alg }
            }
            ("RSA", None, None) => return refused("an RSA key needs alg: RS256 or PS256"),
            _ => return refused("it is not for ES256, ES384, EdDSA, PS256 or RS256"),
        };
        Ok(Self(Box::new(members)))
    }

    /// Returns the name of the algorithm that the key is for.
    pub fn algorithm(&self) -> &'static str {
        self.0.alg
    }

    /// Returns the key as JSON. A key has one form.
    pub fn to_json(&self) -> String {
        // An object of texts can always be written.
        serde_json::to_string(&self.0).unwrap_or_default()
    }

    /// Returns the SHA-256 thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> ClaimText {
        let Members { kty, crv, x, y, n, e, .. } = &*self.0;
        let members = [
            ("crv", *crv),
            ("e", e.as_deref()),
            ("kty", Some(*kty)),
            ("n", n.as_deref()),
            ("x", x.as_deref()),
            ("y", y.as_deref()),
        ];
        let members = members.into_iter().filter_map(|(name, value)| Some((name, value?)));
        let members: Vec<_> =
            members.map(|(name, value)| format!(r#""{name}":"{value}""#)).collect();
        ClaimText::of_digest(&Sha256::digest(format!("{{{}}}", members.join(","))).into())
    }
}

impl From<PemKey> for Given {
    fn from(key: PemKey) -> Self {
        let named = |name: &str| Some(name.to_owned());
        let given = |kty: &str| Self { kty: kty.to_owned(), ..Self::default() };
        match key {
            PemKey::Ec { crv, x, y } => {
                Self { crv: named(crv), x: Some(x), y: Some(y), ..given("EC") }
            }
            PemKey::Ed25519 { x } => Self { crv: named("Ed25519"), x: Some(x), ..given("OKP") },
            PemKey::Rsa { n, e } => {
                Self { n: Some(n), e: Some(e), alg: named("RS256"), ..given("RSA") }
            }
        }
    }
}

impl Given {
    fn has_secret(&self) -> bool {
        let Self { d, p, q, dp, dq, qi, oth, k, .. } = self;
        [d, p, q, dp, dq, qi, oth, k].into_iter().any(Option::is_some)
    }
}

/// Returns a number in base64url again, as there may be several texts for the same bytes.
fn number(text: &Option<String>, fits: impl FnOnce(&[u8]) -> bool) -> Result<String, InvalidValue> {
    let bytes = text.as_ref().and_then(|text| Base64UrlUnpadded::decode_vec(text).ok());
    let bytes = bytes.filter(|bytes| fits(bytes)).ok_or_else(malformed)?;
    Ok(Base64UrlUnpadded::encode_string(&bytes))
}

fn invalid(reason: InvalidReason) -> InvalidValue {
    InvalidValue::new(Field::ClientKey, reason)
}

fn malformed() -> InvalidValue {
    let expected = r#"a public key as a JWK, such as {"kty":"EC","crv":"P-256","x":"…","y":"…"}"#;
    invalid(InvalidReason::Malformed { expected })
}

fn refused<T>(rule: &'static str) -> Result<T, InvalidValue> {
    Err(invalid(InvalidReason::Contradiction { rule }))
}

impl<'de> Deserialize<'de> for ClientKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::of(Given::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl<C> minicbor::Encode<C> for ClientKey {
    fn encode<W: minicbor::encode::Write>(
        &self,
        encoder: &mut minicbor::Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        encoder.str(&self.to_json())?.ok()
    }
}

impl<'b, C> minicbor::Decode<'b, C> for ClientKey {
    fn decode(
        decoder: &mut minicbor::Decoder<'b>,
        _: &mut C,
    ) -> Result<Self, minicbor::decode::Error> {
        Self::from_json(decoder.str()?).map_err(minicbor::decode::Error::custom)
    }
}

#[cfg(test)]
mod tests;
