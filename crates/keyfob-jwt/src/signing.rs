//! Private keys that sign JWTs, and what they sign.
//!
//! A key is a function of a seed, so it can be derived from a secret that is kept elsewhere, and is the same on every
//! node. It is named by its thumbprint (RFC 7638).

use std::fmt;

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _,
};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use serde::Serialize;
use zeroize::Zeroizing;

use crate::key::{Algorithm, PublicKey};
use crate::key_set::VerifyingKey;

/// The algorithms that this crate signs with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SigningAlgorithm {
    /// ECDSA on P-256 with SHA-256. Every library for JWTs knows it.
    #[default]
    Es256,
    /// Ed25519. It is faster, and its signatures have no random part.
    EdDsa,
}

/// A private key. It is wiped when dropped, and `Debug` shows its name alone.
pub struct SigningKey {
    pair: Pair,
    public: VerifyingKey,
}

enum Pair {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

/// The error if a key cannot be made or used: the machine gives no random numbers, or the cryptography library fails.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the JWT cannot be signed: the cryptography library failed")]
pub struct CannotSign;

/// How many candidates are tried for the number of a key on P-256. One in 2³² is not a key.
const MAX_CANDIDATES: u8 = 8;

impl SigningAlgorithm {
    /// Both of them.
    pub const ALL: [Self; 2] = [Self::Es256, Self::EdDsa];

    /// Returns the name in the header of a JWT.
    pub const fn as_str(self) -> &'static str {
        self.algorithm().as_str()
    }

    /// Returns the algorithm by which a signature is verified.
    pub const fn algorithm(self) -> Algorithm {
        match self {
            Self::Es256 => Algorithm::Es256,
            Self::EdDsa => Algorithm::EdDsa,
        }
    }
}

impl SigningKey {
    /// Returns the key that a seed determines. Keys of the two algorithms tell nothing about each other.
    ///
    /// # Errors
    /// If the cryptography library fails.
    pub fn derive(seed: &[u8; 32], algorithm: SigningAlgorithm) -> Result<Self, CannotSign> {
        let (pair, public) = match algorithm {
            SigningAlgorithm::Es256 => p256(seed)?,
            SigningAlgorithm::EdDsa => {
                let pair = Ed25519KeyPair::from_seed_unchecked(&*candidate(seed, "Ed25519", 0));
                let pair = pair.map_err(|_| CannotSign)?;
                let public = PublicKey::ed25519_of_bytes(pair.public_key().as_ref());
                (Pair::Ed25519(pair), public.ok_or(CannotSign)?)
            }
        };
        Ok(Self { pair, public: VerifyingKey::new(public, algorithm.algorithm()) })
    }

    /// Returns its name: the thumbprint of the public key.
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// Returns the public key.
    pub fn public(&self) -> &VerifyingKey {
        &self.public
    }

    /// Signs a JWT of this type. The claims serialize to a JSON object.
    ///
    /// # Errors
    /// If the claims cannot be written, or the cryptography library fails.
    pub fn sign<T: Serialize + ?Sized>(&self, typ: &str, claims: &T) -> Result<String, CannotSign> {
        let header = Header { alg: self.public.algorithm().as_str(), typ, kid: self.kid() };
        let header = serde_json::to_vec(&header).map_err(|_| CannotSign)?;
        let claims = serde_json::to_vec(claims).map_err(|_| CannotSign)?;
        self.sign_compact(&header, &claims)
    }

    /// Signs a header and a payload as they are, in the compact form (RFC 7515 section 7.1).
    ///
    /// # Errors
    /// If the cryptography library fails.
    pub fn sign_compact(&self, header: &[u8], payload: &[u8]) -> Result<String, CannotSign> {
        let part = Base64UrlUnpadded::encode_string;
        let signed = format!("{}.{}", part(header), part(payload));
        let signature = match &self.pair {
            Pair::P256(pair) => pair.sign(&SystemRandom::new(), signed.as_bytes()),
            Pair::Ed25519(pair) => pair.try_sign(signed.as_bytes()),
        };
        let signature = signature.map_err(|_| CannotSign)?;
        Ok(format!("{signed}.{}", part(signature.as_ref())))
    }
}

