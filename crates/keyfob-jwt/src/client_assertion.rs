//! Assertions by which a client authenticates (RFC 7523 sections 2.2 and 3, `private_key_jwt`).
//!
//! The assertion names its client and its key. The server looks the key up, and has the assertion verified with it.
//! The algorithm is that of the key: a header cannot choose another one.
//!
//! ```
//! use keyfob_core::time::Timestamp;
//! use keyfob_jwt::client_assertion::{AssertionKey, AssertionPolicy, ClientAssertion, NewAssertion};
//! use keyfob_jwt::signing::{SigningAlgorithm, SigningKey};
//!
//! # let seed = [7; 32];
//! let now = Timestamp::from_secs(1_800_000_000);
//! let key = SigningKey::derive(&seed, SigningAlgorithm::Es256)?;
//! let (client, audience) = ("shop", "https://tokens.example");
//! let assertion = NewAssertion { kid: "tok_…", client, audience, jti: "random" }.sign(&key, now)?;
//!
//! let public = AssertionKey::parse(&serde_json::to_string(key.public())?)?;
//! let policy = AssertionPolicy::new(&["https://tokens.example"]);
//! let assertion = ClientAssertion::parse(&assertion)?;
//! assert_eq!(assertion.client(), "shop");
//! assertion.check(&policy, now)?;
//! assert!(assertion.verify(&public, &policy).is_ok());
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use aws_lc_rs::digest;
use keyfob_core::time::{Timestamp, Ttl};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::json;

use crate::jws::{Malformed, Object, Seconds, Unverified};
use crate::key::{Algorithm, BadKey, BadSignature, Jwk, PublicKey};
use crate::signing::{CannotSign, SigningKey};

/// The value of `client_assertion_type` (RFC 7523 section 2.2).
pub const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
/// The maximum length of an assertion in bytes.
pub const MAX_BYTES: usize = 4 * 1024;
/// The maximum length of a `jti` in bytes.
const MAX_ID_BYTES: usize = 256;
/// The types that an assertion may have (RFC 7523, `draft-ietf-oauth-rfc7523bis`). Others are of other JWTs.
const TYPES: [&str; 2] = ["jwt", "client-authentication+jwt"];

/// What an assertion has to be for.
#[derive(Clone, Copy, Debug)]
pub struct AssertionPolicy<'a> {
    /// The names of the server, one of which has to be the audience.
    pub audiences: &'a [&'a str],
    /// For how long an assertion may be valid at most, from now.
    pub max_lifetime: Ttl,
    /// How much the clocks of the client and this server may differ.
    pub clock_skew: Ttl,
}

impl<'a> AssertionPolicy<'a> {
    /// Creates a policy for these audiences: five minutes, and five seconds for clocks that differ.
    pub const fn new(audiences: &'a [&'a str]) -> Self {
        Self { audiences, max_lifetime: Ttl::from_mins(5), clock_skew: Ttl::from_secs(5) }
    }

    /// Returns for how long an assertion can be accepted altogether, from its first use. Its id has to be remembered
    /// for as long.
    pub const fn window(&self) -> Ttl {
        let skew = self.clock_skew.as_millis();
        Ttl::saturating_from_millis(self.max_lifetime.as_millis() + 2 * skew)
    }
}

/// An assertion that a client makes. It is valid for a minute.
#[derive(Clone, Copy, Debug)]
pub struct NewAssertion<'a> {
    /// The name that the server has for the key.
    pub kid: &'a str,
    /// The client.
    pub client: &'a str,
    /// The issuer of the server.
    pub audience: &'a str,
    /// A random text, which is used for no other assertion.
    pub jti: &'a str,
}

impl NewAssertion<'_> {
    /// Signs the assertion by the key of the client.
    ///
    /// # Errors
    /// If the cryptography library fails.
    pub fn sign(&self, key: &SigningKey, now: Timestamp) -> Result<String, CannotSign> {
        let Self { kid, client, audience, jti } = self;
        let alg = key.public().algorithm().as_str();
        let header = json!({ "alg": alg, "typ": "client-authentication+jwt", "kid": kid });
        let (iat, exp) = (now.as_secs(), now.as_secs() + 60);
        let claims = json!({
            "iss": client, "sub": client, "aud": audience, "jti": jti, "iat": iat, "exp": exp,
        });
        key.sign_compact(header.to_string().as_bytes(), claims.to_string().as_bytes())
    }
}

/// The public key of a client, and the algorithm that it is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AssertionKey {
    key: PublicKey,
    algorithm: Algorithm,
    thumbprint: String,
}

