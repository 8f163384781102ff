//! What a proof has to say, and whether it says that (RFC 9449 sections 4.2 and 4.3).

use aws_lc_rs::digest;
use base64ct::{Base64UrlUnpadded, Encoding as _};
use keyfob_core::text::ClaimText;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::Confirmation;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::uri::TargetUri;
use crate::jws::{Malformed, Object, Seconds, Unverified};
use crate::key::{Algorithm, BadKey, BadSignature, Jwk};

/// The type in the header of a proof.
const TYPE: &str = "dpop+jwt";
/// The maximum length of a `jti` in bytes.
const MAX_ID_BYTES: usize = 256;

/// The request that a proof came with.
#[derive(Clone, Copy, Debug)]
pub struct ProofRequest<'a> {
    /// The method.
    pub method: &'a str,
    /// The address.
    pub uri: &'a TargetUri,
    /// The access token that the request presents; none at the token endpoint.
    pub access_token: Option<&'a str>,
}

/// How old a proof may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ProofPolicy {
    /// How long a proof is accepted after it was made.
    pub max_age: Ttl,
    /// How much the clocks of the client and this server may differ.
    pub clock_skew: Ttl,
}

impl Default for ProofPolicy {
    /// One minute, and five seconds.
    fn default() -> Self {
        Self { max_age: Ttl::from_secs(60), clock_skew: Ttl::from_secs(5) }
    }
}

impl ProofPolicy {
    /// Returns for how long a proof can be accepted altogether, from its first use. Its id has to be remembered
    /// for as long.
    pub fn window(&self) -> Ttl {
        let millis = self.max_age.as_millis() + 2 * self.clock_skew.as_millis();
        Ttl::from_millis(millis).unwrap_or(self.max_age)
    }
}

/// A proof that is valid for its request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// The key that was proven, as a token names it.
    pub key: Confirmation,
    /// When the client made it, by its clock.
    pub made_at: Timestamp,
    /// A digest of the key and the `jti`. It may come once.
    pub id: [u8; 16],
    /// The nonce that it has.
    pub nonce: Option<String>,
}

impl Proof {
    /// Checks the age of the proof by another clock, such as that of a store.
    ///
    /// # Errors
    /// If it is too old, or was made in the future.
    pub fn check_age(&self, policy: &ProofPolicy, now: Timestamp) -> Result<(), BadProof> {
        check_age(self.made_at, policy, now)
    }
}

/// Why a proof is not valid. It holds no part of the proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadProof {
    /// The text is no signed JWT, or lacks something.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The type in the header is another one.
    #[error("the type of the JWT is not dpop+jwt")]
    Type,
    /// The header has `crit`, which nobody understands.
    #[error("the header has critical extensions")]
    Critical,
    /// The key in the header is refused.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The signature is not by that key.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// The `jti` is empty or too long.
    #[error("the jti is empty or too long")]
    Id,
    /// `htm` is another method.
    #[error("htm is not the method of the request")]
    Method,
    /// `htu` is another address.
    #[error("htu is not the address of the request")]
    Uri,
    /// `iat` is too long ago.
    #[error("the proof is too old")]
    TooOld,
    /// `iat` is in the future.
    #[error("the proof was made in the future")]
    InFuture,
    /// `ath` is missing, or belongs to another access token.
    #[error("ath is not the digest of the access token")]
    AccessToken,
}

impl BadProof {
    /// Returns the stable code of the error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Malformed(_) => "proof_malformed",
            Self::Type => "proof_type",
            Self::Critical => "proof_critical",
            Self::Key(_) => "proof_key",
            Self::Signature(_) => "proof_signature",
            Self::Id => "proof_id",
            Self::Method => "proof_method",
            Self::Uri => "proof_uri",
            Self::TooOld => "proof_too_old",
            Self::InFuture => "proof_in_future",
            Self::AccessToken => "proof_access_token",
        }
    }
}

#[derive(Deserialize)]
struct Header {
    typ: String,
    alg: Algorithm,
    jwk: Object<Jwk>,
    crit: Option<IgnoredAny>,
}

#[derive(Deserialize)]
struct Payload {
    jti: String,
    htm: String,
    htu: String,
    iat: Seconds,
    ath: Option<String>,
    nonce: Option<String>,
}

/// Returns what a proof proves, if it is valid for its request at this time.
///
/// # Errors
/// The first check of RFC 9449 section 4.3 that it does not pass. The signature comes last, because it costs
/// most.
pub fn verify(
    proof: &str,
    request: &ProofRequest<'_>,
    policy: &ProofPolicy,
    now: Timestamp,
) -> Result<Proof, BadProof> {
    let jwt = Unverified::parse(proof)?;
    let header: Header = jwt.header()?;
    // Media types are compared without regard to case (RFC 7515 section 4.1.9).
    if !header.typ.eq_ignore_ascii_case(TYPE) {
        return Err(BadProof::Type);
    }
    if header.crit.is_some() {
        return Err(BadProof::Critical);
    }
    let key = header.jwk.0.key_for(header.alg)?;
    let payload: Payload = jwt.payload()?;
    if payload.jti.is_empty() || payload.jti.len() > MAX_ID_BYTES {
        return Err(BadProof::Id);
    }
    if payload.htm != request.method {
        return Err(BadProof::Method);
    }
    if payload.htu.parse::<TargetUri>().ok().as_ref() != Some(request.uri) {
        return Err(BadProof::Uri);
    }
    let made_at = payload.iat.at().ok_or(Malformed::Payload)?;
    check_age(made_at, policy, now)?;
    if let Some(token) = request.access_token {
        let digest = digest::digest(&digest::SHA256, token.as_bytes());
        let expected = Base64UrlUnpadded::encode_string(digest.as_ref());
        if payload.ath.as_ref() != Some(&expected) {
            return Err(BadProof::AccessToken);
        }
    }
    key.verify(header.alg, jwt.signed, &jwt.signature)?;
    let thumbprint = key.thumbprint();
    let id = id(&thumbprint, &payload.jti);
    let thumbprint = ClaimText::try_from(thumbprint).map_err(|_| BadKey::Malformed)?;
    Ok(Proof { key: Confirmation::Jkt(thumbprint), made_at, id, nonce: payload.nonce })
}

fn check_age(made_at: Timestamp, policy: &ProofPolicy, now: Timestamp) -> Result<(), BadProof> {
    if made_at > now + policy.clock_skew {
        return Err(BadProof::InFuture);
    }
    if now > made_at + policy.max_age + policy.clock_skew {
        return Err(BadProof::TooOld);
    }
    Ok(())
}

fn id(thumbprint: &str, jti: &str) -> [u8; 16] {
    let mut both = digest::Context::new(&digest::SHA256);
    // A thumbprint has always the same length.
    both.update(thumbprint.as_bytes());
    both.update(jti.as_bytes());
    let digest = both.finish();
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    id
}

#[cfg(test)]
mod tests;
