//! What kind of answer an error calls for.

use std::fmt;

use crate::field::Field;
use crate::invalid::InvalidValue;
use crate::time::Ttl;

/// What kind of answer an error calls for, so that a service maps errors in one exhaustive `match`.
///
/// Each class is documented with the HTTP status and the OAuth error code that it should become:
/// the codes of RFC 6750 section 3.1 where a resource is asked for, those of RFC 6749 section 5.2
/// at a token endpoint. The two differ for a presented token that is not valid: a token endpoint
/// answers [`ErrorClass::InvalidToken`] as [`ErrorClass::InvalidGrant`].
///
/// An error's text is for the log. Send the presenter the class and no more.
///
/// ```
/// use keyfob::{ErrorClass, MemoryStore, TokenManager};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let refused = manager.validate_active("fob_at_no_such_token").await.unwrap_err();
/// assert_eq!(refused.class(), ErrorClass::InvalidToken);
/// assert_eq!(refused.class().http_status(), 401);
/// assert_eq!(refused.class().oauth_error(), Some("invalid_token"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ErrorClass {
    /// A value in the request is not valid. HTTP 400, `invalid_request`.
    InvalidRequest,
    /// A scope that was asked for is not valid, or is more than the token allows. HTTP 400,
    /// `invalid_scope`.
    InvalidScope,
    /// An audience that was asked for is not valid, or is more than the token allows. HTTP 400,
    /// `invalid_target` (RFC 8707 section 2).
    InvalidTarget,
    /// The presented bearer token is not accepted. HTTP 401, `invalid_token`.
    InvalidToken,
    /// The presented bearer token is valid but lacks a scope. HTTP 403, `insufficient_scope`.
    InsufficientScope,
    /// The presented bearer token is valid, and a rule of the application refuses it. HTTP 403,
    /// `access_denied`.
    AccessDenied,
    /// A refresh token is not exchanged, or a login does not count any more: the user has to
    /// authenticate again. HTTP 400, `invalid_grant`.
    InvalidGrant,
    /// There is no such token, or it is not the subject's own. HTTP 404.
    NotFound,
    /// The state or the kind of the token, or the number of the subject's sessions, does not allow
    /// the change. HTTP 409.
    Conflict,
    /// Others kept changing the same token. Trying again helps. HTTP 503, `temporarily_unavailable`.
    Contended,
    /// There were too many requests or failed attempts. HTTP 429 with `Retry-After`,
    /// `temporarily_unavailable`.
    Limited {
        /// How long to wait before the next try.
        retry_after: Ttl,
    },
    /// A store cannot be reached or does not answer in time. Nothing is known about the token, so
    /// the request must not continue. HTTP 503, `temporarily_unavailable`.
    Unavailable,
    /// The service itself is at fault: its keys, its settings, its clock or its stored data. HTTP
    /// 500, `server_error`.
    Internal,
}

impl ErrorClass {
    /// Returns the name of the class, for logs and labels of metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::InvalidRequest => "invalid_request",
            Self::InvalidScope => "invalid_scope",
            Self::InvalidTarget => "invalid_target",
            Self::InvalidToken => "invalid_token",
            Self::InsufficientScope => "insufficient_scope",
            Self::AccessDenied => "access_denied",
            Self::InvalidGrant => "invalid_grant",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Contended => "contended",
            Self::Limited { .. } => "limited",
            Self::Unavailable => "unavailable",
            Self::Internal => "internal",
        }
    }

    /// Returns the HTTP status to answer with.
    pub const fn http_status(self) -> u16 {
        match self {
            Self::InvalidRequest
            | Self::InvalidScope
            | Self::InvalidTarget
            | Self::InvalidGrant => 400,
            Self::InvalidToken => 401,
            Self::InsufficientScope | Self::AccessDenied => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Limited { .. } => 429,
            Self::Internal => 500,
            Self::Contended | Self::Unavailable => 503,
        }
    }

    /// Returns the OAuth error code to answer with; `None` where OAuth has none.
    pub const fn oauth_error(self) -> Option<&'static str> {
        match self {
            Self::InvalidRequest => Some("invalid_request"),
            Self::InvalidScope => Some("invalid_scope"),
            Self::InvalidTarget => Some("invalid_target"),
            Self::InvalidToken => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
            Self::AccessDenied => Some("access_denied"),
            Self::InvalidGrant => Some("invalid_grant"),
            Self::NotFound | Self::Conflict => None,
            Self::Contended | Self::Limited { .. } | Self::Unavailable => {
                Some("temporarily_unavailable")
            }
            Self::Internal => Some("server_error"),
        }
    }

    /// Returns whether the same request may succeed later without a change.
    pub const fn is_retryable(self) -> bool {
        matches!(self, Self::Contended | Self::Limited { .. } | Self::Unavailable)
    }
}

impl fmt::Display for ErrorClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl InvalidValue {
    /// Returns the kind of answer that the error calls for: [`ErrorClass::InvalidRequest`], or the
    /// class for a scope or an audience where it is about one.
    pub const fn class(&self) -> ErrorClass {
        match self.field() {
            Field::Scope => ErrorClass::InvalidScope,
            Field::Audience => ErrorClass::InvalidTarget,
            _ => ErrorClass::InvalidRequest,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retryable_errors_have_a_retryable_status() {
        let limited = ErrorClass::Limited { retry_after: Ttl::from_secs(1) };
        for class in [ErrorClass::Contended, ErrorClass::Unavailable, limited] {
            assert!(class.is_retryable() && [429, 503].contains(&class.http_status()), "{class}");
        }
        for class in [ErrorClass::InvalidGrant, ErrorClass::Conflict, ErrorClass::Internal] {
            assert!(!class.is_retryable() && ![429, 503].contains(&class.http_status()), "{class}");
        }
    }
}
