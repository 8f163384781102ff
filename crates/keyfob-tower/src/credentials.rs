//! The bearer token of a request, from the `Authorization` header or from a cookie.

use std::fmt;

use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};

use crate::cookie::SessionCookie;
use crate::error_response::ErrorResponse;

/// The maximum length of a bearer token in bytes, which may be a JWT. An opaque one of keyfob is shorter.
const MAX_BEARER_BYTES: usize = 8 * 1024;
/// The maximum length of all `Cookie` headers of a request in bytes.
const MAX_COOKIE_BYTES: usize = 16 * 1024;
/// The maximum length of a query in bytes.
const MAX_QUERY_BYTES: usize = 16 * 1024;
/// The parameter that RFC 6750 section 2.3 names. RFC 9700 section 4.3.2 forbids its use.
const QUERY_PARAMETER: &str = "access_token";

/// Where a bearer token was found in the request.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CredentialSource {
    /// The `Authorization` header (RFC 6750 section 2.1).
    Header,
    /// The session cookie.
    Cookie,
}

/// The bearer token of a request, for a service that validates it by itself, such as the check of a
/// gateway. [`AuthLayer`](crate::AuthLayer) reads requests in the same way. `Debug` does not show the
/// token.
///
/// ```
/// use keyfob_tower::PresentedBearer;
///
/// let mut headers = http::HeaderMap::new();
/// headers.insert("authorization", "Bearer fob_at_example".parse()?);
/// let presented = PresentedBearer::read(&headers, "page=2", None).ok().flatten();
/// assert_eq!(presented.map(|presented| presented.bearer()), Some("fob_at_example"));
///
/// headers.append("authorization", "Bearer fob_at_other".parse()?);
/// assert!(PresentedBearer::read(&headers, "", None).is_err(), "which of the two is meant?");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy)]
pub struct PresentedBearer<'a> {
    bearer: &'a str,
    source: CredentialSource,
    scheme: AuthScheme,
}

/// The scheme with which a token is presented.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AuthScheme {
    /// `Bearer` (RFC 6750), or a cookie.
    Bearer,
    /// `DPoP` (RFC 9449 section 7.1): the header `DPoP` has a proof of the key that the token is bound to.
    Dpop,
}

/// Why the credentials of a request cannot be read. Each is answered as `invalid_request`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum BadCredentials {
    InQuery,
    QueryTooLong,
    SeveralHeaders,
    MalformedHeader,
    SeveralCookies,
    MalformedCookie,
    HeaderAndCookie,
    TooLong,
}

impl BadCredentials {
    /// Returns a sentence for the client.
    fn message(self) -> &'static str {
        match self {
            Self::InQuery => {
                "a bearer token in the query is not accepted: use the Authorization header"
            }
            Self::QueryTooLong => "the query is too long",
            Self::SeveralHeaders => "there is more than one Authorization header",
            Self::MalformedHeader => "the Authorization header is malformed",
            Self::SeveralCookies => "there is more than one session cookie",
            Self::MalformedCookie => "the session cookie is malformed",
            Self::HeaderAndCookie => {
                "the request has a bearer token in the Authorization header and a session cookie: send one"
            }
            Self::TooLong => "the bearer token or a header is too long",
        }
    }
}

impl<'a> PresentedBearer<'a> {
    /// Reads the one bearer token of a request; `None` if the request has none.
    ///
    /// The cookie counts only if it is given here. A header of another scheme, such as Basic, is no
    /// bearer token.
    ///
    /// # Errors
    /// If the request has more than one bearer token, one in the query, or one that is malformed.
    pub fn read(
        headers: &'a HeaderMap,
        query: &str,
        cookie: Option<&SessionCookie>,
    ) -> Result<Option<Self>, ErrorResponse> {
        let cookie = cookie.map(SessionCookie::name);
        Self::read_named(headers, query, cookie)
            .map_err(|bad| ErrorResponse::invalid_request(bad.message()))
    }

