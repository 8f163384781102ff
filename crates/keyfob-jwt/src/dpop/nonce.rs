//! Nonces of a server: values that a client has to put into its proofs (RFC 9449 section 8).
//!
//! A nonce is a time span with a keyed digest of it. So every server that has the key can check it, and none
//! has to remember one.

use aws_lc_rs::{constant_time, hmac};
use base64ct::{Base64UrlUnpadded, Encoding as _};
use keyfob_core::time::{Timestamp, Ttl};

/// The length of a time span. A nonce is accepted in its span and in the next one.
const SPAN: Ttl = Ttl::from_secs(120);

const SPAN_BYTES: usize = 4;
const DIGEST_BYTES: usize = 12;

/// Gives nonces, and recognises those that a server with the same key gave.
///
/// ```
/// use keyfob_core::time::{Timestamp, Ttl};
/// use keyfob_jwt::dpop::Nonces;
///
/// let (one, other) = (Nonces::new(&[7; 32]), Nonces::new(&[7; 32]));
/// let now = Timestamp::from_secs(1_700_000_000);
/// let nonce = one.at(now);
/// assert!(other.accept(&nonce, now + Ttl::from_secs(60)));
/// assert!(!other.accept(&nonce, now + Ttl::from_secs(600)));
/// ```
#[derive(Clone, Debug)]
pub struct Nonces {
    key: hmac::Key,
}

impl Nonces {
    /// Creates nonces under this key.
    pub fn new(key: &[u8; 32]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, key) }
    }

    /// Returns the nonce of this time. It is accepted for two minutes at least, and four at most.
    pub fn at(&self, now: Timestamp) -> String {
        self.of_span(span(now))
    }

    /// Returns whether a nonce was given under this key, and is not too old.
    pub fn accept(&self, nonce: &str, now: Timestamp) -> bool {
        let mut bytes = [0; SPAN_BYTES + DIGEST_BYTES];
        let decoded = Base64UrlUnpadded::decode(nonce, &mut bytes).ok();
        let Some(first) = decoded.and_then(|bytes| bytes.first_chunk()) else { return false };
        let given = u32::from_be_bytes(*first);
        // The next one counts too, because the clocks of two servers differ.
        given.abs_diff(span(now)) <= 1
            && constant_time::verify_slices_are_equal(
                nonce.as_bytes(),
                self.of_span(given).as_bytes(),
            )
            .is_ok()
    }

    fn of_span(&self, span: u32) -> String {
        let mut bytes = [0; SPAN_BYTES + DIGEST_BYTES];
        bytes[..SPAN_BYTES].copy_from_slice(&span.to_be_bytes());
        let digest = hmac::sign(&self.key, &span.to_be_bytes());
        bytes[SPAN_BYTES..].copy_from_slice(&digest.as_ref()[..DIGEST_BYTES]);
        Base64UrlUnpadded::encode_string(&bytes)
    }
}

fn span(at: Timestamp) -> u32 {
    (at.as_millis() / SPAN.as_millis()) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_is_accepted_for_at_least_two_minutes_and_under_its_key() {
        let (nonces, others) = (Nonces::new(&[1; 32]), Nonces::new(&[2; 32]));
        let start = Timestamp::from_secs(1_700_000_040);
        for offset in [1, 1_000, 60_000, 119_999] {
            let given = start + Ttl::saturating_from_millis(offset);
            let nonce = nonces.at(given);
            assert!(nonces.accept(&nonce, given));
            assert!(nonces.accept(&nonce, given + SPAN));
            assert!(!nonces.accept(&nonce, given + Ttl::from_secs(2 * 120)));
            assert!(!others.accept(&nonce, given));
        }
        for text in ["", "AAAA", "é", &"A".repeat(4096)] {
            assert!(!nonces.accept(text, start), "{text}");
        }
    }
}
