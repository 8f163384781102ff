//! How access tokens are issued as JWTs.

use std::collections::BTreeSet;

use keyfob::Ttl;
use keyfob::values::Audience;
use keyfob_jwt::signing::SigningAlgorithm;

use super::keys::JwtKeys;

/// How access tokens are issued as JWTs.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct JwtSettings {
    /// The keys. Without them there are no JWTs.
    pub keys: Option<JwtKeys>,
    /// The algorithm that signs.
    pub algorithm: SigningAlgorithm,
    /// The audiences whose access tokens are JWTs, unless a request says otherwise.
    pub audiences: BTreeSet<Audience>,
    /// How long a JWT is valid: by default, and at most.
    pub ttl: Ttl,
    /// After how long a service should fetch a status list again.
    pub status_ttl: Ttl,
    /// How long a status list may be used if it cannot be fetched again.
    pub status_lifetime: Ttl,
}

impl JwtSettings {
    /// The maximum lifetime of a JWT.
    pub const MAX_TTL: Ttl = Ttl::from_hours(24);
}

impl Default for JwtSettings {
    fn default() -> Self {
        Self {
            keys: None,
            algorithm: SigningAlgorithm::default(),
            audiences: BTreeSet::new(),
            ttl: Ttl::from_mins(15),
            status_ttl: Ttl::from_mins(1),
            status_lifetime: Ttl::from_mins(10),
        }
    }
}
