//! The URL of a server.

use http::Uri;
use http::uri::Scheme;

/// The URL of a server: a scheme, a host, and a path before that of each route.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct BaseUrl {
    text: String,
    pub(crate) is_tls: bool,
}

/// Why a text is not the URL of a server. It does not contain the text, which may have a password.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum InvalidBaseUrl {
    #[error("it is not a URL. Write http://HOST:PORT or https://HOST")]
    NotAUrl,
    #[error("its scheme has to be http or https")]
    Scheme,
    #[error("it contains a user or a password. Pass the key of the client on its own")]
    UserInfo,
    #[error("it has a query. Leave out everything after the path")]
    Query,
}

impl BaseUrl {
    pub(crate) fn parse(text: &str) -> Result<Self, InvalidBaseUrl> {
        let uri: Uri = text.trim().parse().map_err(|_| InvalidBaseUrl::NotAUrl)?;
        let is_tls = match uri.scheme() {
            Some(scheme) if *scheme == Scheme::HTTP => false,
            Some(scheme) if *scheme == Scheme::HTTPS => true,
            Some(_) => return Err(InvalidBaseUrl::Scheme),
            None => return Err(InvalidBaseUrl::NotAUrl),
        };
        let authority = uri.authority().ok_or(InvalidBaseUrl::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(InvalidBaseUrl::UserInfo);
        }
        if uri.query().is_some() || text.contains('#') {
            return Err(InvalidBaseUrl::Query);
        }
        let scheme = if is_tls { "https" } else { "http" };
        let path = uri.path().trim_end_matches('/');
        Ok(Self { text: format!("{scheme}://{authority}{path}"), is_tls })
    }

    /// Returns the URL of a route.
    pub(crate) fn join(&self, path_and_query: &str) -> Result<Uri, http::uri::InvalidUri> {
        format!("{}{path_and_query}", self.text).parse()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_comes_before_that_of_each_route() {
        for (text, route) in [
            ("http://127.0.0.1:8700", "http://127.0.0.1:8700/v1/stats"),
            ("http://127.0.0.1:8700/", "http://127.0.0.1:8700/v1/stats"),
            ("https://a.example/tokens/", "https://a.example/tokens/v1/stats"),
        ] {
            let base = BaseUrl::parse(text).unwrap();
            assert_eq!(base.join("/v1/stats").unwrap().to_string(), route);
            assert_eq!(base.is_tls, text.starts_with("https"));
        }
    }

    #[test]
    fn a_text_that_is_no_server_is_refused_and_not_repeated() {
        use InvalidBaseUrl::*;
        for (text, error) in [
            ("", NotAUrl),
            ("tokens.example", NotAUrl),
            ("/hunter2", NotAUrl),
            ("ftp://hunter2", Scheme),
            ("https://u:hunter2@h", UserInfo),
            ("https://h/?hunter2", Query),
            ("https://h/#hunter2", Query),
        ] {
            let refused = BaseUrl::parse(text).unwrap_err();
            assert_eq!(refused, error, "{text}");
            assert!(!refused.to_string().contains("hunter2"));
        }
    }
}