impl AssertionKey {
    /// Reads a JWK that names its algorithm.
    ///
    /// # Errors
    /// If the text is no JWK, has a secret, or is for no algorithm that is accepted.
    pub fn parse(jwk: &str) -> Result<Self, BadKey> {
        let Object(jwk): Object<Jwk> = serde_json::from_str(jwk).map_err(|_| BadKey::Malformed)?;
        let named = jwk.alg.clone().ok_or(BadKey::OtherUse)?;
        let algorithm: Algorithm =
            serde_json::from_value(named.into()).map_err(|_| BadKey::Unsupported)?;
        let key = jwk.key_for(algorithm)?;
        let thumbprint = key.thumbprint();
        Ok(Self { key, algorithm, thumbprint })
    }

    /// Returns the thumbprint (RFC 7638).
    pub fn thumbprint(&self) -> &str {
        &self.thumbprint
    }
}

/// An assertion that was taken apart. Nothing in it is proven.
#[derive(Debug)]
pub struct ClientAssertion<'a> {
    jwt: Unverified<'a>,
    header: Header,
    claims: Claims,
    expires_at: Timestamp,
    issued_at: Option<Timestamp>,
}

/// An assertion that its client has signed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvenAssertion {
    /// A digest of the key and the `jti`. It may come once.
    pub id: [u8; 16],
    /// When it was made at the earliest.
    pub made_at: Timestamp,
    /// When it ends.
    pub expires_at: Timestamp,
}

/// Why an assertion is not accepted. It holds no part of the assertion.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{}", self.message())]
#[non_exhaustive]
pub enum BadAssertion {
    /// The text is no signed JWT, is too long, or lacks something. An algorithm that is not accepted is one reason.
    Malformed,
    /// The type in the header is another one.
    Type,
    /// The header has `crit`, which nobody understands.
    Critical,
    /// `iss` and `sub` are not the same client, or not the one that the request names.
    Client,
    /// `aud` is not this server.
    Audience,
    /// `exp` has passed.
    Expired,
    /// `exp` is too far away.
    LivesTooLong,
    /// `iat` or `nbf` is in the future.
    InFuture,
    /// The `jti` is empty or too long.
    Id,
    /// The assertion was used before.
    Used,
    /// The key is not known, is another client's, or has not signed it.
    Key,
}

impl BadAssertion {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::Malformed,
        Self::Type,
        Self::Critical,
        Self::Client,
        Self::Audience,
        Self::Expired,
        Self::LivesTooLong,
        Self::InFuture,
        Self::Id,
        Self::Used,
        Self::Key,
    ];

    /// Returns the stable code.
    pub fn code(self) -> &'static str {
        self.message().split(':').next().unwrap_or_default()
    }

    /// Returns the code, and what to do next, in the characters of `error_description` (RFC 6749 section 5.2).
    pub const fn message(self) -> &'static str {
        match self {
            Self::Malformed => {
                "assertion_malformed: sign a JWT with alg, kid, iss, sub, aud, exp and jti, by an \
                 algorithm that the metadata names"
            }
            Self::Type => {
                "assertion_type: this is another kind of JWT. Leave typ out, or say \
                 client-authentication+jwt"
            }
            Self::Critical => "assertion_critical: leave crit out of the header",
            Self::Client => "assertion_client: iss and sub have to be the client_id",
            Self::Audience => {
                "assertion_audience: aud has to be one text, the issuer of this server or the URL of \
                 its token endpoint"
            }
            Self::Expired => {
                "assertion_expired: exp has passed. Sign an assertion for each request, and compare \
                 the clocks"
            }
            Self::LivesTooLong => {
                "assertion_lives_too_long: exp is too far away. Let an assertion live for a minute, \
                 and for five at most"
            }
            Self::InFuture => {
                "assertion_in_future: iat or nbf is in the future. Compare the clocks"
            }
            Self::Id => "assertion_id: jti has to be a random text of 1 to 256 bytes",
            Self::Used => {
                "assertion_used: sign an assertion for each request, with a new jti and with iat"
            }
            Self::Key => {
                "assertion_key: kid has to be the id of an active key of the client, which has \
                 signed the assertion"
            }
        }
    }
}

impl From<Malformed> for BadAssertion {
    fn from(_: Malformed) -> Self {
        Self::Malformed
    }
}

impl From<BadSignature> for BadAssertion {
    fn from(_: BadSignature) -> Self {
        Self::Key
    }
}

