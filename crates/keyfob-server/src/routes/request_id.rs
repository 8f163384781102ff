//! The id of a request, in logs, answers and problem documents.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use http::{HeaderMap, HeaderName};
use keyfob::random::{OsRandom, Random};

/// The header that carries the id.
pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The maximum length of an id that is taken from the request.
const MAX_BYTES: usize = 64;

/// The digits of an id.
const HEX: &[u8; 16] = b"0123456789abcdef";

/// Returns the id that a proxy has given, or a new one.
pub(crate) fn of(headers: &HeaderMap) -> Arc<str> {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    match given {
        Some(id) if (1..=MAX_BYTES).contains(&id.len()) && id.bytes().all(is_plain) => id.into(),
        _ => new(),
    }
}

/// Returns an id that no other request has: the system's random numbers are drawn once for the process.
fn new() -> Arc<str> {
    static SEED: OnceLock<[u64; 2]> = OnceLock::new();
    static COUNT: AtomicU64 = AtomicU64::new(0);
    let [process, start] = SEED.get_or_init(|| {
        let mut bytes = [0; 16];
        // An id only helps to find the log: without random numbers the request continues.
        let _without_seed = OsRandom.fill(&mut bytes);
        let both = u128::from_be_bytes(bytes);
        [(both >> 64) as u64, both as u64]
    });
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let number = u128::from(*process) << 64 | u128::from(scattered(start.wrapping_add(count)));
    let digit = |place: usize| HEX[(number >> (4 * (31 - place))) as usize & 15];
    let digits: [u8; 32] = std::array::from_fn(digit);
    // Hexadecimal digits are text.
    std::str::from_utf8(&digits).unwrap_or_default().into()
}

/// Maps each number to another one, so that ids do not show how many requests there are (SplitMix64).
fn scattered(number: u64) -> u64 {
    let number = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_id_is_taken_over() {
        let with = |id: &str| of(&HeaderMap::from_iter([(REQUEST_ID, id.parse().unwrap())]));
        assert_eq!(&*with("a-1_b.C"), "a-1_b.C");
        let long = "a".repeat(MAX_BYTES + 1);
        for id in ["", "a b", "\"x\"", &long] {
            assert_eq!(with(id).len(), 32, "{id}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }
}
