//! What a request of a client ends in, if not in its answer.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::time::Duration;

use http::StatusCode;
use keyfob_api::Problem;
use keyfob_core::error_class::ErrorClass;
use keyfob_core::time::Ttl;

/// Why a request has no answer of the kind that was expected. No error contains a secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The server answered with an error.
    #[error(transparent)]
    Api(Box<ApiError>),
    /// The server did not answer.
    #[error(transparent)]
    Transport(TransportError),
    /// The answer is not one of this API. Check the URL: is there another server, or a proxy?
    #[error("the answer is not that of a keyfob server: {0}")]
    UnexpectedAnswer(String),
    /// The key of the client cannot be read from its file.
    #[error("the key of the client is not available: {0}")]
    Credentials(#[source] io::Error),
    /// The request cannot be written, or there is no randomness for its idempotency key.
    #[error("the request cannot be made: {0}")]
    Request(String),
}

/// An error that the server answered with (RFC 9457).
#[derive(Clone, Debug)]
pub struct ApiError {
    problem: Problem,
    retry_after: Option<Duration>,
}

/// Why the server did not answer.
#[derive(Debug)]
pub struct TransportError {
    kind: TransportErrorKind,
    server: String,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

/// What is known of a request that was not answered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum TransportErrorKind {
    /// No connection could be made, so nothing was sent.
    Connect,
    /// There was no answer in time. It is not known whether the request was done.
    Timeout,
    /// The connection broke. It is not known whether the request was done.
    Broken,
}

impl Error {
    /// Returns the stable code: that of the server, or `server_unreachable`, `no_answer`,
    /// `unexpected_answer`, `no_credentials` or `invalid_request`.
    pub fn code(&self) -> &str {
        match self {
            Self::Api(error) => error.code(),
            Self::Transport(error) => match error.kind {
                TransportErrorKind::Connect => "server_unreachable",
                TransportErrorKind::Timeout | TransportErrorKind::Broken => "no_answer",
            },
            Self::UnexpectedAnswer(_) => "unexpected_answer",
            Self::Credentials(_) => "no_credentials",
            Self::Request(_) => "invalid_request",
        }
    }

    /// Returns the kind of answer that the error calls for.
    pub fn class(&self) -> ErrorClass {
        match self {
            Self::Api(error) => error.class(),
            Self::Transport(_) => ErrorClass::Unavailable,
            Self::UnexpectedAnswer(_) | Self::Credentials(_) => ErrorClass::Internal,
            Self::Request(_) => ErrorClass::InvalidRequest,
        }
    }

    /// Returns the id of the request in the server's log, if the server answered.
    pub fn request_id(&self) -> Option<&str> {
        self.api().and_then(ApiError::request_id)
    }

    /// Returns when to try again, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.api().and_then(ApiError::retry_after)
    }

    /// Returns the error that the server answered with.
    pub fn api(&self) -> Option<&ApiError> {
        match self {
            Self::Api(error) => Some(error),
            _ => None,
        }
    }

    /// Returns whether the request may have been done although there is no answer.
    pub fn is_outcome_unknown(&self) -> bool {
        match self {
            Self::Transport(error) => error.kind != TransportErrorKind::Connect,
            Self::Api(error) => error.status() == StatusCode::GATEWAY_TIMEOUT,
            Self::UnexpectedAnswer(_) => true,
            Self::Credentials(_) | Self::Request(_) => false,
        }
    }
}

impl ApiError {
    pub(crate) fn new(problem: Problem, retry_after: Option<Duration>) -> Self {
        Self { problem, retry_after }
    }

    /// Returns the stable code.
    pub fn code(&self) -> &str {
        &self.problem.code
    }

    /// Returns the status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns what is wrong, and what to do next.
    pub fn message(&self) -> &str {
        self.problem.detail.as_deref().unwrap_or(&self.problem.title)
    }

    /// Returns the id of the request in the server's log.
    pub fn request_id(&self) -> Option<&str> {
        self.problem.request_id.as_deref()
    }

