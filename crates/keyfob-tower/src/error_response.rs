//! The response to an error: one table from classes of errors to statuses, codes and texts.

use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use keyfob::{ErrorClass, LimitVerdict, Ttl};
use serde::Serialize;

use crate::body::ResponseBody;
use crate::grpc;
use crate::rate_limit_fields::{seconds, write_rate_limit};
use crate::realm::{InvalidRealm, realm_value};

/// When to try again if a store cannot be reached.
const RETRY_UNAVAILABLE: Ttl = Ttl::from_secs(1);
/// The header that has the nonce for the next proof (RFC 9449 section 8).
pub(crate) const DPOP_NONCE: HeaderName = HeaderName::from_static("dpop-nonce");
/// The algorithms of a signature that a proof may have.
const PROOF_ALGORITHMS: &str = "ES256 EdDSA Ed25519 ES384 PS256 RS256";
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");

/// What a client learns of an error: a status, a stable code and a safe sentence.
///
/// Every [`keyfob::Error`] becomes one by `From`, so a handler returns
/// `Result<_, ErrorResponse>` and uses `?`. The mapping goes by [`ErrorClass`] and is exhaustive: an
/// error of a new class does not compile. Nothing of the error's own text or code is sent, since an
/// attacker learns from it whether a token exists. Log the error where you need the reason.
///
/// | class | status | code |
/// |---|---|---|
/// | no credentials | 401 | `unauthenticated`, and no OAuth error code (RFC 6750 section 3.1) |
/// | [`InvalidRequest`](ErrorClass::InvalidRequest) | 400 | `invalid_request` |
/// | [`InvalidScope`](ErrorClass::InvalidScope) | 400 | `invalid_scope` |
/// | [`InvalidTarget`](ErrorClass::InvalidTarget) | 400 | `invalid_target` |
/// | [`InvalidToken`](ErrorClass::InvalidToken) | 401 | `invalid_token` |
/// | [`InsufficientScope`](ErrorClass::InsufficientScope) | 403 | `insufficient_scope` |
/// | [`AccessDenied`](ErrorClass::AccessDenied) | 403 | `access_denied` |
/// | [`InvalidGrant`](ErrorClass::InvalidGrant) | 400 | `invalid_grant` |
/// | [`NotFound`](ErrorClass::NotFound) | 404 | `not_found` |
/// | [`Conflict`](ErrorClass::Conflict) | 409 | `conflict` |
/// | [`Limited`](ErrorClass::Limited) | 429 with `Retry-After` | `temporarily_unavailable` |
/// | [`Contended`](ErrorClass::Contended), [`Unavailable`](ErrorClass::Unavailable) | 503 with `Retry-After` | `temporarily_unavailable` |
/// | [`Internal`](ErrorClass::Internal) | 500 | `server_error` |
///
/// ```
/// use keyfob::{Refusal, store::StoreError};
/// use keyfob_tower::ErrorResponse;
///
/// let revoked_or_unknown = ErrorResponse::from(keyfob::Error::from(Refusal::Unknown));
/// assert_eq!(revoked_or_unknown.status(), 401);
/// assert_eq!(revoked_or_unknown.code(), "invalid_token");
///
/// let down = keyfob::Error::from(StoreError::unavailable("connection refused by 10.0.0.7"));
/// use axum::response::IntoResponse;
/// let response = ErrorResponse::from(down).into_response();
/// assert_eq!(response.status(), 503);
/// assert_eq!(response.headers()["retry-after"], "1");
/// ```
#[derive(Clone, Debug)]
pub struct ErrorResponse {
    class: ErrorClass,
    /// Whether the request had no credentials at all.
    is_unauthenticated: bool,
    /// Whether the body has the form of RFC 6749.
    is_token_endpoint: bool,
    detail: &'static str,
    realm: Option<HeaderValue>,
    scope: Option<Box<str>>,
    resource_metadata: Option<Box<str>>,
    /// Boxed, as most errors have none.
    fields: Option<Box<HeaderMap>>,
    proof: ProofDemand,
}

