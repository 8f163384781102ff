//! The URL that a webhook is sent to.

use std::net::IpAddr;
use std::str::FromStr;

use http::Uri;

/// The URL of a receiver: HTTPS, or HTTP if that is allowed, without a user, and without a fragment.
///
/// ```
/// use keyfob_webhook::endpoint::Endpoint;
///
/// let endpoint: Endpoint = "https://shop.example/hooks?from=keyfob".parse()?;
/// assert_eq!((endpoint.host(), endpoint.port(), endpoint.is_tls()), ("shop.example", 443, true));
/// assert_eq!(endpoint.path_and_query(), "/hooks?from=keyfob");
/// assert!("ftp://shop.example".parse::<Endpoint>().is_err());
/// # Ok::<(), keyfob_webhook::endpoint::InvalidEndpoint>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    text: String,
    host: String,
    port: u16,
    is_tls: bool,
    path_and_query: String,
}

/// Why a text is not the URL of a receiver. It does not repeat the text, which may have a secret.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum InvalidEndpoint {
    /// It is too long.
    #[error("the URL is too long: at most {} bytes", Endpoint::MAX_LEN)]
    TooLong,
    /// It is no URL with `https` or `http`.
    #[error("it is not a URL: write https://, the host and the path")]
    NotAUrl,
    /// It has a user or a password.
    #[error("the URL has a user: the signature tells the receiver who sends")]
    HasUser,
    /// It has a fragment, which is never sent.
    #[error("the URL has a fragment, which is never sent: leave it out")]
    HasFragment,
}

impl Endpoint {
    /// The maximum length in bytes.
    pub const MAX_LEN: usize = 2048;

    /// Returns the URL.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Returns the name or the address of the host, without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the address, if the host is one.
    pub fn address(&self) -> Option<IpAddr> {
        self.host.parse().ok()
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns whether it is HTTPS.
    pub fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// Returns the path and the query.
    pub fn path_and_query(&self) -> &str {
        &self.path_and_query
    }

    /// Returns the value of the header `Host`.
    pub fn authority(&self) -> String {
        let host = match self.address() {
            Some(IpAddr::V6(address)) => format!("[{address}]"),
            _ => self.host.clone(),
        };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

impl FromStr for Endpoint {
    type Err = InvalidEndpoint;

    fn from_str(text: &str) -> Result<Self, InvalidEndpoint> {
        if text.len() > Self::MAX_LEN {
            return Err(InvalidEndpoint::TooLong);
        }
        // The parser of URIs drops a fragment.
        if text.contains('#') {
            return Err(InvalidEndpoint::HasFragment);
        }
        let uri: Uri = text.parse().map_err(|_| InvalidEndpoint::NotAUrl)?;
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(InvalidEndpoint::NotAUrl),
        };
        let authority = uri.authority().ok_or(InvalidEndpoint::NotAUrl)?;
        if authority.as_str().contains('@') {
            return Err(InvalidEndpoint::HasUser);
        }
        let host = authority.host().trim_start_matches('[').trim_end_matches(']');
        let has_odd_port = authority.port().is_none() && authority.as_str().ends_with(':');
        if host.is_empty() || has_odd_port || is_odd_number(host) {
            return Err(InvalidEndpoint::NotAUrl);
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path_and_query = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        let host = host.to_ascii_lowercase();
        if port == 0 {
            return Err(InvalidEndpoint::NotAUrl);
        }
        Ok(Self { text: text.to_owned(), host, port, is_tls, path_and_query })
    }
}

/// Returns whether a host is an address in a form that some resolvers know and others do not, such as
/// `127.1`, `0x7f000001` or `2130706433`. The last label of a name is never a number.
fn is_odd_number(host: &str) -> bool {
    if host.parse::<IpAddr>().is_ok() {
        return false;
    }
    let last = host.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    let is_hex = last.strip_prefix("0x").or_else(|| last.strip_prefix("0X")).is_some();
    is_hex || (!last.is_empty() && last.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_taken_apart() {
        for (text, host, port, authority) in [
            ("https://A.example", "a.example", 443, "a.example"),
            ("https://a.example:8443/x", "a.example", 8443, "a.example:8443"),
            ("http://[::1]:80/", "::1", 80, "[::1]"),
            ("http://192.0.2.1:81", "192.0.2.1", 81, "192.0.2.1:81"),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.host(), endpoint.port()), (host, port), "{text}");
            assert_eq!(endpoint.authority(), authority, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_url_of_a_receiver_is_refused() {
        let long = format!("https://a.example/{}", "x".repeat(2048));
        for (text, why) in [
            ("", InvalidEndpoint::NotAUrl),
            ("a.example", InvalidEndpoint::NotAUrl),
            ("/path", InvalidEndpoint::NotAUrl),
            ("file:///etc/passwd", InvalidEndpoint::NotAUrl),
            ("https://u:p@a.example/", InvalidEndpoint::HasUser),
            ("https://a.example/#x", InvalidEndpoint::HasFragment),
            ("https://a.example:0/", InvalidEndpoint::NotAUrl),
            ("https://127.1/", InvalidEndpoint::NotAUrl),
            ("https://2130706433/", InvalidEndpoint::NotAUrl),
            ("https://0x7f000001/", InvalidEndpoint::NotAUrl),
            ("https://0177.0.0.1/", InvalidEndpoint::NotAUrl),
            (&*long, InvalidEndpoint::TooLong),
        ] {
            assert_eq!(text.parse::<Endpoint>(), Err(why), "{text}");
        }
    }
}
