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

use http::{HeaderName, HeaderValue};
use keyfob::Token;
use percent_encoding::{AsciiSet, CONTROLS, utf8_percent_encode};

/// All headers of an identity. A client must not get through with one of them.
const HEADERS: [HeaderName; 6] = [
    HeaderName::from_static("x-token-subject"),
    HeaderName::from_static("x-token-client"),
    HeaderName::from_static("x-token-scope"),
    HeaderName::from_static("x-token-id"),
    HeaderName::from_static("x-token-kind"),
    HeaderName::from_static("x-token-expires"),
];

/// What is encoded in a value, beside what is not ASCII.
const ENCODED: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// Returns the identity of a token as headers. What it does not have is empty.
pub(super) fn headers(token: &Token) -> impl Iterator<Item = (HeaderName, HeaderValue)> {
    let text = |text: &str| utf8_percent_encode(text, ENCODED).to_string();
    let scopes: Vec<_> = token.scopes.iter().map(|scope| text(scope.as_str())).collect();
    let values = [
        token.subject.as_ref().map(|subject| text(subject.as_str())),
        token.client.as_ref().map(|client| text(client.as_str())),
        Some(scopes.join(" ")),
        Some(token.id.to_string()),
        Some(token.kind.to_string()),
        token.expires_at.map(|at| at.as_secs().to_string()),
    ];
    let value = |value: Option<String>| HeaderValue::try_from(value.unwrap_or_default()).ok();
    let headers = HEADERS.into_iter().zip(values);
    headers.map(move |(name, text)| (name, value(text).unwrap_or(HeaderValue::from_static(""))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob::{Grant, Kind, MemoryStore, TokenManager};

    async fn headers_of(grant: Grant) -> Vec<(String, String)> {
        let manager = TokenManager::new(MemoryStore::new().unwrap());
        let token = manager.issue(grant).await.unwrap().token;
        let shown = |(name, value): (HeaderName, HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        let changes = ["x-token-id", "x-token-expires"];
        let shown = headers(&token).map(shown);
        shown.filter(|(name, _)| !changes.contains(&name.as_str())).collect()
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
