//! Public keys: read from a JWK (RFC 7517), named by their thumbprint (RFC 7638), asked about a signature.

use aws_lc_rs::digest;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_FIXED, ECDSA_P384_SHA384_FIXED, ED25519,
    RSA_PKCS1_2048_8192_SHA256, RSA_PSS_2048_8192_SHA256, RsaPublicKeyComponents,
    UnparsedPublicKey, VerificationAlgorithm,
};
use base64ct::{Base64, Base64UrlUnpadded, Encoding as _};
use serde::Deserialize;
use serde::de::IgnoredAny;

/// The algorithms of a signature that are accepted (RFC 7518 section 3.1, RFC 8037, RFC 9864).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519, by its older name `EdDSA` or the newer one.
    #[serde(rename = "EdDSA", alias = "Ed25519")]
    EdDsa,
    /// RSA-PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA in the form of PKCS #1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// Returns the name that is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::EdDsa => "EdDSA",
            Self::Ps256 => "PS256",
            Self::Rs256 => "RS256",
        }
    }

    /// All names of algorithms that are accepted, the best first.
    pub const NAMES: [&'static str; 6] = ["ES256", "EdDSA", "Ed25519", "ES384", "PS256", "RS256"];
}

/// The beginning of a key on P-256 in DER (RFC 5480 section 2). Its point follows.
const P256_HEAD: [u8; 27] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00, 0x04,
];

/// The range of the size of an RSA key, in bytes: 2,048 to 4,096 bits.
const RSA_BYTES: std::ops::RangeInclusive<usize> = 256..=512;

/// A public key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PublicKey(Parts);

/// The numbers of a key, as bytes.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Parts {
    P256 { x: [u8; 32], y: [u8; 32] },
    P384 { x: [u8; 48], y: [u8; 48] },
    Ed25519 { x: [u8; 32] },
    Rsa { n: Vec<u8>, e: Vec<u8> },
}

/// Why a JWK is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BadKey {
    /// The type or the curve of the key is not one of those that are accepted.
    #[error("the type of the key is not supported")]
    Unsupported,
    /// A part of the key is missing, has another length, or is not base64url.
    #[error("the key is malformed")]
    Malformed,
    /// The JWK contains a private or a symmetric key.
    #[error("the JWK contains a secret: send the public key alone")]
    Private,
    /// The JWK says that the key is for something else, or for another algorithm.
    #[error("the key is not for signatures with this algorithm")]
    OtherUse,
}

/// The error for a signature that is not by the key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the signature is not valid")]
pub struct BadSignature;

/// The members of a JWK that are looked at.
#[derive(Deserialize)]
pub(crate) struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    n: Option<String>,
    e: Option<String>,
    pub(crate) alg: Option<String>,
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

impl Jwk {
    fn has_secret(&self) -> bool {
        let Self { d, p, q, dp, dq, qi, oth, k, .. } = self;
        [d, p, q, dp, dq, qi, oth, k].into_iter().any(Option::is_some)
    }

    /// Returns the key, for signatures with this algorithm.
    pub(crate) fn key_for(&self, algorithm: Algorithm) -> Result<PublicKey, BadKey> {
        if self.has_secret() {
            return Err(BadKey::Private);
        }
        let is_for = |named: &str| {
            serde_json::from_value::<Algorithm>(named.into()).is_ok_and(|named| named == algorithm)
        };
        if self.alg.as_deref().is_some_and(|named| !is_for(named))
            || self.r#use.as_deref().is_some_and(|named| named != "sig")
        {
            return Err(BadKey::OtherUse);
        }
        let parts = match (self.kty.as_str(), self.crv.as_deref()) {
            ("EC", Some("P-256")) => Parts::P256 { x: sized(&self.x)?, y: sized(&self.y)? },
            ("EC", Some("P-384")) => Parts::P384 { x: sized(&self.x)?, y: sized(&self.y)? },
            ("OKP", Some("Ed25519")) => Parts::Ed25519 { x: sized(&self.x)? },
            ("RSA", None) => Parts::Rsa { n: number(&self.n)?, e: number(&self.e)? },
            _ => return Err(BadKey::Unsupported),
        };
        if let Parts::Rsa { n, e } = &parts
            && !(RSA_BYTES.contains(&n.len()) && e.len() <= 4)
        {
            return Err(BadKey::Unsupported);
        }
        let key = PublicKey(parts);
        if key.fits(algorithm) { Ok(key) } else { Err(BadKey::OtherUse) }
    }
}