/// What the response says about proofs of possession (RFC 9449 section 7.1).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum ProofDemand {
    None,
    /// The resource takes tokens with the scheme `DPoP` too.
    Offered,
    Invalid,
    UseNonce,
}

impl ErrorResponse {
    /// Returns the response to a class of errors.
    pub fn new(class: ErrorClass) -> Self {
        Self {
            class,
            is_unauthenticated: false,
            is_token_endpoint: false,
            detail: detail(class),
            realm: None,
            scope: None,
            resource_metadata: None,
            fields: None,
            proof: ProofDemand::None,
        }
    }

    /// Returns the response to a request without credentials.
    pub fn unauthenticated() -> Self {
        let detail = "this needs a bearer token";
        Self { is_unauthenticated: true, detail, ..Self::new(ErrorClass::InvalidToken) }
    }

    /// Returns the response to a request that a limit does not admit: 429 with `Retry-After` and the
    /// `RateLimit` fields.
    pub fn rate_limited(verdict: &LimitVerdict) -> Self {
        let retry_after = verdict.retry_after().unwrap_or(RETRY_UNAVAILABLE);
        let mut rate_limit = Box::new(HeaderMap::new());
        write_rate_limit(verdict, &mut rate_limit);
        let limited = Self::new(ErrorClass::Limited { retry_after });
        Self { fields: Some(rate_limit), ..limited }
    }

    /// Returns the response to a request with a proof of possession that is not valid (RFC 9449 section 7.1). It has
    /// a nonce for the next one, if proofs need one.
    pub fn invalid_dpop_proof(nonce: Option<HeaderValue>) -> Self {
        let detail = "the DPoP proof is not valid for this request";
        Self::about_proof(ProofDemand::Invalid, detail, nonce)
    }

    /// Returns the response to a request whose proof of possession has no nonce that counts (RFC 9449 section 9).
    pub fn use_dpop_nonce(nonce: Option<HeaderValue>) -> Self {
        let detail = "the DPoP proof needs the nonce of the header DPoP-Nonce";
        Self::about_proof(ProofDemand::UseNonce, detail, nonce)
    }

    fn about_proof(proof: ProofDemand, detail: &'static str, nonce: Option<HeaderValue>) -> Self {
        let nonce = nonce.map(|nonce| (DPOP_NONCE, nonce));
        let fields = nonce.map(|field| Box::new(HeaderMap::from_iter([field])));
        Self { detail, proof, fields, ..Self::new(ErrorClass::InvalidToken) }
    }

    /// Says in the challenge that a token may be presented with the scheme `DPoP`.
    #[must_use]
    pub fn offer_dpop(self) -> Self {
        match self.proof {
            ProofDemand::None => Self { proof: ProofDemand::Offered, ..self },
            _ => self,
        }
    }

    /// Returns the response to a request that cannot be understood. The sentence is sent.
    pub fn invalid_request(detail: &'static str) -> Self {
        Self { detail, ..Self::new(ErrorClass::InvalidRequest) }
    }

    /// Names the scopes that the resource needs, in the challenge of a 403 (RFC 6750 section 3).
    #[must_use]
    pub fn scope(self, scopes: impl Into<String>) -> Self {
        let scopes = scopes.into().into_boxed_str();
        Self { scope: Some(scopes).filter(|scopes| !scopes.is_empty()), ..self }
    }

    /// Says in the challenge where the metadata of the resource are (RFC 9728 section 5.1). A text that is no URI in
    /// ASCII is left out.
    #[must_use]
    pub fn resource_metadata(self, uri: &str) -> Self {
        let is_quotable = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        match uri.bytes().all(is_quotable) {
            true => Self { resource_metadata: Some(uri.into()), ..self },
            false => self,
        }
    }

    /// Names the realm in the challenge, as a resource that demands a bearer token does.
    ///
    /// # Errors
    /// If the realm has a quote, a backslash or a character that is not visible ASCII or a space.
    pub fn in_realm(self, realm: &str) -> Result<Self, InvalidRealm> {
        Ok(Self { realm: Some(realm_value(realm)?), ..self })
    }