/// For the tests and the fuzz targets of this crate.
impl SigningKey {
    /// Signs any header and claims.
    #[cfg(test)]
    pub(crate) fn sign_parts(
        &self,
        header: &serde_json::Value,
        claims: &serde_json::Value,
    ) -> String {
        let bytes = |value: &serde_json::Value| value.to_string().into_bytes();
        self.sign_compact(&bytes(header), &bytes(claims)).unwrap_or_default()
    }

    /// Signs any bytes as header and payload.
    pub(crate) fn sign_any(&self, header: &[u8], payload: &[u8]) -> String {
        self.sign_compact(header, payload).unwrap_or_default()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [redacted])", self.kid())
    }
}

#[derive(Serialize)]
struct Header<'a> {
    alg: &'static str,
    typ: &'a str,
    kid: &'a str,
}

/// Returns a number below the order of P-256 as a key. A number that is too large, or zero, makes room for the next.
fn p256(seed: &[u8; 32]) -> Result<(Pair, PublicKey), CannotSign> {
    let made = |number: &[u8; 32]| {
        let point = PrivateKey::from_private_key(&ECDH_P256, number).ok()?.compute_public_key();
        let point = point.ok()?;
        let (signing, point) = (&ECDSA_P256_SHA256_FIXED_SIGNING, point.as_ref());
        let pair = EcdsaKeyPair::from_private_key_and_public_key(signing, number, point).ok()?;
        Some((Pair::P256(pair), PublicKey::p256_of_point(point)?))
    };
    let mut numbers = (0..MAX_CANDIDATES).map(|number| candidate(seed, "P-256", number));
    numbers.find_map(|number| made(&number)).ok_or(CannotSign)
}

/// Returns bytes that the seed determines, others for each curve and each number.
fn candidate(seed: &[u8; 32], curve: &str, number: u8) -> Zeroizing<[u8; 32]> {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, seed));
    context.update(b"keyfob signing key ");
    context.update(curve.as_bytes());
    context.update(&[0, number]);
    let mut bytes = Zeroizing::new([0; 32]);
    bytes.copy_from_slice(context.sign().as_ref());
    bytes
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::jws::Unverified;
    use crate::key_set::KeySet;

    #[test]
    fn a_seed_determines_a_key_and_another_seed_another_one() {
        for algorithm in SigningAlgorithm::ALL {
            let of = |seed: u8| SigningKey::derive(&[seed; 32], algorithm).unwrap();
            assert_eq!(of(1).kid(), of(1).kid());
            assert_ne!(of(1).kid(), of(2).kid());
            assert_eq!(of(1).kid().len(), 43);
            assert!(!format!("{:?}", of(1)).contains("seed"));
        }
    }

    /// Nodes of other versions have to derive the same keys.
    #[test]
    fn the_keys_of_a_seed_never_change() {
        let kid = |algorithm| SigningKey::derive(&[7; 32], algorithm).unwrap().kid().to_owned();
        assert_eq!(kid(SigningAlgorithm::Es256), "BqNUUjdJvAl7hNsVKV1J7QqGW_mk_GmO0Fg4rHGB8SY");
        assert_eq!(kid(SigningAlgorithm::EdDsa), "PPZentwS_hM5ZX13vWrwiFtEkFEB11SGZoa7-4_1zdM");
    }

    #[test]
    fn a_signed_text_is_verified_by_the_public_key_alone() {
        for algorithm in SigningAlgorithm::ALL {
            let key = SigningKey::derive(&[3; 32], algorithm).unwrap();
            let text = key.sign("test+jwt", &json!({ "a": 1 })).unwrap();
            let set = KeySet::new([key.public().clone()]);
            let jwt = Unverified::parse(&text).unwrap();
            let payload: serde_json::Value =
                set.verified(&jwt, "test+jwt").unwrap().payload().unwrap();
            assert_eq!(payload, json!({ "a": 1 }));
        }
    }
}
