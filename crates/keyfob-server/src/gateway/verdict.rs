//! The verdict on a request as a value.

use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use keyfob::LimitVerdict;
use keyfob_tower::ErrorResponse;
use serde::Serialize;

use super::demands::BadDemands;

/// The verdict on a request. `T` is the identity of the token, in the form of the answer.
#[derive(Debug)]
pub(crate) enum Verdict<T> {
    /// The request may pass.
    Allowed(Allowed<T>),
    /// It may not.
    Denied(Denial),
}

/// Whose a request is that may pass.
#[derive(Debug)]
pub(crate) struct Allowed<T> {
    /// The identity of the token that it presents.
    pub(crate) identity: T,
    /// The status of the limits that were charged.
    pub(crate) limits: Option<LimitVerdict>,
}

/// Why a request may not pass. What the client learns of it gives no reason.
#[derive(Debug)]
pub(crate) enum Denial {
    /// By its token, or the state of the service.
    Token(Box<ErrorResponse>),
    /// The demands of the gateway are not valid.
    Demands(BadDemands),
}

/// A problem document (RFC 9457).
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: &'a str,
    code: &'static str,
}

impl Denial {
    /// Returns the response that the client gets. Every gateway sends the same one.
    pub(crate) fn response(self) -> Response<String> {
        match self {
            Self::Token(response) => response.into_text_response(),
            Self::Demands(bad) => {
                let status = StatusCode::BAD_REQUEST;
                let problem = Problem {
                    r#type: "about:blank",
                    title: status.canonical_reason().unwrap_or_default(),
                    status: status.as_u16(),
                    detail: &bad.to_string(),
                    code: "invalid_demands",
                };
                let mut response =
                    Response::new(serde_json::to_string(&problem).unwrap_or_default());
                *response.status_mut() = status;
                let headers = response.headers_mut();
                headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
                headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
                response
            }
        }
    }
}

impl From<ErrorResponse> for Denial {
    fn from(response: ErrorResponse) -> Self {
        Self::Token(Box::new(response))
    }
}

impl From<BadDemands> for Denial {
    fn from(bad: BadDemands) -> Self {
        Self::Demands(bad)
    }
}