fn decoded(text: Option<&String>) -> Result<Vec<u8>, BadKey> {
    let text = text.ok_or(BadKey::Malformed)?;
    Base64UrlUnpadded::decode_vec(text).map_err(|_| BadKey::Malformed)
}

fn sized<const N: usize>(text: &Option<String>) -> Result<[u8; N], BadKey> {
    decoded(text.as_ref())?.try_into().map_err(|_| BadKey::Malformed)
}

/// Reads a number. It has no leading zero (RFC 7518 section 2), so that a key has one thumbprint.
fn number(text: &Option<String>) -> Result<Vec<u8>, BadKey> {
    let bytes = decoded(text.as_ref())?;
    match bytes.first() {
        None | Some(0) => Err(BadKey::Malformed),
        Some(_) => Ok(bytes),
    }
}

impl PublicKey {
    /// Reads a key on P-256 in PEM (RFC 7468 section 13), as others publish theirs.
    ///
    /// # Errors
    /// If the text is not PEM, or has a key of another kind.
    pub fn p256_from_pem(pem: &str) -> Result<Self, BadKey> {
        let body = || {
            let (_, rest) = pem.split_once("-----BEGIN PUBLIC KEY-----")?;
            rest.split_once("-----END PUBLIC KEY-----")
        };
        let (encoded, _) = body().ok_or(BadKey::Malformed)?;
        let encoded: String = encoded.split_ascii_whitespace().collect();
        let der = Base64::decode_vec(&encoded).map_err(|_| BadKey::Malformed)?;
        let point = der.strip_prefix(&P256_HEAD).ok_or(BadKey::Unsupported)?;
        let (x, y) = point.split_at_checked(32).ok_or(BadKey::Malformed)?;
        let number = |bytes: &[u8]| bytes.try_into().map_err(|_| BadKey::Malformed);
        Ok(Self(Parts::P256 { x: number(x)?, y: number(y)? }))
    }

