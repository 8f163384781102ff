//! The side of the client: a key, and the proofs that it signs.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use aws_lc_rs::{digest, error::Unspecified};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use keyfob_core::text::ClaimText;
use keyfob_core::time::Timestamp;
use keyfob_core::token::Confirmation;
use serde_json::json;

use super::proof::ProofRequest;
use crate::key::thumbprint_p256;

/// A private key of a client, on P-256. It never leaves the process. `Debug` shows the public part.
///
/// ```
/// use keyfob_core::time::Timestamp;
/// use keyfob_jwt::dpop::{ProofKey, ProofPolicy, ProofRequest, TargetUri, verify};
///
/// let key = ProofKey::generate()?;
/// let uri: TargetUri = "https://example.org/orders".parse()?;
/// let request = ProofRequest { method: "GET", uri: &uri, access_token: Some("fob_at_…") };
/// let now = Timestamp::from_secs(1_700_000_000);
/// let proof = key.sign(&request, "a-jti-of-your-own", None, now)?;
/// let verified = verify(&proof, &request, &ProofPolicy::default(), now)?;
/// assert_eq!(verified.key, key.confirmation());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct ProofKey {
    pair: EcdsaKeyPair,
    pub(crate) x: String,
    pub(crate) y: String,
    thumbprint: ClaimText,
}

/// The error if the machine gives no random numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the machine gives no random numbers")]
pub struct NoRandom;

impl From<Unspecified> for NoRandom {
    fn from(_: Unspecified) -> Self {
        Self
    }
}

impl ProofKey {
    /// Draws a key.
    ///
    /// # Errors
    /// If the machine gives no random numbers.
    pub fn generate() -> Result<Self, NoRandom> {
        let pair = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING)?;
        // One byte for the form of the point, then its two numbers.
        let point: &[u8; 65] = pair.public_key().as_ref().try_into().map_err(|_| NoRandom)?;
        let [x, y] = [&point[1..33], &point[33..]].map(Base64UrlUnpadded::encode_string);
        let thumbprint = thumbprint_p256(&x, &y);
        let thumbprint = ClaimText::try_from(thumbprint).map_err(|_| NoRandom)?;
        Ok(Self { pair, x, y, thumbprint })
    }

    /// Returns the public key, as a token that is bound to it names it.
    pub fn confirmation(&self) -> Confirmation {
        Confirmation::Jkt(self.thumbprint.clone())
    }

    /// Signs a proof for a request. The `jti` is used for no other proof. The nonce is the last one that the
    /// server sent.
    ///
    /// # Errors
    /// If the machine gives no random numbers.
    pub fn sign(
        &self,
        request: &ProofRequest<'_>,
        jti: &str,
        nonce: Option<&str>,
        now: Timestamp,
    ) -> Result<String, NoRandom> {
        let jwk = json!({ "kty": "EC", "crv": "P-256", "x": self.x, "y": self.y });
        let header = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": jwk });
        let mut payload = json!({
            "jti": jti,
            "htm": request.method,
            "htu": request.uri.as_str(),
            "iat": now.as_secs(),
        });
        if let Some(token) = request.access_token {
            let digest = digest::digest(&digest::SHA256, token.as_bytes());
            payload["ath"] = Base64UrlUnpadded::encode_string(digest.as_ref()).into();
        }
        if let Some(nonce) = nonce {
            payload["nonce"] = nonce.into();
        }
        self.sign_json(&header, &payload)
    }

    /// Signs any header and payload.
    fn sign_json(
        &self,
        header: &serde_json::Value,
        payload: &serde_json::Value,
    ) -> Result<String, NoRandom> {
        self.sign_parts(header.to_string().as_bytes(), payload.to_string().as_bytes())
    }

    /// Signs any bytes as header and payload.
    pub(crate) fn sign_parts(&self, header: &[u8], payload: &[u8]) -> Result<String, NoRandom> {
        let part = Base64UrlUnpadded::encode_string;
        let signed = format!("{}.{}", part(header), part(payload));
        let signature = self.pair.sign(&SystemRandom::new(), signed.as_bytes())?;
        Ok(format!("{signed}.{}", Base64UrlUnpadded::encode_string(signature.as_ref())))
    }
}

#[cfg(test)]
mod tests;
