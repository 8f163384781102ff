//! Why a request is not done.

use std::borrow::Cow;

use http::{HeaderValue, StatusCode};
use keyfob::{Error, ErrorClass, InvalidValue, Ttl};
use keyfob_tower::ErrorResponse;

use crate::access::bounds::BeyondBounds;
use crate::access::caller::{AuthMethod, Unauthenticated};
use crate::access::scope::ManagementScope;
use crate::form::BadForm;

/// Why a request is not done, before it has a form. Texts contain no secret.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The status.
    pub(crate) status: StatusCode,
    /// The stable code, for problem documents.
    pub(crate) code: Cow<'static, str>,
    /// The code of OAuth.
    pub(crate) oauth: &'static str,
    /// What is wrong, for callers that may know.
    pub(crate) detail: Cow<'static, str>,
    /// The same without a reason, for callers that may not.
    pub(crate) public_detail: &'static str,
    /// When to come back.
    pub(crate) retry_after: Option<Ttl>,
    /// Which challenge to send.
    pub(crate) challenge: Option<Challenge>,
    /// The nonce for the next proof of possession (RFC 9449 section 8).
    pub(crate) dpop_nonce: Option<Box<HeaderValue>>,
}

/// A challenge of RFC 9110 section 11.6.1.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Challenge {
    /// For a client that may authenticate by Basic.
    Basic,
    /// For a bearer token: nothing was presented.
    Bearer,
    /// For a bearer token that is not accepted.
    InvalidToken,
    /// For a bearer token without this scope.
    InsufficientScope(ManagementScope),
}

impl Failure {
    /// Returns a failure that only needs a status, the code of OAuth and a sentence.
    pub(crate) fn new(
        status: StatusCode,
        oauth: &'static str,
        detail: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            status,
            code: oauth.into(),
            oauth,
            detail: detail.into(),
            public_detail: "",
            retry_after: None,
            challenge: None,
            dpop_nonce: None,
        }
    }

    /// Returns the failure of a request that cannot be understood. The sentence is sent.
    pub(crate) fn invalid_request(detail: &'static str) -> Self {
        Self {
            public_detail: detail,
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail)
        }
    }

    /// Returns an error of the token endpoint (RFC 6749 section 5.2). The sentence is sent.
    pub(crate) fn oauth(error: &'static str, detail: &'static str) -> Self {
        Self { public_detail: detail, ..Self::new(StatusCode::BAD_REQUEST, error, detail) }
    }

    /// Returns the failure of a request that is not valid, with a code of its own.
    pub(crate) fn bad(code: &str, detail: impl Into<String>) -> Self {
        Self {
            code: code.to_owned().into(),
            ..Self::new(StatusCode::BAD_REQUEST, "invalid_request", detail.into())
        }
    }

    /// Returns the failure of a request for what is not there, with a code of its own.
    pub(crate) fn missing(code: &'static str, detail: &'static str) -> Self {
        Self { code: code.into(), ..Self::new(StatusCode::NOT_FOUND, "invalid_request", detail) }
    }

    /// Returns the failure of a request that cannot be decided now. The sentence is sent.
    pub(crate) fn undecided(detail: &'static str) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        Self {
            public_detail: detail,
            retry_after: ErrorResponse::new(ErrorClass::Unavailable).retry_after(),
            ..Self::new(status, "temporarily_unavailable", detail)
        }
    }

    /// Returns the failure of the service itself.
    pub(crate) fn internal(code: &'static str) -> Self {
        let failure =
            Self::new(StatusCode::INTERNAL_SERVER_ERROR, "server_error", "the service has failed");
        Self { code: code.into(), public_detail: "the service has failed", ..failure }
    }

    /// Returns the same failure at a token endpoint, where a token that is presented as a grant is
    /// answered as `invalid_grant` (RFC 6749 section 5.2).
    pub(crate) fn into_invalid_grant(self) -> Self {
        match self.oauth {
            "invalid_token" => {
                let detail = ErrorResponse::new(ErrorClass::InvalidGrant).detail();
                let status = StatusCode::BAD_REQUEST;
                Self {
                    status,
                    oauth: "invalid_grant",
                    public_detail: detail,
                    challenge: None,
                    ..self
                }
            }
            _ => self,
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        // It logs the error, and has the one mapping from classes to answers.
        let answer = ErrorResponse::from(&error);
        let oauth = error.class().oauth_error().unwrap_or("invalid_request");
        // A token that the request names is not accepted. RFC 9110 section 15.5.2 wants a challenge.
        let is_unauthorized = answer.status() == StatusCode::UNAUTHORIZED;
        Self {
            challenge: is_unauthorized.then_some(Challenge::InvalidToken),
            code: error.code().to_owned().into(),
            public_detail: answer.detail(),
            retry_after: answer.retry_after(),
            ..Self::new(answer.status(), oauth, error.to_string())
        }
    }
}

impl From<InvalidValue> for Failure {
    fn from(invalid: InvalidValue) -> Self {
        Error::from(invalid).into()
    }
}

impl From<BadForm> for Failure {
    fn from(bad: BadForm) -> Self {
        Self::invalid_request(bad.message())
    }
}

impl From<BeyondBounds> for Failure {
    fn from(beyond: BeyondBounds) -> Self {
        let (oauth, public_detail) = match &beyond {
            BeyondBounds::Scope(_) => ("invalid_scope", "the client may not hand out a scope"),
            BeyondBounds::Audience(_) | BeyondBounds::EveryAudience => {
                ("invalid_target", "the client may not hand out this audience")
            }
            BeyondBounds::MayIssue => ("invalid_request", "the client may not hand out may_issue"),
        };
        let failure = Self::new(StatusCode::FORBIDDEN, oauth, beyond.to_string());
        Self { code: "beyond_bounds".into(), public_detail, ..failure }
    }
}

impl From<Unauthenticated> for Failure {
    fn from(cause: Unauthenticated) -> Self {
        let unauthorized = |oauth, detail| Self {
            public_detail: detail,
            ..Self::new(StatusCode::UNAUTHORIZED, oauth, detail)
        };
        match cause {
            Unauthenticated::Missing => Self {
                code: "unauthenticated".into(),
                challenge: Some(Challenge::Bearer),
                ..unauthorized("invalid_client", "this needs the credentials of a client")
            },
            Unauthenticated::Malformed(bad) => Self::invalid_request(bad.message()),
            Unauthenticated::Refused(method) => Self {
                code: "invalid_client".into(),
                challenge: Some(match method {
                    AuthMethod::Basic | AuthMethod::Form | AuthMethod::Assertion => {
                        Challenge::Basic
                    }
                    AuthMethod::Bearer => Challenge::InvalidToken,
                }),
                ..unauthorized("invalid_client", "the credentials of the client are not accepted")
            },
            Unauthenticated::BadAssertion(bad) => {
                tracing::debug!(code = bad.code(), "a client assertion is not accepted");
                Self {
                    code: bad.code().into(),
                    challenge: Some(Challenge::Basic),
                    ..unauthorized("invalid_client", bad.message())
                }
            }
            Unauthenticated::Undecided => {
                Self::undecided("it cannot be decided now whether the assertion was used before")
            }
            Unauthenticated::InsufficientScope(scope) => Self {
                code: "insufficient_scope".into(),
                detail: format!("this needs the scope {scope}").into(),
                public_detail: "the client lacks a scope",
                challenge: Some(Challenge::InsufficientScope(scope)),
                ..Self::new(StatusCode::FORBIDDEN, "unauthorized_client", "")
            },
            Unauthenticated::Failed(error) => error.into(),
        }
    }
}
