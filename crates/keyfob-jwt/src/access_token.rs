//! Access tokens as JWTs (RFC 9068): what they say, and whether a service takes one.
//!
//! [`open`] tells whether a key of the issuer has signed it, [`AccessToken::check`] whether it is for this service and
//! valid now. Whether it was revoked says its [place in a status list](StatusReference); see
//! [`status_list`](crate::status_list).

use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::Confirmation;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::jws::{Malformed, Unverified};
use crate::key_set::{KeySet, NotSigned, VerifyingKey};
use crate::signing::{CannotSign, SigningKey};

/// The type in the header (RFC 9068 section 2.1).
pub const TYPE: &str = "at+jwt";

/// The claims of an access token (RFC 9068 section 2.2). Times are seconds since 1970.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct AccessToken {
    /// The issuer.
    pub iss: String,
    /// The subject or, where there is none, the client.
    pub sub: String,
    /// The services that it is for.
    pub aud: Audiences,
    /// When it ends.
    pub exp: u64,
    /// When it was issued.
    pub iat: u64,
    /// When it begins, if not when it was issued.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nbf: Option<u64>,
    /// Its id.
    pub jti: String,
    /// The client that it was issued to.
    pub client_id: String,
    /// The scopes, separated by spaces.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
    /// When the subject was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub auth_time: Option<u64>,
    /// How strongly the subject was authenticated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub acr: Option<String>,
    /// How the subject was authenticated.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// The key whose possession the presenter has to prove (RFC 7800).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cnf: Option<Confirmation>,
    /// The parties that act for the subject (RFC 8693 section 4.1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub act: Option<Value>,
    /// Where its status is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<Status>,
    /// The claims of the application.
    #[serde(flatten)]
    pub private: Map<String, Value>,
}

/// The services that a token is for: one, or an array (RFC 7519 section 4.1.3).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Audiences {
    /// One.
    One(String),
    /// Several.
    Many(Vec<String>),
}

/// Where the status of a token is (the claim `status` of Token Status List, section 6.1).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Status {
    /// The place in a status list.
    pub status_list: StatusReference,
}

/// A place in a status list.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct StatusReference {
    /// The index in the list.
    pub idx: u32,
    /// The address of the list.
    pub uri: String,
}

/// What a service demands of an access token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct AccessTokenPolicy<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// The name of the service. `None`: any.
    pub audience: Option<&'a str>,
    /// How much the clocks of the issuer and of this service may differ.
    pub clock_skew: Ttl,
}

/// Why an access token is not accepted. It holds no part of the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// `iss` is another issuer.
    #[error("the token is of another issuer")]
    Issuer,
    /// `aud` does not name the service.
    #[error("the token is for another service")]
    Audience,
    /// `exp` is over.
    #[error("the token has expired")]
    Expired,
    /// `nbf` or `iat` is in the future.
    #[error("the token is not valid yet")]
    NotYet,
}

impl Audiences {
    /// Returns these audiences in the form for their number.
    pub fn new(names: impl IntoIterator<Item = String>) -> Self {
        let mut names: Vec<String> = names.into_iter().collect();
        match names.pop() {
            Some(only) if names.is_empty() => Self::One(only),
            last => Self::Many(names.into_iter().chain(last).collect()),
        }
    }

    /// Returns the names.
    pub fn names(&self) -> &[String] {
        match self {
            Self::One(name) => std::slice::from_ref(name),
            Self::Many(names) => names,
        }
    }
}

impl AccessToken {
    /// Signs the token.
    ///
    /// # Errors
    /// If the cryptography library fails.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CannotSign> {
        key.sign(TYPE, self)
    }

    /// Checks that the token is for this service, and valid at this time.
    ///
    /// # Errors
    /// The first demand that it does not meet.
    pub fn check(&self, policy: &AccessTokenPolicy<'_>, now: Timestamp) -> Result<(), Refused> {
        let AccessTokenPolicy { issuer, audience, clock_skew } = *policy;
        if self.iss != issuer {
            return Err(Refused::Issuer);
        }
        let is_meant = |audience: &str| self.aud.names().iter().any(|name| name == audience);
        if audience.is_some_and(|audience| !is_meant(audience)) {
            return Err(Refused::Audience);
        }
        if now >= Timestamp::from_secs(self.exp) + clock_skew {
            return Err(Refused::Expired);
        }
        let begins = self.iat.max(self.nbf.unwrap_or_default());
        if now + clock_skew < Timestamp::from_secs(begins) {
            return Err(Refused::NotYet);
        }
        Ok(())
    }
}

/// Returns an access token and the key that signed it, if a key of the set has. Its claims are not checked.
///
/// # Errors
/// If the text is no access token, or no key of the set has signed it.
pub fn open<'k>(
    text: &str,
    keys: &'k KeySet,
) -> Result<(AccessToken, &'k VerifyingKey), NotSigned> {
    let jwt = Unverified::parse(text)?;
    let verified = keys.verified(&jwt, TYPE)?;
    let token: AccessToken = verified.payload()?;
    if !token.times().all(|secs| secs <= MAX_SECS) {
        return Err(Malformed::Payload.into());
    }
    Ok((token, verified.key()))
}

/// The last second of the year 9999.
const MAX_SECS: u64 = 253_402_300_799;

impl AccessToken {
    fn times(&self) -> impl Iterator<Item = u64> {
        [Some(self.exp), Some(self.iat), self.nbf, self.auth_time].into_iter().flatten()
    }
}

#[cfg(test)]
mod tests;