    pub(crate) fn realm(self, realm: &HeaderValue) -> Self {
        Self { realm: Some(realm.clone()), ..self }
    }

    /// Returns the class of the error.
    pub fn class(&self) -> ErrorClass {
        self.class
    }

    /// Returns the HTTP status.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.class.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// Returns the stable code. Where OAuth has one, it is that.
    pub fn code(&self) -> &'static str {
        if self.is_unauthenticated {
            return "unauthenticated";
        }
        match self.proof {
            ProofDemand::Invalid => return "invalid_dpop_proof",
            ProofDemand::UseNonce => return "use_dpop_nonce",
            ProofDemand::None | ProofDemand::Offered => {}
        }
        self.class.oauth_error().unwrap_or(self.class.as_str())
    }

    /// Returns the sentence that is sent.
    pub fn detail(&self) -> &'static str {
        self.detail
    }

    /// Returns the response, with a body of `application/problem+json` (RFC 9457) or, [at a token
    /// endpoint](Self::at_token_endpoint), the JSON of RFC 6749. A handler of axum returns the error
    /// itself.
    pub fn into_http_response<B>(self) -> Response<ResponseBody<B>> {
        self.into_text_response().map(ResponseBody::text)
    }

    /// Returns the same response with its body as a text, for a service that has to write it in another
    /// protocol.
    pub fn into_text_response(self) -> Response<String> {
        let status = self.status();
        if self.is_token_endpoint {
            let body = OAuthError { error: self.code(), error_description: self.detail };
            let mut response = json(status, "application/json", &body);
            self.write_headers(response.headers_mut());
            return response;
        }
        let problem = Problem {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.detail,
            code: self.code(),
        };
        let mut response = json(status, "application/problem+json", &problem);
        self.write_headers(response.headers_mut());
        response
    }

    /// Returns the same error as a token endpoint answers it (RFC 6749 section 5.2), such as the one
    /// that refreshes tokens: JSON with `error` and `error_description`.
    ///
    /// There, a token that is not accepted is `invalid_grant` with status 400.
    ///
    /// ```
    /// use keyfob::ErrorClass;
    /// use keyfob_tower::ErrorResponse;
    ///
    /// let refused = ErrorResponse::new(ErrorClass::InvalidToken).at_token_endpoint();
    /// assert_eq!((refused.code(), refused.status().as_u16()), ("invalid_grant", 400));
    /// ```
    #[must_use]
    pub fn at_token_endpoint(self) -> Self {
        let same = Self { is_token_endpoint: true, is_unauthenticated: false, ..self };
        match same.class {
            // RFC 9449 section 5: the proof is wrong, not the grant.
            ErrorClass::InvalidToken if same.has_proof_error() => {
                Self { class: ErrorClass::InvalidRequest, ..same }
            }
            ErrorClass::InvalidToken => {
                let class = ErrorClass::InvalidGrant;
                Self { class, detail: detail(class), ..same }
            }
            _ => same,
        }
    }

    /// Returns the response of a gRPC service: the status in the headers, and no body.
    pub fn into_grpc_response<B>(self) -> Response<ResponseBody<B>> {
        let mut response = Response::new(ResponseBody::text(""));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from(u16::from(grpc::status(self.class))));
        headers.insert("grpc-message", HeaderValue::from_static(self.detail));
        if let Some(retry_after) = self.retry_after() {
            // gRFC A6: the pause before a retry, in milliseconds.
            headers.insert("grpc-retry-pushback-ms", HeaderValue::from(retry_after.as_millis()));
        }
        self.write_headers(headers);
        response
    }

    /// Returns the response that the request can read: that of gRPC, or a problem document.
    pub(crate) fn respond_to<B>(self, request: &HeaderMap) -> Response<ResponseBody<B>> {
        if grpc::is_grpc(request) { self.into_grpc_response() } else { self.into_http_response() }
    }

    /// Returns when the same request may succeed, if waiting helps: the field `Retry-After`.
    pub fn retry_after(&self) -> Option<Ttl> {
        match self.class {
            ErrorClass::Limited { retry_after } => Some(retry_after),
            ErrorClass::Contended | ErrorClass::Unavailable => Some(RETRY_UNAVAILABLE),
            _ => None,
        }
    }

    fn write_headers(self, headers: &mut HeaderMap) {
        headers.insert(CACHE_CONTROL, NO_STORE);
        if let Some(retry_after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds(retry_after)));
        }
        for challenge in self.challenges() {
            headers.append(WWW_AUTHENTICATE, challenge);
        }
        if let Some(fields) = self.fields {
            headers.extend(*fields);
        }
    }

    /// Returns whether it is about a proof of possession that does not count.
    fn has_proof_error(&self) -> bool {
        matches!(self.proof, ProofDemand::Invalid | ProofDemand::UseNonce)
    }

    /// Returns the challenges of RFC 6750 section 3 and RFC 9449 section 7.1, where the answer has any.
    fn challenges(&self) -> impl Iterator<Item = HeaderValue> {
        let parameters = self.challenge_parameters();
        let bearer = parameters.as_ref().filter(|_| !self.has_proof_error());
        let bearer = bearer.map(|parameters| format!("Bearer {}", parameters.join(", ")));
        let dpop = parameters.as_ref().filter(|_| self.proof != ProofDemand::None);
        let dpop = dpop.map(|parameters| {
            let algorithms = format!("algs=\"{PROOF_ALGORITHMS}\"");
            let parameters = parameters.iter().cloned().chain([algorithms]);
            format!("DPoP {}", parameters.collect::<Vec<_>>().join(", "))
        });
        let challenges = bearer.into_iter().chain(dpop);
        challenges.filter_map(|text| HeaderValue::try_from(text.trim_end()).ok())
    }

    /// Returns the parameters of a challenge, where the answer has one.
    fn challenge_parameters(&self) -> Option<Vec<String>> {
        let is_about_credentials = match self.class {
            ErrorClass::InvalidToken
            | ErrorClass::InsufficientScope
            | ErrorClass::InvalidRequest => true,
            ErrorClass::InvalidScope
            | ErrorClass::InvalidTarget
            | ErrorClass::AccessDenied
            | ErrorClass::InvalidGrant
            | ErrorClass::NotFound
            | ErrorClass::Conflict
            | ErrorClass::Contended
            | ErrorClass::Limited { .. }
            | ErrorClass::Unavailable
            | ErrorClass::Internal => false,
        };
        // Outside a resource that demands a token, a bad request is not about credentials.
        if !is_about_credentials
            || (self.realm.is_none() && self.status() == StatusCode::BAD_REQUEST)
        {
            return None;
        }
        let mut parameters = Vec::new();
        if let Some(realm) = &self.realm {
            parameters.push(format!("realm=\"{}\"", realm.to_str().unwrap_or_default()));
        }
        if !self.is_unauthenticated {
            parameters.push(format!("error=\"{}\"", self.code()));
            parameters.push(format!("error_description=\"{}\"", self.detail));
        }
        if let Some(scope) = &self.scope {
            parameters.push(format!("scope=\"{scope}\""));
        }
        if let Some(uri) = &self.resource_metadata {
            parameters.push(format!("resource_metadata=\"{uri}\""));
        }
        Some(parameters)
    }
}