    /// Returns the bearer token.
    pub fn bearer(&self) -> &'a str {
        self.bearer
    }

    /// Returns where it was found.
    pub fn source(&self) -> CredentialSource {
        self.source
    }

    /// Returns the scheme with which it is presented.
    pub fn scheme(&self) -> AuthScheme {
        self.scheme
    }

    fn read_named(
        headers: &'a HeaderMap,
        query: &str,
        cookie: Option<&str>,
    ) -> Result<Option<Self>, BadCredentials> {
        check_query(query)?;
        let header = from_header(headers)?;
        let cookie = match cookie {
            Some(name) => from_cookie(headers, name)?,
            None => None,
        };
        let found = |bearer, source, scheme| Ok(Some(Self { bearer, source, scheme }));
        match (header, cookie) {
            (Some(_), Some(_)) => Err(BadCredentials::HeaderAndCookie),
            (Some((scheme, bearer)), None) => found(bearer, CredentialSource::Header, scheme),
            (None, Some(bearer)) => found(bearer, CredentialSource::Cookie, AuthScheme::Bearer),
            (None, None) => Ok(None),
        }
    }
}

impl fmt::Debug for PresentedBearer<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PresentedBearer").field("source", &self.source).finish_non_exhaustive()
    }
}

fn check_query(query: &str) -> Result<(), BadCredentials> {
    if query.len() > MAX_QUERY_BYTES {
        return Err(BadCredentials::QueryTooLong);
    }
    let names = query.split('&').map(|pair| pair.split('=').next().unwrap_or_default());
    if names.map(percent_decoded).any(|name| name.eq_ignore_ascii_case(QUERY_PARAMETER.as_bytes()))
    {
        return Err(BadCredentials::InQuery);
    }
    Ok(())
}

pub(crate) fn percent_decoded(name: &str) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let [first, after @ ..] = rest {
        let hex = |digit: &u8| char::from(*digit).to_digit(16);
        match after {
            [high, low, after @ ..] if *first == b'%' => {
                if let Some((high, low)) = hex(high).zip(hex(low)) {
                    decoded.push((high * 16 + low) as u8);
                    rest = after;
                    continue;
                }
            }
            _ => {}
        }
        decoded.push(*first);
        rest = after;
    }
    decoded
}

fn from_header(headers: &HeaderMap) -> Result<Option<(AuthScheme, &str)>, BadCredentials> {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(BadCredentials::SeveralHeaders);
    }
    let bytes = value.as_bytes();
    let scheme_end = bytes.iter().position(|byte| *byte == b' ').unwrap_or(bytes.len());
    let (scheme, rest) = bytes.split_at(scheme_end);
    // RFC 9110 section 11.1: the scheme is compared without regard to case.
    let scheme = match scheme {
        scheme if scheme.eq_ignore_ascii_case(b"bearer") => AuthScheme::Bearer,
        scheme if scheme.eq_ignore_ascii_case(b"dpop") => AuthScheme::Dpop,
        _ => return Ok(None),
    };
    let text = std::str::from_utf8(rest).map_err(|_| BadCredentials::MalformedHeader)?;
    let bearer = bounded(text.trim_matches(' '), BadCredentials::MalformedHeader)?;
    Ok(Some((scheme, bearer)))
}

fn from_cookie<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, BadCredentials> {
    // HTTP/2 may split the cookies over several headers (RFC 9113 section 8.2.3).
    let values = || headers.get_all(COOKIE).iter();
    if values().map(http::HeaderValue::len).sum::<usize>() > MAX_COOKIE_BYTES {
        return Err(BadCredentials::TooLong);
    }
    let mut found = None;
    for pair in values().flat_map(|value| value.as_bytes().split(|byte| *byte == b';')) {
        let pair = pair.trim_ascii();
        let Some(value) =
            pair.strip_prefix(name.as_bytes()).and_then(|rest| rest.strip_prefix(b"="))
        else {
            continue;
        };
        if found.is_some() {
            return Err(BadCredentials::SeveralCookies);
        }
        let text = std::str::from_utf8(value).map_err(|_| BadCredentials::MalformedCookie)?;
        found = Some(bounded(text, BadCredentials::MalformedCookie)?);
    }
    Ok(found)
}