#[derive(Debug, Deserialize)]
struct Header {
    typ: Option<String>,
    alg: Algorithm,
    kid: String,
    crit: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
struct Claims {
    iss: String,
    sub: String,
    /// A text. With an array, a server could take an assertion that is meant for another one.
    aud: serde_json::Value,
    exp: Seconds,
    iat: Option<Seconds>,
    nbf: Option<Seconds>,
    jti: String,
}

impl<'a> ClientAssertion<'a> {
    /// Takes an assertion apart.
    ///
    /// # Errors
    /// If it cannot be an assertion of any client.
    pub fn parse(text: &'a str) -> Result<Self, BadAssertion> {
        let jwt = Unverified::parse_within(text, MAX_BYTES)?;
        let header: Header = jwt.header()?;
        let is_type = |typ: &String| TYPES.iter().any(|known| known.eq_ignore_ascii_case(typ));
        if !header.typ.as_ref().is_none_or(is_type) {
            return Err(BadAssertion::Type);
        }
        if header.crit.is_some() {
            return Err(BadAssertion::Critical);
        }
        let claims: Claims = jwt.payload()?;
        if claims.iss != claims.sub {
            return Err(BadAssertion::Client);
        }
        if claims.jti.is_empty() || claims.jti.len() > MAX_ID_BYTES {
            return Err(BadAssertion::Id);
        }
        let expires_at = claims.exp.at().ok_or(BadAssertion::Malformed)?;
        let at = |time: &Seconds| time.at().ok_or(BadAssertion::Malformed);
        let issued_at = claims.iat.as_ref().map(at).transpose()?;
        claims.nbf.as_ref().map(at).transpose()?;
        Ok(Self { jwt, header, claims, expires_at, issued_at })
    }

    /// Returns the client that it names.
    pub fn client(&self) -> &str {
        &self.claims.iss
    }

    /// Returns the name of the key.
    pub fn kid(&self) -> &str {
        &self.header.kid
    }

    /// Checks what does not depend on the key.
    ///
    /// # Errors
    /// The first check that it does not pass.
    pub fn check(&self, policy: &AssertionPolicy<'_>, now: Timestamp) -> Result<(), BadAssertion> {
        if !self.claims.aud.as_str().is_some_and(|named| policy.audiences.contains(&named)) {
            return Err(BadAssertion::Audience);
        }
        check_end(self.expires_at, policy, now)?;
        let not_before = self.claims.nbf.as_ref().and_then(Seconds::at);
        if [self.issued_at, not_before].into_iter().flatten().any(|at| at > now + policy.clock_skew)
        {
            return Err(BadAssertion::InFuture);
        }
        Ok(())
    }

    /// Verifies the signature by the key of the client.
    ///
    /// # Errors
    /// If the algorithm is not the one of the key, or the signature is not by it.
    pub fn verify(
        &self,
        key: &AssertionKey,
        policy: &AssertionPolicy<'_>,
    ) -> Result<ProvenAssertion, BadAssertion> {
        if self.header.alg != key.algorithm {
            return Err(BadAssertion::Key);
        }
        key.key.verify(key.algorithm, self.jwt.signed, &self.jwt.signature)?;
        let lived = policy.max_lifetime.as_millis() + policy.clock_skew.as_millis();
        let earliest = self.expires_at.as_millis().saturating_sub(lived);
        let earliest = Timestamp::from_millis(earliest);
        let made_at = self.issued_at.map_or(earliest, |at| at.max(earliest));
        let id = id(&key.thumbprint, &self.claims.jti);
        Ok(ProvenAssertion { id, made_at, expires_at: self.expires_at })
    }
}

impl ProvenAssertion {
    /// Checks the end of the assertion again, by the clock of the store that remembers its id. Otherwise the id of one that
    /// lives too long by that clock would be forgotten before its end.
    ///
    /// # Errors
    /// If it has ended, or lives too long.
    pub fn check_end(
        &self,
        policy: &AssertionPolicy<'_>,
        now: Timestamp,
    ) -> Result<(), BadAssertion> {
        check_end(self.expires_at, policy, now)
    }
}

fn check_end(
    expires_at: Timestamp,
    policy: &AssertionPolicy<'_>,
    now: Timestamp,
) -> Result<(), BadAssertion> {
    if now >= expires_at + policy.clock_skew {
        return Err(BadAssertion::Expired);
    }
    if expires_at > now + policy.max_lifetime + policy.clock_skew {
        return Err(BadAssertion::LivesTooLong);
    }
    Ok(())
}

fn id(thumbprint: &str, jti: &str) -> [u8; 16] {
    let mut all = digest::Context::new(&digest::SHA256);
    // The same key may make proofs of possession, whose ids are others.
    all.update(b"client assertion");
    // A thumbprint has always the same length.
    all.update(thumbprint.as_bytes());
    all.update(jti.as_bytes());
    let digest = all.finish();
    let mut id = [0; 16];
    id.copy_from_slice(&digest.as_ref()[..16]);
    id
}

#[cfg(test)]
mod tests;