impl From<keyfob::Error> for ErrorResponse {
    fn from(error: keyfob::Error) -> Self {
        Self::from(&error)
    }
}

impl From<&keyfob::Error> for ErrorResponse {
    fn from(error: &keyfob::Error) -> Self {
        let class = error.class();
        match class {
            ErrorClass::Internal => tracing::error!(code = error.code(), %error, "keyfob failed"),
            ErrorClass::Unavailable | ErrorClass::Contended => {
                tracing::warn!(code = error.code(), %error, "keyfob is not available");
            }
            _ => tracing::debug!(code = error.code(), "keyfob refused"),
        }
        Self::new(class)
    }
}

impl From<keyfob::InvalidValue> for ErrorResponse {
    fn from(invalid: keyfob::InvalidValue) -> Self {
        Self::from(keyfob::Error::from(invalid))
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponse for ErrorResponse {
    fn into_response(self) -> axum::response::Response {
        self.into_http_response::<axum::body::Body>().map(axum::body::Body::new)
    }
}

/// Returns the sentence for a class of errors. It says nothing that only a holder of the token, or
/// an operator, may know.
fn detail(class: ErrorClass) -> &'static str {
    match class {
        ErrorClass::InvalidRequest => "a value in the request is not valid",
        ErrorClass::InvalidScope => "a scope is not valid, or is more than the token allows",
        ErrorClass::InvalidTarget => "an audience is not valid, or is more than the token allows",
        ErrorClass::InvalidToken => "the token is malformed, expired, revoked or not accepted here",
        ErrorClass::InsufficientScope => "the request needs more scope than the token has",
        ErrorClass::AccessDenied => "access is denied",
        ErrorClass::InvalidGrant => "the grant is not valid any more: authenticate again",
        ErrorClass::NotFound => "there is no such token",
        ErrorClass::Conflict => "the state of the token or of its subject does not allow this",
        ErrorClass::Limited { .. } => "too many requests: try again later",
        ErrorClass::Contended | ErrorClass::Unavailable => "this cannot be decided now: try again",
        ErrorClass::Internal => "the service has failed",
    }
}

/// The members of a problem document (RFC 9457), and the stable code.
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    kind: &'static str,
    title: &'static str,
    status: u16,
    detail: &'static str,
    code: &'static str,
}

