//! The realm of a challenge (RFC 9110 section 11.5).

use http::HeaderValue;

/// A realm that cannot be written into a challenge.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidRealm(String);

impl std::fmt::Display for InvalidRealm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} is no realm: use visible ASCII without quotes and backslashes", self.0)
    }
}

impl std::error::Error for InvalidRealm {}

/// Returns the realm as the value of a header.
pub(crate) fn realm_value(realm: &str) -> Result<HeaderValue, InvalidRealm> {
    let is_valid = |byte| (b' '..=b'~').contains(&byte) && byte != b'"' && byte != b'\\';
    let value = HeaderValue::from_str(realm).ok().filter(|_| realm.bytes().all(is_valid));
    value.ok_or_else(|| InvalidRealm(realm.to_owned()))
}
