//! Whether a request that changes something was sent by a page of this console.
//!
//! A browser says so in `Sec-Fetch-Site`, and in `Origin`. What sends neither is no browser, has no
//! cookie to steal, and is refused too.

use http::header::{HOST, ORIGIN};
use http::request::Parts;

/// Returns whether a request was sent by a page of this console.
pub(crate) fn is_own(parts: &Parts) -> bool {
    let header =
        |name: &str| parts.headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (header("sec-fetch-site"), header(ORIGIN.as_str())) {
        (Some(site), _) => site == "same-origin",
        (None, Some(origin)) => authority_of(origin).is_some_and(|from| Some(from) == host(parts)),
        (None, None) => false,
    }
}

/// Returns whether the browser reached this console by TLS, as its own words tell.
pub(crate) fn is_tls(parts: &http::HeaderMap) -> bool {
    parts.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https://"))
}

fn authority_of(origin: &str) -> Option<&str> {
    origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"))
}

/// Returns the host that the request was sent to.
fn host(parts: &Parts) -> Option<&str> {
    match parts.uri.authority() {
        Some(authority) => Some(authority.as_str()),
        None => parts.headers.get(HOST)?.to_str().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own_with(headers: &[(&str, &str)]) -> bool {
        let mut request =
            http::Request::post("/console/sign-out").header(HOST, "keys.example:8700");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        is_own(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn only_a_page_of_the_same_origin_may_send() {
        assert!(is_own_with(&[("sec-fetch-site", "same-origin")]));
        assert!(is_own_with(&[("origin", "https://keys.example:8700")]));
        for site in ["same-site", "cross-site", "none", ""] {
            let headers = [("sec-fetch-site", site), ("origin", "http://keys.example:8700")];
            assert!(!is_own_with(&headers), "{site}");
        }
        for origin in
            ["null", "https://keys.example", "https://evil.example:8700", "keys.example:8700"]
        {
            assert!(!is_own_with(&[("origin", origin)]), "{origin}");
        }
        assert!(!is_own_with(&[]));
    }
}
