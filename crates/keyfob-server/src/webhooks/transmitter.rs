//! Who signs security event tokens, and why there may be none.

use keyfob_jwt::signing::{CannotSign, SigningAlgorithm};
use keyfob_webhook::set;
use serde_json::Value;

use crate::jwt::JwtKeys;

/// Who signs security event tokens: it follows the settings.
#[derive(Default)]
pub(super) struct Transmitter {
    pub(super) issuer: Option<String>,
    pub(super) keys: Option<JwtKeys>,
    pub(super) algorithm: SigningAlgorithm,
}

/// Why there are no security event tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum NotTransmitting {
    /// There are no keys.
    #[error(
        "security event tokens cannot be signed: this service has no keys for JWTs. Configure `jwt.keys`"
    )]
    NoKeys,
    /// There is no issuer.
    #[error("security event tokens need an issuer. Configure `issuer`")]
    NoIssuer,
    /// A message is damaged, or the cryptography library failed.
    #[error("the security event token cannot be signed")]
    NotSigned,
}

impl NotTransmitting {
    /// Returns the stable code.
    pub(crate) const fn code(self) -> &'static str {
        match self {
            Self::NoKeys => "no_jwt_keys",
            Self::NoIssuer => "no_issuer",
            Self::NotSigned => "not_signed",
        }
    }
}

impl From<CannotSign> for NotTransmitting {
    fn from(_: CannotSign) -> Self {
        Self::NotSigned
    }
}

impl Transmitter {
    /// Returns the issuer, if tokens can be signed.
    pub(super) fn issuer(&self) -> Result<&str, NotTransmitting> {
        if self.keys.is_none() {
            return Err(NotTransmitting::NoKeys);
        }
        self.issuer.as_deref().ok_or(NotTransmitting::NoIssuer)
    }

    pub(super) fn sign(&self, claims: &Value) -> Result<String, NotTransmitting> {
        // The event was read while the service had no issuer.
        if claims["iss"] == "" {
            return Err(NotTransmitting::NoIssuer);
        }
        let keys = self.keys.as_ref().ok_or(NotTransmitting::NoKeys)?;
        let version = keys.active().ok_or(NotTransmitting::NoKeys)?;
        Ok(version.signing(self.algorithm).sign(set::TYPE, claims)?)
    }
}