#[derive(Serialize)]
struct OAuthError {
    error: &'static str,
    error_description: &'static str,
}

fn json(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response<String> {
    let text = serde_json::to_string(body).unwrap_or_default();
    let mut response = Response::new(text);
    *response.status_mut() = status;
    let name: HeaderName = CONTENT_TYPE;
    response.headers_mut().insert(name, HeaderValue::from_static(content_type));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(feature = "dpop")]
    #[test]
    fn a_challenge_names_the_algorithms_that_are_accepted() {
        let names: Vec<_> = PROOF_ALGORITHMS.split(' ').collect();
        assert_eq!(names, crate::dpop::Dpop::ALGORITHMS);
    }

    const CLASSES: [ErrorClass; 13] = [
        ErrorClass::InvalidRequest,
        ErrorClass::InvalidScope,
        ErrorClass::InvalidTarget,
        ErrorClass::InvalidToken,
        ErrorClass::InsufficientScope,
        ErrorClass::AccessDenied,
        ErrorClass::InvalidGrant,
        ErrorClass::NotFound,
        ErrorClass::Conflict,
        ErrorClass::Contended,
        ErrorClass::Limited { retry_after: Ttl::from_secs(7) },
        ErrorClass::Unavailable,
        ErrorClass::Internal,
    ];

    #[test]
    fn every_answer_says_not_to_store_it_and_when_to_come_back() {
        for class in CLASSES {
            let answer = ErrorResponse::new(class);
            let responses: [Response<ResponseBody<String>>; 3] = [
                answer.clone().into_http_response(),
                answer.clone().at_token_endpoint().into_http_response(),
                answer.into_grpc_response(),
            ];
            for response in responses {
                assert_eq!(response.headers()["cache-control"], "no-store", "{class}");
                let comes_back = response.headers().contains_key("retry-after");
                assert_eq!(comes_back, class.is_retryable(), "{class}");
            }
        }
    }

    #[test]
    fn a_text_of_the_client_is_never_part_of_an_answer() {
        let error = keyfob::Subject::new("hunter2\n").unwrap_err();
        let answer = ErrorResponse::from(error);
        assert_eq!((answer.code(), answer.status().as_u16()), ("invalid_request", 400));
        assert!(!format!("{answer:?}").contains("hunter2"));
    }

    #[test]
    fn a_challenge_without_a_realm_has_no_loose_ends() {
        let response: Response<ResponseBody<String>> =
            ErrorResponse::unauthenticated().into_http_response();
        assert_eq!(response.headers()["www-authenticate"], "Bearer");
    }
}