    /// Returns when to try again, if the server said so.
    pub fn retry_after(&self) -> Option<Duration> {
        self.retry_after
    }

    /// Returns the whole document.
    pub fn problem(&self) -> &Problem {
        &self.problem
    }

    /// Returns the kind of answer.
    pub fn class(&self) -> ErrorClass {
        let status = self.problem.status;
        match (status, self.code()) {
            (503, "contended") => ErrorClass::Contended,
            (401, _) => ErrorClass::InvalidToken,
            (403, "insufficient_scope") => ErrorClass::InsufficientScope,
            (403, _) => ErrorClass::AccessDenied,
            (404, _) => ErrorClass::NotFound,
            (409, _) => ErrorClass::Conflict,
            (429, _) => {
                let wait = self.retry_after.unwrap_or_default().as_millis();
                let wait = u64::try_from(wait).unwrap_or(u64::MAX);
                let retry_after = Ttl::from_millis(wait).unwrap_or(Ttl::from_secs(1));
                ErrorClass::Limited { retry_after }
            }
            (408 | 502..=504, _) => ErrorClass::Unavailable,
            (500.., _) => ErrorClass::Internal,
            _ => ErrorClass::InvalidRequest,
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl StdError for ApiError {}

impl From<ApiError> for Error {
    fn from(error: ApiError) -> Self {
        Self::Api(Box::new(error))
    }
}

impl TransportError {
    pub(crate) fn new(
        kind: TransportErrorKind,
        server: &str,
        source: Option<Box<dyn StdError + Send + Sync>>,
    ) -> Self {
        Self { kind, server: server.to_owned(), source }
    }

    /// Returns what is known of the request.
    pub fn kind(&self) -> TransportErrorKind {
        self.kind
    }
}

impl fmt::Display for TransportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kind, server, source } = self;
        match kind {
            TransportErrorKind::Connect => write!(f, "the server {server} cannot be reached")?,
            TransportErrorKind::Timeout => write!(
                f,
                "the server {server} did not answer in time: it is not known whether the request \
                 was done"
            )?,
            TransportErrorKind::Broken => write!(
                f,
                "the connection to {server} broke: it is not known whether the request was done"
            )?,
        }
        // The last cause is the one of the operating system.
        let mut cause: Option<&dyn StdError> = source.as_ref().map(|source| &**source as _);
        while let Some(inner) = cause.and_then(StdError::source) {
            cause = Some(inner);
        }
        match cause {
            Some(cause) => write!(f, " ({cause})"),
            None => Ok(()),
        }
    }
}

impl StdError for TransportError {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.source.as_ref().map(|source| &**source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, code: &str) -> ApiError {
        ApiError::new(Problem::new(status, "title", code), Some(Duration::from_secs(3)))
    }

    #[test]
    fn the_class_follows_from_the_answer() {
        let retry_after = Ttl::from_secs(3);
        for (status, code, class) in [
            (400, "invalid_filter", ErrorClass::InvalidRequest),
            (415, "unsupported_media_type", ErrorClass::InvalidRequest),
            (401, "invalid_client", ErrorClass::InvalidToken),
            (403, "insufficient_scope", ErrorClass::InsufficientScope),
            (403, "beyond_bounds", ErrorClass::AccessDenied),
            (404, "token_not_found", ErrorClass::NotFound),
            (409, "token_ended", ErrorClass::Conflict),
            (429, "limited", ErrorClass::Limited { retry_after }),
            (500, "x", ErrorClass::Internal),
            (503, "contended", ErrorClass::Contended),
            (503, "store_unavailable", ErrorClass::Unavailable),
        ] {
            assert_eq!(answered(status, code).class(), class, "{status} {code}");
        }
    }

    #[test]
    fn an_error_says_what_the_server_said() {
        let problem = Problem::new(404, "Not Found", "token_not_found").detail("no token");
        let error = Error::from(ApiError::new(problem.request_id("r1"), None));
        assert_eq!((error.code(), error.request_id()), ("token_not_found", Some("r1")));
        assert_eq!(error.to_string(), "no token");
        assert!(!error.is_outcome_unknown());
    }
}
