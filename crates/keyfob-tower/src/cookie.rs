//! The cookie that carries a session.

use http::HeaderValue;
use http::header::SET_COOKIE;
use keyfob::{BearerToken, Timestamp, Token};

/// Whether a browser sends the cookie with requests that come from other sites.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum SameSite {
    /// Only if the user follows a link to the site.
    #[default]
    Lax,
    /// Never. A user who follows a link to the site appears to be logged out.
    Strict,
}

/// A session cookie: how it is named, set, renewed and removed.
///
/// Its attributes are fixed, except for [`SameSite`]:
///
/// - The name begins with `__Host-`. A browser accepts such a cookie only from the host itself, over
///   TLS, and for every path. A sibling domain cannot plant one.
/// - `Secure`, `HttpOnly`, `Path=/`, no `Domain`. Browsers treat `localhost` as secure.
/// - `Max-Age` is the time to the end of the token or, if that is earlier, the end of its idle
///   timeout. A token without an end gives a cookie that ends with the browser.
///
/// ```
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager, Ttl};
/// use keyfob_tower::SessionCookie;
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let grant = Grant::new(Kind::Session).subject("user123").ttl(Ttl::from_hours(1));
/// let issued = manager.issue(grant).await?;
///
/// let cookie = SessionCookie::new("session")?;
/// assert_eq!(cookie.name(), "__Host-session");
/// let set = cookie.set(&issued.bearer, &issued.token, issued.token.issued_at);
/// let text = set.header().to_str()?;
/// assert!(text.ends_with("; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=3600"), "{text}");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SessionCookie {
    name: String,
    same_site: SameSite,
}

/// A name that a cookie cannot have.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidCookieName(String);

impl std::fmt::Display for InvalidCookieName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no name of a cookie: use 1 to 64 letters, digits, - and _", self.0)
    }
}

impl std::error::Error for InvalidCookieName {}

/// A `Set-Cookie` header. In axum it is a part of a response: `(set_cookie, "welcome")`.
///
/// `Debug` does not show the secret.
#[derive(Clone)]
pub struct SetCookie(HeaderValue);

impl SessionCookie {
    const PREFIX: &str = "__Host-";
    const MAX_NAME_BYTES: usize = 64;

    /// Returns a cookie of this name. `__Host-` is put in front, if it is not there.
    ///
    /// # Errors
    /// If the name has other characters than ASCII letters, digits, `-` and `_`, or more than 64.
    pub fn new(name: &str) -> Result<Self, InvalidCookieName> {
        let bare = name.strip_prefix(Self::PREFIX).unwrap_or(name);
        let is_valid = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
        if bare.is_empty() || bare.len() > Self::MAX_NAME_BYTES || !bare.bytes().all(is_valid) {
            return Err(InvalidCookieName(name.to_owned()));
        }
        Ok(Self { name: format!("{}{bare}", Self::PREFIX), same_site: SameSite::default() })
    }

    /// Sets whether other sites may cause the cookie to be sent. Default: [`SameSite::Lax`].
    #[must_use]
    pub fn same_site(self, same_site: SameSite) -> Self {
        Self { same_site, ..self }
    }

    /// Returns the name, with its prefix.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the header that gives the bearer token of a session to the browser. Call it again
    /// after the token's end has moved, or its secret has changed.
    pub fn set(&self, bearer: &BearerToken, token: &Token, now: Timestamp) -> SetCookie {
        self.renew(bearer.expose(), token, now)
    }

    pub(crate) fn renew(&self, bearer: &str, token: &Token, now: Timestamp) -> SetCookie {
        // A started second counts, as in `Token::expires_in_secs`.
        let left =
            token.ends_after(now).map(|end| end.since(now).map_or(0, |left| left.as_millis()));
        let max_age = left.map(|millis| format!("; Max-Age={}", millis.div_ceil(1_000)));
        self.header(bearer, &max_age.unwrap_or_default())
    }

    /// Returns the header that removes the cookie from the browser. Revoke the token as well.
    pub fn remove(&self) -> SetCookie {
        self.header("", "; Max-Age=0")
    }

    fn header(&self, value: &str, max_age: &str) -> SetCookie {
        let Self { name, same_site } = self;
        let text =
            format!("{name}={value}; Path=/; Secure; HttpOnly; SameSite={same_site:?}{max_age}");
        // A bearer token has letters, digits and `_` alone.
        let mut header = HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
        header.set_sensitive(true);
        SetCookie(header)
    }
}

impl SetCookie {
    /// Returns the value of the header.
    pub fn header(&self) -> &HeaderValue {
        &self.0
    }

    /// Adds the header to those of a response.
    pub fn append_to(self, headers: &mut http::HeaderMap) {
        headers.append(SET_COOKIE, self.0);
    }
}

impl std::fmt::Debug for SetCookie {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SetCookie([redacted])")
    }
}

#[cfg(feature = "axum")]
impl axum::response::IntoResponseParts for SetCookie {
    type Error = std::convert::Infallible;

    fn into_response_parts(
        self,
        mut parts: axum::response::ResponseParts,
    ) -> Result<axum::response::ResponseParts, Self::Error> {
        self.append_to(parts.headers_mut());
        Ok(parts)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_checked_and_prefixed_once() {
        for name in ["session", "__Host-session"] {
            assert_eq!(SessionCookie::new(name).unwrap().name(), "__Host-session");
        }
        for name in ["", "__Host-", "a b", "a=b", "a;b", "é", &"x".repeat(65)] {
            assert!(SessionCookie::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn removal_has_the_same_attributes() {
        let cookie = SessionCookie::new("s").unwrap().same_site(SameSite::Strict);
        let expected = "__Host-s=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0";
        assert_eq!(cookie.remove().header(), expected);
    }
}
