//! Access tokens in the form of JWTs.

use keyfob::Ttl;
use keyfob::values::Audience;
use keyfob_api::schema::{Text, TtlText};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::jwt::SigningAlgorithm;
use crate::jwt::settings::JwtSettings;

/// Access tokens in the form of JWTs (RFC 9068), for services that check them offline.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Jwt")]
pub struct JwtSection {
    /// The audiences whose access tokens are JWTs, unless a request says otherwise.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Text<256>>")]
    pub audiences: Vec<Audience>,
    /// The key ring that the signing keys are derived from: `FILE`, `env:VARIABLE` or `command:COMMAND`. Default: the
    /// ring that seals the store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The algorithm that signs.
    pub algorithm: JwtAlgorithm,
    /// How long a JWT is valid, by default and at most. At most 24 hours.
    #[schemars(with = "TtlText")]
    pub ttl: Ttl,
    /// After how long a service should fetch a status list again.
    #[schemars(with = "TtlText")]
    pub status_ttl: Ttl,
    /// How long a status list may be used if it cannot be fetched again.
    #[schemars(with = "TtlText")]
    pub status_lifetime: Ttl,
}

/// The algorithm that signs JWTs.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
pub enum JwtAlgorithm {
    /// ECDSA on P-256 with SHA-256. Every library knows it.
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

impl Default for JwtSection {
    fn default() -> Self {
        let JwtSettings { ttl, status_ttl, status_lifetime, .. } = JwtSettings::default();
        let (audiences, keys, algorithm) = (Vec::new(), None, JwtAlgorithm::default());
        Self { audiences, keys, algorithm, ttl, status_ttl, status_lifetime }
    }
}

impl JwtSection {
    /// Returns whether the configuration asks for JWTs.
    pub fn is_wanted(&self) -> bool {
        self.keys.is_some() || !self.audiences.is_empty()
    }

    /// Returns the settings, without the keys.
    pub(super) fn settings(&self) -> JwtSettings {
        JwtSettings {
            keys: None,
            algorithm: match self.algorithm {
                JwtAlgorithm::Es256 => SigningAlgorithm::Es256,
                JwtAlgorithm::EdDsa => SigningAlgorithm::EdDsa,
            },
            audiences: self.audiences.iter().cloned().collect(),
            ttl: self.ttl,
            status_ttl: self.status_ttl,
            status_lifetime: self.status_lifetime,
        }
    }
}
