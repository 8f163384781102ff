//! The error of a token manager.

use crate::bearer::ParseBearerError;
use crate::id::TokenId;
use crate::invalid::InvalidValue;
use crate::limit::LimitError;
use crate::random::RandomUnavailable;
use crate::rotation::RefreshRefused;
use crate::seal::KeyError;
use crate::store::StoreError;
use crate::token::{Kind, TokenState};
use crate::validation::Refusal;
use keyfob_core::error_class::ErrorClass;

/// What a `TokenManager` can answer instead of what it was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bearer is not good. Refuse the request.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A value that was given breaks the rules of its type. Correct it.
    #[error(transparent)]
    Invalid(#[from] InvalidValue),
    /// There is no such token: it never was, or its record is past the time that it is kept.
    #[error("there is no token {id}: it never was, or it is past the time that it is kept")]
    NotFound {
        /// The token.
        id: TokenId,
    },
    /// What the token was to rest on was revoked in the meantime, or the login took too long to
    /// tell. Authenticate again.
    #[error("the login was overtaken by a revocation, or took too long: authenticate again")]
    Superseded,
    /// A token that is no longer active cannot be changed or issued from.
    #[error("token {id} is {state}: it cannot be changed, and nothing can be issued from it")]
    Ended {
        /// The token.
        id: TokenId,
        /// What it is.
        state: TokenState,
    },
    /// A refresh token is not exchanged.
    #[error(transparent)]
    Refresh(#[from] RefreshRefused),
    /// Only an API key is given a new secret. A refresh token rotates when it is presented; of
    /// other kinds, issue another.
    #[error("token {id} is of kind {kind}: only an API key can be given a new secret")]
    NotRotatable {
        /// The token.
        id: TokenId,
        /// Its kind.
        kind: Kind,
    },
    /// The subject has as many sessions as it may. End one of them.
    #[error("there are {most} sessions already, as many as there may be: end one of them")]
    TooManySessions {
        /// How many there may be.
        most: usize,
    },
    /// Others kept changing the token at the same time. Try again.
    #[error("token {id} is being changed by many at once: try again")]
    Contended {
        /// The token.
        id: TokenId,
    },
    /// Limits could not be applied. Do not go on.
    #[error(transparent)]
    Limit(LimitError),
    /// The keys do not allow it.
    #[error(transparent)]
    Keys(#[from] KeyError),
    /// The store failed. Nothing may be concluded about any token.
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
            Self::Contended { .. } => "contended",
            Self::Limit(error) => error.code(),
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
            Self::Ended { .. } | Self::NotRotatable { .. } | Self::TooManySessions { .. } => {
                ErrorClass::Conflict
            }
            Self::Contended { .. } => ErrorClass::Contended,
            Self::Limit(error) => error.class(),
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
    use crate::field::Field;
    use crate::invalid::InvalidReason;
    use crate::time::Ttl;

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
            (Error::TooManySessions { most: 1 }, ErrorClass::Conflict),
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
