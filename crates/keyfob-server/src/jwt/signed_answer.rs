//! Introspection with a signed answer (RFC 9701), for a caller that asks for one by `Accept`: it can show to others what
//! the service said.
//!
//! The answer is the JSON of introspection in a JWT for the caller. Its type is another one than that of access tokens,
//! and it has no `sub` and no `exp` of its own, so nobody takes it for a token (section 8.1).

use axum::body::Body;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response};
use serde::Serialize;
use serde_json::Value;

use super::keys::JwtKeys;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;

/// The media type of an answer (section 4).
pub(crate) const MEDIA_TYPE: &str = "application/token-introspection+jwt";
/// The type in the header (section 5).
const TYPE: &str = "token-introspection+jwt";

/// The claims of an answer (section 5).
#[derive(Serialize)]
struct Claims {
    iss: String,
    aud: String,
    iat: u64,
    token_introspection: Value,
}

/// Returns the keys that sign the answer, if the caller asks for a signed one and there are keys.
pub(crate) fn wanted(call: &Call) -> Option<&JwtKeys> {
    call.shared.settings.jwt.keys.as_ref().filter(|_| accepts(&call.parts.headers))
}

/// Signs an answer of introspection for the caller.
pub(crate) fn sign(call: &Call, keys: &JwtKeys, answer: &[u8]) -> Answer {
    let not_signed = || Failure::internal("answer_not_signed");
    let caller = call.caller()?.token();
    let claims = Claims {
        iss: call.issuer()?,
        aud: caller.client.as_ref().map_or_else(|| caller.id.to_string(), ToString::to_string),
        iat: call.manager().now().as_secs(),
        token_introspection: serde_json::from_slice(answer).map_err(|_| not_signed())?,
    };
    let version = keys.active().ok_or_else(not_signed)?;
    let key = version.signing(call.shared.settings.jwt.algorithm);
    let mut response =
        Response::new(Body::from(key.sign(TYPE, &claims).map_err(|_| not_signed())?));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Returns whether a request names the media type, with a weight above zero (RFC 9110 section 12.5.1).
fn accepts(headers: &HeaderMap) -> bool {
    let values = headers.get_all(ACCEPT).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(MEDIA_TYPE));
        let is_zero = |weight: &str| weight.bytes().all(|byte| matches!(byte, b'0' | b'.'));
        let mut weights = parts.filter_map(|part| part.strip_prefix("q="));
        is_named && !weights.any(is_zero)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signed_answer_is_asked_for_by_name() {
        for (accept, expected) in [
            ("application/token-introspection+jwt", true),
            ("Application/Token-Introspection+JWT; q=0.5, application/json", true),
            ("application/json, application/token-introspection+jwt;q=0.001", true),
            ("application/token-introspection+jwt;q=0", false),
            ("application/token-introspection+jwt; q=0.000", false),
            ("application/json", false),
            ("*/*", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(accepts(&headers), expected, "{accept}");
        }
        assert!(!accepts(&HeaderMap::new()));
    }
}