    /// Verifies a signature on P-256 with SHA-256 in DER, as it is used outside of JWTs.
    ///
    /// # Errors
    /// If the signature is not by this key, or the key is not on P-256.
    pub fn verify_der(&self, signed: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let Parts::P256 { x, y } = &self.0 else { return Err(BadSignature) };
        let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point(x, y));
        key.verify(signed, signature).map_err(|_| BadSignature)
    }

    /// Returns the key on P-256 whose point is written without compression (SEC 1 section 2.3.3).
    pub(crate) fn p256_of_point(point: &[u8]) -> Option<Self> {
        let (x, y) = point.strip_prefix(&[4])?.split_at_checked(32)?;
        Some(Self(Parts::P256 { x: x.try_into().ok()?, y: y.try_into().ok()? }))
    }

    /// Returns the key for Ed25519 with these bytes.
    pub(crate) fn ed25519_of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Parts::Ed25519 { x: bytes.try_into().ok()? }))
    }

    /// Returns the members of a JWK that are the key itself, by name.
    pub(crate) fn jwk_members(&self) -> Vec<(&'static str, String)> {
        let text = Base64UrlUnpadded::encode_string;
        let named = |name: &str| name.to_owned();
        match &self.0 {
            Parts::P256 { x, y } => {
                vec![("kty", named("EC")), ("crv", named("P-256")), ("x", text(x)), ("y", text(y))]
            }
            Parts::P384 { x, y } => {
                vec![("kty", named("EC")), ("crv", named("P-384")), ("x", text(x)), ("y", text(y))]
            }
            Parts::Ed25519 { x } => {
                vec![("kty", named("OKP")), ("crv", named("Ed25519")), ("x", text(x))]
            }
            Parts::Rsa { n, e } => {
                vec![("kty", named("RSA")), ("n", text(n)), ("e", text(e))]
            }
        }
    }

    fn fits(&self, algorithm: Algorithm) -> bool {
        matches!(
            (&self.0, algorithm),
            (Parts::P256 { .. }, Algorithm::Es256)
                | (Parts::P384 { .. }, Algorithm::Es384)
                | (Parts::Ed25519 { .. }, Algorithm::EdDsa)
                | (Parts::Rsa { .. }, Algorithm::Ps256 | Algorithm::Rs256)
        )
    }

    /// Returns the SHA-256 thumbprint of the key in base64url (RFC 7638).
    pub fn thumbprint(&self) -> String {
        let text = Base64UrlUnpadded::encode_string;
        let members = match &self.0 {
            Parts::P256 { x, y } => return thumbprint_p256(&text(x), &text(y)),
            Parts::P384 { x, y } => {
                format!(r#"{{"crv":"P-384","kty":"EC","x":"{}","y":"{}"}}"#, text(x), text(y))
            }
            Parts::Ed25519 { x } => {
                format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{}"}}"#, text(x))
            }
            Parts::Rsa { n, e } => {
                format!(r#"{{"e":"{}","kty":"RSA","n":"{}"}}"#, text(e), text(n))
            }
        };
        thumbprint_of(&members)
    }

    /// Verifies a signature.
    ///
    /// # Errors
    /// If the signature is not by this key, or the algorithm is not for keys of this type.
    pub fn verify(
        &self,
        algorithm: Algorithm,
        signed: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let by: (&dyn VerificationAlgorithm, Vec<u8>) = match (&self.0, algorithm) {
            (Parts::P256 { x, y }, Algorithm::Es256) => (&ECDSA_P256_SHA256_FIXED, point(x, y)),
            (Parts::P384 { x, y }, Algorithm::Es384) => (&ECDSA_P384_SHA384_FIXED, point(x, y)),
            (Parts::Ed25519 { x }, Algorithm::EdDsa) => (&ED25519, x.to_vec()),
            (Parts::Rsa { n, e }, Algorithm::Ps256) => {
                let key = RsaPublicKeyComponents { n, e };
                let verified = key.verify(&RSA_PSS_2048_8192_SHA256, signed, signature);
                return verified.map_err(|_| BadSignature);
            }
            (Parts::Rsa { n, e }, Algorithm::Rs256) => {
                let key = RsaPublicKeyComponents { n, e };
                let verified = key.verify(&RSA_PKCS1_2048_8192_SHA256, signed, signature);
                return verified.map_err(|_| BadSignature);
            }
            _ => return Err(BadSignature),
        };
        let (algorithm, key) = by;
        let key = UnparsedPublicKey::new(algorithm, key);
        key.verify(signed, signature).map_err(|_| BadSignature)
    }
}

/// Returns a point without compression (SEC 1 section 2.3.3).
fn point(x: &[u8], y: &[u8]) -> Vec<u8> {
    [&[4], x, y].concat()
}

/// Returns the thumbprint of a key on P-256, from its numbers in base64url.
pub(crate) fn thumbprint_p256(x: &str, y: &str) -> String {
    thumbprint_of(&format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#))
}

/// Returns the digest of the members that name a key, in the order of RFC 7638 section 3.
fn thumbprint_of(members: &str) -> String {
    let digest = digest::digest(&digest::SHA256, members.as_bytes());
    Base64UrlUnpadded::encode_string(digest.as_ref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(jwk: &str, algorithm: Algorithm) -> Result<PublicKey, BadKey> {
        serde_json::from_str::<Jwk>(jwk).map_err(|_| BadKey::Malformed)?.key_for(algorithm)
    }

    /// The example of RFC 7638 section 3.1.
    #[test]
    fn the_thumbprint_is_that_of_rfc_7638() {
        let jwk = r#"{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#;
        let expected = "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs";
        assert_eq!(key(jwk, Algorithm::Rs256).unwrap().thumbprint(), expected);
        assert_eq!(key(jwk, Algorithm::Ps256), Err(BadKey::OtherUse), "alg names the other one");
    }

    /// The example of RFC 8037 appendix A.3.
    #[test]
    fn the_thumbprint_is_that_of_rfc_8037() {
        let jwk =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let expected = "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k";
        assert_eq!(key(jwk, Algorithm::EdDsa).unwrap().thumbprint(), expected);
    }

    /// The examples of RFC 7515 appendix A.3 and RFC 8037 appendix A.4.
    #[test]
    fn the_signatures_of_rfc_7515_and_rfc_8037_are_valid() {
        let es256 = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
        let ed25519 =
            r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
        let examples = [
            (
                es256,
                Algorithm::Es256,
                "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
            ),
            (
                ed25519,
                Algorithm::EdDsa,
                "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
            ),
        ];
        for (jwk, algorithm, jws) in examples {
            let (signed, signature) = jws.rsplit_once('.').unwrap();
            let signature = Base64UrlUnpadded::decode_vec(signature).unwrap();
            let key = key(jwk, algorithm).unwrap();
            assert!(key.verify(algorithm, signed.as_bytes(), &signature).is_ok(), "{algorithm:?}");
            let changed = signed.replacen("eyJ", "eyK", 1);
            assert!(key.verify(algorithm, changed.as_bytes(), &signature).is_err());
        }
    }

    #[test]
    fn a_key_that_is_private_or_for_something_else_is_refused() {
        let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
        let ed = |more: &str| format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"{more}}}"#);
        let cases = [
            (ed(r#","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A""#), BadKey::Private),
            (ed(r#","use":"enc""#), BadKey::OtherUse),
            (ed(r#","alg":"ES256""#), BadKey::OtherUse),
            (format!(r#"{{"kty":"oct","k":"{x}"}}"#), BadKey::Private),
            (format!(r#"{{"kty":"EC","crv":"P-521","x":"{x}","y":"{x}"}}"#), BadKey::Unsupported),
            (format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}"}}"#), BadKey::Malformed),
            (r#"{"kty":"OKP","crv":"Ed25519","x":"AAAA"}"#.to_owned(), BadKey::Malformed),
            (r#"{"kty":"RSA","n":"qqqq","e":"AQAB"}"#.to_owned(), BadKey::Unsupported),
        ];
        for (jwk, expected) in cases {
            assert_eq!(key(&jwk, Algorithm::EdDsa), Err(expected), "{jwk}");
        }
        assert_eq!(key(&ed(""), Algorithm::Es256), Err(BadKey::OtherUse));
    }

    #[test]
    fn a_key_in_pem_verifies_what_its_owner_signed() {
        use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
        use aws_lc_rs::rand::SystemRandom;
        use aws_lc_rs::signature::{
            ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair,
            KeyPair as _,
        };
        let pem = |pair: &EcdsaKeyPair| {
            let der: PublicKeyX509Der<'_> = pair.public_key().as_der().unwrap();
            let text = Base64::encode_string(der.as_ref());
            let (first, rest) = text.split_at(64);
            format!("-----BEGIN PUBLIC KEY-----\n{first}\n{rest}\n-----END PUBLIC KEY-----\n")
        };
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let key = PublicKey::p256_from_pem(&pem(&pair)).unwrap();
        let signature = pair.sign(&SystemRandom::new(), b"body").unwrap();
        assert_eq!(key.verify_der(b"body", signature.as_ref()), Ok(()));
        assert_eq!(key.verify_der(b"bodies", signature.as_ref()), Err(BadSignature));
        assert_eq!(key.verify_der(b"body", b""), Err(BadSignature));
        let other = EcdsaKeyPair::generate(&ECDSA_P384_SHA384_ASN1_SIGNING).unwrap();
        assert_eq!(PublicKey::p256_from_pem(&pem(&other)), Err(BadKey::Unsupported));
        for text in
            ["", "x", &pem(&pair)[..80], "-----BEGIN PUBLIC KEY----------END PUBLIC KEY-----"]
        {
            assert!(PublicKey::p256_from_pem(text).is_err(), "{text}");
        }
    }

    #[test]
    fn no_algorithm_is_symmetric_or_none() {
        for name in ["none", "None", "HS256", "HS384", "HS512", "es256", ""] {
            assert!(serde_json::from_value::<Algorithm>(name.into()).is_err(), "{name}");
        }
        for name in Algorithm::NAMES {
            assert!(serde_json::from_value::<Algorithm>(name.into()).is_ok(), "{name}");
        }
    }
}
