//! A failure in the form that the caller of a route expects.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response};
use keyfob_api::Problem;
use keyfob_tower::dpop::NONCE;
use schemars::JsonSchema;
use serde::Serialize;

use super::codes;
use super::failure::{Challenge, Failure};

/// The form of the failures of a route.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ErrorForm {
    /// The JSON of RFC 6749 section 5.2. It gives no reason.
    OAuth,
    /// A problem document (RFC 9457), with the stable code and the reason.
    Problem,
}

/// An error of OAuth (RFC 6749 section 5.2).
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "OAuthError")]
pub(crate) struct OAuthBody<'a> {
    /// The code.
    error: &'a str,
    /// What is wrong, as far as anybody may know.
    #[serde(skip_serializing_if = "str::is_empty")]
    error_description: &'a str,
}

impl Failure {
    /// Returns the problem document (RFC 9457).
    pub(crate) fn problem(&self, request_id: &str) -> Problem {
        let status = self.status.as_u16();
        debug_assert!(
            codes::of_status(status).contains(&&*self.code),
            "respond/codes.rs does not list the code {} of {status}",
            self.code
        );
        let title = self.status.canonical_reason().unwrap_or_default();
        let problem = Problem::new(status, title, self.code.clone());
        problem.detail(self.detail.clone()).request_id(request_id)
    }

    /// Returns the response.
    pub(crate) fn render(&self, form: ErrorForm, request_id: &str) -> Response<Body> {
        let (content_type, body) = match form {
            ErrorForm::OAuth => {
                let body = OAuthBody { error: self.oauth, error_description: self.public_detail };
                ("application/json", serde_json::to_vec(&body))
            }
            ErrorForm::Problem => {
                let body = self.problem(request_id);
                ("application/problem+json", serde_json::to_vec(&body))
            }
        };
        let mut response = Response::new(Body::from(body.unwrap_or_default()));
        *response.status_mut() = self.status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(retry_after) = self.retry_after {
            let seconds = retry_after.as_millis().div_ceil(1_000);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        if let Some(nonce) = &self.dpop_nonce {
            headers.insert(NONCE, HeaderValue::clone(nonce));
        }
        if let Some(challenge) = self.challenge {
            headers.append(WWW_AUTHENTICATE, challenge.header(form));
            if challenge == Challenge::Bearer && form == ErrorForm::OAuth {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(BASIC));
            }
        }
        response
    }
}

const BASIC: &str = r#"Basic realm="keyfob", charset="UTF-8""#;

impl Challenge {
    fn header(self, form: ErrorForm) -> HeaderValue {
        let text = match self {
            Self::Basic => BASIC,
            Self::Bearer => r#"Bearer realm="keyfob""#,
            Self::InvalidToken => r#"Bearer realm="keyfob", error="invalid_token""#,
            Self::InsufficientScope(_) if form == ErrorForm::OAuth => {
                r#"Bearer realm="keyfob", error="insufficient_scope""#
            }
            Self::InsufficientScope(scope) => {
                let text = format!(
                    r#"Bearer realm="keyfob", error="insufficient_scope", scope="{scope}""#
                );
                return HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("Bearer"));
            }
        };
        HeaderValue::from_static(text)
    }
}
