//! The address of a request, in the form in which two are compared (RFC 9449 section 4.3, check 9).

use std::str::FromStr;

use http::Uri;

/// The maximum length of an address in bytes.
const MAX_BYTES: usize = 2 * 1024;

/// The address of a request without query and fragment, normalised by syntax and scheme (RFC 3986 sections
/// 6.2.2 and 6.2.3): two addresses of one resource are equal.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TargetUri(String);

/// The error for text that is no address of a request.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the address is not an http or https URI with a host")]
pub struct InvalidUri;

impl TargetUri {
    /// Returns the address of a path on this server. The path may have a query.
    ///
    /// # Errors
    /// If the path does not begin with a slash, or is not valid.
    pub fn at(&self, path: &str) -> Result<Self, InvalidUri> {
        if !path.starts_with('/') {
            return Err(InvalidUri);
        }
        format!("{}{path}", self.0.trim_end_matches('/')).parse()
    }

    /// Returns the address as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for TargetUri {
    type Err = InvalidUri;

    fn from_str(text: &str) -> Result<Self, InvalidUri> {
        if text.len() > MAX_BYTES {
            return Err(InvalidUri);
        }
        let text = text.split_once('#').map_or(text, |(before, _)| before);
        let uri: Uri = text.parse().map_err(|_| InvalidUri)?;
        let scheme = uri.scheme_str().ok_or(InvalidUri)?.to_ascii_lowercase();
        let default_port = match scheme.as_str() {
            "https" => 443,
            "http" => 80,
            _ => return Err(InvalidUri),
        };
        let authority = uri.authority().ok_or(InvalidUri)?;
        let host = authority.host().to_ascii_lowercase();
        if host.is_empty() || authority.as_str().contains('@') {
            return Err(InvalidUri);
        }
        let after_host = &authority.as_str()[host.len()..];
        let port = match after_host.strip_prefix(':') {
            None if after_host.is_empty() => default_port,
            None => return Err(InvalidUri),
            Some("") => default_port,
            Some(port) if port.starts_with('+') => return Err(InvalidUri),
            Some(port) => port.parse::<u16>().map_err(|_| InvalidUri)?,
        };
        let port = match port == default_port {
            true => String::new(),
            false => format!(":{port}"),
        };
        let path = without_dots(&with_usual_escapes(uri.path())?);
        let normal = format!("{scheme}://{host}{port}{path}");
        // An empty path has become a slash.
        if normal.len() <= MAX_BYTES { Ok(Self(normal)) } else { Err(InvalidUri) }
    }
}

/// Writes escapes in upper case, and characters that need none without.
fn with_usual_escapes(path: &str) -> Result<String, InvalidUri> {
    let mut usual = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        usual.push_str(before);
        let digits = after.get(..2).ok_or(InvalidUri)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return Err(InvalidUri);
        }
        let byte = u8::from_str_radix(digits, 16).map_err(|_| InvalidUri)?;
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            usual.push(char::from(byte));
        } else {
            usual.push('%');
            usual.push_str(&digits.to_ascii_uppercase());
        }
        rest = &after[2..];
    }
    usual.push_str(rest);
    Ok(usual)
}

/// Removes the segments `.` and `..` (RFC 3986 section 5.2.4).
fn without_dots(path: &str) -> String {
    let mut kept: Vec<&str> = Vec::new();
    let mut segments = path.trim_start_matches('/').split('/').peekable();
    // A path that begins with several slashes is another one than with a single slash.
    let empty = path.bytes().take_while(|byte| *byte == b'/').count().saturating_sub(1);
    kept.extend(std::iter::repeat_n("", empty));
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            "." | ".." => {
                if segment == ".." {
                    kept.pop();
                }
                if is_last {
                    kept.push("");
                }
            }
            segment => kept.push(segment),
        }
    }
    format!("/{}", kept.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn normal(text: &str) -> String {
        text.parse::<TargetUri>().map(|uri| uri.0).unwrap_or_default()
    }

    #[test]
    fn addresses_of_one_resource_are_equal() {
        for text in [
            "https://example.org/a/b",
            "HTTPS://EXAMPLE.org/a/b",
            "https://example.org:/a/b",
            "https://example.org:443/a/b",
            "https://example.org/a/b?c=d",
            "https://example.org/a/b#fragment",
            "https://example.org/a/./c/../b",
            "https://example.org/%61/b",
        ] {
            assert_eq!(normal(text), "https://example.org/a/b", "{text}");
        }
        assert_eq!(normal("http://example.org:80"), "http://example.org/");
        assert_eq!(normal("http://[::1]:8080/%2f"), "http://[::1]:8080/%2F");
    }

    #[test]
    fn addresses_of_other_resources_differ() {
        let texts = [
            "https://example.org/a",
            "https://example.org/a/",
            "https://example.org//a",
            "https://example.org/A",
            "https://example.org/%2Fa",
            "https://example.org:444/a",
            "http://example.org/a",
            "https://example.com/a",
            "https://example.org/a/b/..",
        ];
        let mut seen: Vec<_> = texts.iter().map(|text| normal(text)).collect();
        seen.sort();
        seen.dedup();
        // The last one is the second.
        assert_eq!(seen.len(), texts.len() - 1, "{seen:?}");
    }

    #[test]
    fn text_that_is_no_address_is_refused() {
        let long = format!("https://example.org/{}", "a".repeat(MAX_BYTES));
        let long_host = format!("http://{}", "a".repeat(MAX_BYTES - "http://".len()));
        for text in [
            "",
            "/a",
            "example.org/a",
            "ftp://example.org/a",
            "https://user@example.org/a",
            "https://example.org:x/a",
            "https://example.org:+443/a",
            "https://example.org:99999/a",
            "https://example.org/%",
            "https://example.org/%4",
            "https://example.org/%+1",
            "https:///a",
            &long,
            &long_host,
        ] {
            assert!(text.parse::<TargetUri>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_path_is_added_to_a_server() {
        let server: TargetUri = "https://example.org/auth/".parse().unwrap();
        assert_eq!(
            server.at("/oauth2/token?a=b").unwrap().as_str(),
            "https://example.org/auth/oauth2/token"
        );
        assert!(server.at("oauth2").is_err());
    }
}
