//! The identity of a token as headers for the service behind a gateway.
//!
//! | header | value |
//! |---|---|
//! | `X-Token-Subject` | the subject |
//! | `X-Token-Client` | the client |
//! | `X-Token-Scope` | the scopes, separated by spaces |
//! | `X-Token-Id` | the id of the token |
//! | `X-Token-Kind` | `access`, `api-key` or `session` |
//! | `X-Token-Expires` | when the token expires, in seconds since 1970 |
//!
//! What a token does not have is an empty header, so that a gateway that copies it overwrites what a client
//! sends. A value is percent-encoded (RFC 3986 section 2.1) where it
//! has a space, a `%`, or a character that is not visible ASCII. So a value cannot end its header,
//! and two values that differ stay different.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use keyfob::cache::ActiveToken;
use percent_encoding::{AsciiSet, CONTROLS, PercentEncode, utf8_percent_encode};

/// All headers of an identity. A client must not get through with one of them.
pub(super) const NAMES: [&str; 6] = [
    "x-token-subject",
    "x-token-client",
    "x-token-scope",
    "x-token-id",
    "x-token-kind",
    "x-token-expires",
];

/// The same, as names of headers.
const HEADERS: [HeaderName; NAMES.len()] = [
    HeaderName::from_static(NAMES[0]),
    HeaderName::from_static(NAMES[1]),
    HeaderName::from_static(NAMES[2]),
    HeaderName::from_static(NAMES[3]),
    HeaderName::from_static(NAMES[4]),
    HeaderName::from_static(NAMES[5]),
];

/// How many headers most answers have: these, and what every answer has.
const USUAL_HEADERS: usize = 12;

/// How long all values are together at most, mostly.
const USUAL_BYTES: usize = 256;

/// What is encoded in a value, beside what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Returns the identity of a token as headers. What it does not have is empty.
pub(super) fn headers(token: &ActiveToken<'_>) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(USUAL_HEADERS);
    for (name, value) in HEADERS.into_iter().zip(values(token)) {
        let value = HeaderValue::from_maybe_shared(value);
        headers.insert(name, value.unwrap_or(HeaderValue::from_static("")));
    }
    headers
}

/// Returns the values of the headers, in the order of [`NAMES`]. What a token does not have is empty.
pub(super) fn values(token: &ActiveToken<'_>) -> [Bytes; NAMES.len()] {
    // All values are parts of one text, so that each needs no memory of its own.
    let mut all = String::with_capacity(USUAL_BYTES);
    let mut ends = [0; NAMES.len()];
    all.extend(encoded(token.subject().unwrap_or_default()));
    ends[0] = all.len();
    all.extend(encoded(token.client().unwrap_or_default()));
    ends[1] = all.len();
    for (place, scope) in token.scopes().enumerate() {
        all.push_str(if place == 0 { "" } else { " " });
        all.extend(encoded(scope));
    }
    ends[2] = all.len();
    // A text takes whatever is written.
    let _written = write!(all, "{}", token.id());
    ends[3] = all.len();
    all.push_str(token.kind().as_str());
    ends[4] = all.len();
    if let Some(at) = token.expires_at() {
        let _written = write!(all, "{}", at.as_secs());
    }
    ends[5] = all.len();
    let all = Bytes::from(all);
    let mut begin = 0;
    ends.map(|end| all.slice(std::mem::replace(&mut begin, end)..end))
}

fn encoded(text: &str) -> PercentEncode<'_> {
    utf8_percent_encode(text, ENCODED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob::{Grant, Kind, MemoryStore, TokenManager, ValidationChain};

    async fn headers_of(grant: Grant) -> Vec<(String, String)> {
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        let bearer = manager.issue(grant).await.unwrap().bearer;
        let chain = ValidationChain::new();
        let headers = manager.validate_with(&bearer, &chain, headers).await.unwrap();
        let shown = |name: &str| (name.to_owned(), headers[name].to_str().unwrap().to_owned());
        let changes = ["x-token-id", "x-token-expires"];
        NAMES.into_iter().filter(|name| !changes.contains(name)).map(shown).collect()
    }

    fn expected(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[tokio::test]
    async fn values_that_are_not_plain_are_encoded() {
        let grant = Grant::new(Kind::Session).subject(" älice%20, x\u{a0}").client("a b");
        let wanted = [
            ("x-token-subject", "%20%C3%A4lice%2520,%20x%C2%A0"),
            ("x-token-client", "a%20b"),
            ("x-token-scope", "a%25 b"),
            ("x-token-kind", "session"),
        ];
        assert_eq!(headers_of(grant.scopes("b a%")).await, expected(&wanted));
    }

    #[tokio::test]
    async fn an_attribute_that_a_token_lacks_is_an_empty_header() {
        let wanted = [
            ("x-token-subject", ""),
            ("x-token-client", ""),
            ("x-token-scope", ""),
            ("x-token-kind", "api-key"),
        ];
        assert_eq!(headers_of(Grant::new(Kind::ApiKey)).await, expected(&wanted));
    }
}
