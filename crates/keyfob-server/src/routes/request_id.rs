//! The id of a request, in logs, answers and problem documents.

use http::{HeaderMap, HeaderName};
use keyfob::random::{OsRandom, Random};

/// The header that carries the id.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id that is taken from the request.
const MAX_BYTES: usize = 64;

/// Returns the id that a proxy has given, or a new one.
pub(crate) fn of(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match given {
        Some(id) if (1..=MAX_BYTES).contains(&id.len()) && id.bytes().all(is_plain) => {
            id.to_owned()
        }
        _ => new(),
    }
}

fn new() -> String {
    let mut bytes = [0; 16];
    match OsRandom.fill(&mut bytes) {
        Ok(()) => format!("{:032x}", u128::from_be_bytes(bytes)),
        // An id only helps to find the log: the request continues.
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_id_is_taken_over() {
        let with = |id: &str| of(&HeaderMap::from_iter([(REQUEST_ID, id.parse().unwrap())]));
        assert_eq!(with("a-1_b.C"), "a-1_b.C");
        let long = "a".repeat(MAX_BYTES + 1);
        for id in ["", "a b", "\"x\"", &long] {
            assert_eq!(with(id).len(), 32, "{id}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
