//! Why a token is refused.

use keyfob::ErrorClass;
use keyfob_jwt::access_token;
use keyfob_jwt::key_set::NotSigned;

use crate::error_response::ErrorResponse;

/// Why a token is refused. It holds no part of the token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Refused {
    /// The text is no JWT, and this service takes no other tokens.
    #[error("the token is no JWT")]
    Opaque,
    /// It is no access token that the issuer has signed.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// It is not for this service, or not valid now.
    #[error(transparent)]
    Claims(#[from] access_token::Refused),
    /// It was revoked.
    #[error("the token was revoked")]
    Revoked,
    /// The issuer says that it is not active.
    #[error("the issuer says that the token is not active")]
    Inactive,
    /// It is bound to a key, and the request has not proven that key.
    #[error("the token is bound to a key that was not proven")]
    NotProven,
    /// The keys of the issuer are not known now.
    #[error("the keys of the issuer are not known now")]
    NoKeys,
    /// Whether it was revoked is not known now.
    #[error("it is not known now whether the token was revoked")]
    NoStatus,
    /// The issuer does not answer, or not as RFC 7662 wants it.
    #[error("the issuer does not say whether the token is active")]
    NoAnswer,
}

impl Refused {
    /// Returns whether nothing is wrong with the token as far as this service knows: it may be accepted later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::NoKeys | Self::NoStatus | Self::NoAnswer)
    }
}

/// 503 for a refusal that is temporary, else 401 `invalid_token`.
impl From<Refused> for ErrorResponse {
    fn from(refused: Refused) -> Self {
        tracing::debug!(%refused, "a token is refused");
        Self::new(match refused.is_temporary() {
            true => ErrorClass::Unavailable,
            false => ErrorClass::InvalidToken,
        })
    }
}
