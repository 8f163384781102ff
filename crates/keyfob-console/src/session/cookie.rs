//! The cookie that has the bearer of a session.

use http::HeaderMap;
use http::header::COOKIE;

/// The name where the browser speaks TLS. Browsers take such a cookie only with `Secure`, without a
/// domain, from the host itself.
const SECURE: &str = "__Host-keyfob-console";
/// The name without TLS: on the loopback.
const PLAIN: &str = "keyfob-console";

/// Returns the bearer of a request. If there is more than one, none counts: somebody has planted one.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<String> {
    only(headers, SECURE).or_else(|| only(headers, PLAIN))
}

fn only(headers: &HeaderMap, wanted: &str) -> Option<String> {
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs =
        lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(name, _)| *name == wanted).map(|(_, value)| value);
    let first = values.next()?;
    values.next().is_none().then(|| first.to_owned())
}

/// Returns the header that gives a browser its session. It ends with the browser, or before.
pub(crate) fn set(bearer: &str, is_tls: bool) -> String {
    match is_tls {
        true => format!("{SECURE}={bearer}; Path=/; Secure; HttpOnly; SameSite=Strict"),
        false => format!("{PLAIN}={bearer}; Path=/console; HttpOnly; SameSite=Strict"),
    }
}

/// Returns the headers that make a browser forget its session, whichever it has.
pub(crate) fn clear() -> [String; 2] {
    [
        format!("{SECURE}=; Path=/; Secure; HttpOnly; SameSite=Strict; Max-Age=0"),
        format!("{PLAIN}=; Path=/console; HttpOnly; SameSite=Strict; Max-Age=0"),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(COOKIE, line.parse().unwrap());
        }
        bearer(&headers)
    }

    #[test]
    fn the_secure_cookie_counts_before_the_other() {
        assert_eq!(of(&["a=b; keyfob-console=x"]), Some("x".into()));
        assert_eq!(of(&["keyfob-console=x; __Host-keyfob-console=y"]), Some("y".into()));
        assert_eq!(of(&["other-keyfob-console=x"]), None);
    }

    #[test]
    fn two_cookies_of_one_name_are_none() {
        assert_eq!(of(&["keyfob-console=x; keyfob-console=y"]), None);
        assert_eq!(of(&["keyfob-console=x", "keyfob-console=x"]), None);
    }
}