/// Checks the length and the alphabet of a bearer token (`b64token` of RFC 6750 section 2.1).
fn bounded(text: &str, malformed: BadCredentials) -> Result<&str, BadCredentials> {
    if text.len() > MAX_BEARER_BYTES {
        return Err(BadCredentials::TooLong);
    }
    let body = text.trim_end_matches('=');
    let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/".contains(&byte);
    if body.is_empty() || !body.bytes().all(is_valid) {
        return Err(malformed);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(headers: &[(&str, &str)], uri: &str) -> Result<Option<String>, BadCredentials> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<http::HeaderName>().unwrap(), value.parse().unwrap());
        }
        let query = uri.split_once('?').map_or("", |(_, query)| query);
        let found = PresentedBearer::read_named(&map, query, Some("__Host-session"))?;
        Ok(found.map(|found| found.bearer.to_owned()))
    }

    #[test]
    fn the_scheme_is_compared_without_regard_to_case() {
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let header = format!("{scheme} fob_at_x");
            assert_eq!(read(&[("authorization", &header)], "/"), Ok(Some("fob_at_x".into())));
        }
        assert_eq!(read(&[("authorization", "Basic eDp5")], "/"), Ok(None));
        assert_eq!(read(&[("authorization", "Bearerfob")], "/"), Ok(None));
    }

    #[test]
    fn a_header_that_is_malformed_or_too_long_is_a_bad_request() {
        for header in ["Bearer", "Bearer ", "Bearer a b", "Bearer a,b", "Bearer ==", "Bearer a=b"] {
            let found = read(&[("authorization", header)], "/");
            assert_eq!(found, Err(BadCredentials::MalformedHeader), "{header}");
        }
        let long = format!("Bearer {}", "x".repeat(MAX_BEARER_BYTES + 1));
        assert_eq!(read(&[("authorization", &long)], "/"), Err(BadCredentials::TooLong));
        let two = [("authorization", "Bearer a"), ("authorization", "Bearer a")];
        assert_eq!(read(&two, "/"), Err(BadCredentials::SeveralHeaders));
    }

    #[test]
    fn one_cookie_of_the_name_counts() {
        let cookie = |value: &str| read(&[("cookie", value)], "/");
        assert_eq!(cookie("a=1; __Host-session=tok; b=2"), Ok(Some("tok".into())));
        assert_eq!(cookie("__Host-sessionx=tok; x__Host-session=tok"), Ok(None));
        assert_eq!(
            cookie("__Host-session=a; __Host-session=a"),
            Err(BadCredentials::SeveralCookies)
        );
        assert_eq!(cookie("__Host-session="), Err(BadCredentials::MalformedCookie));
        let long = format!("a={}", "x".repeat(MAX_COOKIE_BYTES));
        assert_eq!(cookie(&long), Err(BadCredentials::TooLong));
        let both = [("cookie", "__Host-session=a"), ("authorization", "Bearer a")];
        assert_eq!(read(&both, "/"), Err(BadCredentials::HeaderAndCookie));
    }

    #[test]
    fn a_token_in_the_query_is_refused_however_its_name_is_written() {
        for query in ["access_token=x", "a=1&access%5Ftoken=x", "%61ccess_token", "Access_Token=x"]
        {
            let uri = format!("/a?{query}");
            assert_eq!(read(&[], &uri), Err(BadCredentials::InQuery), "{query}");
        }
        assert_eq!(read(&[], "/a?token=x&access_tokens=y&q=access_token&%5"), Ok(None));
    }
}
