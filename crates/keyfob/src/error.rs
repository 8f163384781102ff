//! The error of a token manager.

use keyfob_core::bearer::ParseBearerError;
use keyfob_core::error_class::ErrorClass;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::InvalidValue;
use keyfob_core::random::RandomUnavailable;
use keyfob_core::rotation::RefreshRefused;
use keyfob_core::token::{Kind, TokenState};
use keyfob_core::validation::Refusal;
use keyfob_limit::LimitError;
#[cfg(feature = "seal")]
use keyfob_seal::KeyError;
use keyfob_store::StoreError;

/// Why a [`TokenManager`](crate::TokenManager) does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bearer token is not accepted. Refuse the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A given value is not valid. Correct it.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There is no such token: it never existed, or its record was kept long enough and is forgotten.
    #[error("token {id} not found: it never existed, or its record is no longer kept")]
    NotFound {
        /// The token.
        id: TokenId,
    },
    /// The parent token or everything of the subject was revoked in the meantime, or the login took
    /// too long to check this. Authenticate again.
    #[error("the login was overtaken by a revocation, or took too long: authenticate again")]
    Superseded,
    /// The token is not active, so it cannot be changed and no token can be issued from it.
    #[error("token {id} is {state}: it cannot be changed, and no token can be issued from it")]
    Ended {
        /// The token.
        id: TokenId,
        /// Its state.
        state: TokenState,
    },
    /// A refresh token is not exchanged.
    #[error(transparent)]
    Refresh(#[from] RefreshRefused),
    /// Only an API key can be given a new secret. A refresh token rotates when it is presented. For
    /// other kinds, issue another token.
    #[error("token {id} is of kind {kind}: only an API key can be given a new secret")]
    NotRotatable {
        /// The token.
        id: TokenId,
        /// Its kind.
        kind: Kind,
    },
    /// The subject has as many sessions as its policy allows. End one of them.
    #[error("the subject has {max} sessions, the maximum: end one of them")]
    TooManySessions {
        /// The maximum number of sessions.
        max: usize,
    },
    /// The idempotency key belongs to another request of the same requester. Use another key.
    #[error("the idempotency key was used for another request: use another key")]
    IdempotencyKeyReused,
    /// Others kept changing the token at the same time. Try again.
    #[error("token {id} is being changed by others at the same time: try again")]
    Contended {
        /// The token.
        id: TokenId,
    },
    /// The limits could not be applied. Do not continue with the request.
    #[error(transparent)]
    Limit(LimitError),
    /// The key ring does not allow it.
    #[cfg(feature = "seal")]
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed. It is not known whether the token is active.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<LimitError> for Error {
    fn from(error: LimitError) -> Self {
        match error {
            LimitError::Invalid(invalid) => Self::Invalid(invalid),
            LimitError::Store(error) => Self::Store(error),
            other => Self::Limit(other),
        }
    }
}

impl Error {
    /// The stable code, the same on the wire.
    pub fn code(&self) -> &str {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Invalid(invalid) => invalid.code(),
            Self::NotFound { .. } => "token_not_found",
            Self::Superseded => "superseded",
            Self::Ended { .. } => "token_ended",
            Self::Refresh(refused) => refused.code(),
            Self::NotRotatable { .. } => "not_rotatable",
            Self::TooManySessions { .. } => "too_many_sessions",
            Self::IdempotencyKeyReused => "idempotency_key_reused",
            Self::Contended { .. } => "contended",
            Self::Limit(error) => error.code(),
            #[cfg(feature = "seal")]
            Self::Keys(error) => error.code(),
            Self::Store(error) => error.code(),
        }
    }

    /// Returns the kind of answer that the error calls for.
    ///
    /// The texts and codes of errors may grow. Classes do not, so a service decides by the class.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Refused(refusal) => refusal.class(),
            Self::Invalid(invalid) => invalid.class(),
            Self::NotFound { .. } => ErrorClass::NotFound,
            Self::Superseded => ErrorClass::InvalidGrant,
            Self::Refresh(refused) => refused.class(),
            Self::Ended { .. }
            | Self::NotRotatable { .. }
            | Self::TooManySessions { .. }
            | Self::IdempotencyKeyReused => ErrorClass::Conflict,
            Self::Contended { .. } => ErrorClass::Contended,
            Self::Limit(error) => error.class(),
            #[cfg(feature = "seal")]
            Self::Keys(_) => ErrorClass::Internal,
            Self::Store(error) => error.class(),
        }
    }

    /// The refusal, if the error is one.
    pub fn refusal(&self) -> Option<&Refusal> {
        match self {
            Self::Refused(refusal) => Some(refusal),
            _ => None,
        }
    }
}

impl From<ParseBearerError> for Error {
    fn from(refused: ParseBearerError) -> Self {
        Self::Refused(refused.into())
    }
}

impl From<RandomUnavailable> for Error {
    fn from(unavailable: RandomUnavailable) -> Self {
        Self::Store(unavailable.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::field::Field;
    use keyfob_core::invalid::InvalidReason;
    use keyfob_core::time::Ttl;

    #[test]
    fn the_class_follows_from_what_went_wrong() {
        let id = TokenId::from_bytes([0; 16]);
        let invalid = |field| Error::from(InvalidValue::new(field, InvalidReason::Empty));
        let retry_after = Ttl::from_secs(3);
        let cases = [
            (Error::from(Refusal::Unknown), ErrorClass::InvalidToken),
            (Refusal::Throttled { retry_after }.into(), ErrorClass::Limited { retry_after }),
            (Refusal::Scope { missing: Default::default() }.into(), ErrorClass::InsufficientScope),
            (invalid(Field::Scope), ErrorClass::InvalidScope),
            (invalid(Field::Audience), ErrorClass::InvalidTarget),
            (invalid(Field::Subject), ErrorClass::InvalidRequest),
            (RefreshRefused::InWindow { token: id }.into(), ErrorClass::InvalidGrant),
            (Error::Superseded, ErrorClass::InvalidGrant),
            (Error::NotFound { id }, ErrorClass::NotFound),
            (Error::TooManySessions { max: 1 }, ErrorClass::Conflict),
            (Error::Contended { id }, ErrorClass::Contended),
            (StoreError::unavailable("down").into(), ErrorClass::Unavailable),
            (StoreError::Misconfigured(String::new()).into(), ErrorClass::Internal),
            (KeyError::NoneActive.into(), ErrorClass::Internal),
        ];
        for (error, class) in cases {
            assert_eq!(error.class(), class, "{error}");
        }
    }
}
