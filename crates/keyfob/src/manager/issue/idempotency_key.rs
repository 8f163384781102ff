//! The key of a request that may be sent again, and what follows from it.

use std::fmt;

use hmac::Mac;
use keyfob_core::digest;
use keyfob_core::field::Field;
use keyfob_core::id::TokenId;
use keyfob_core::invalid::{InvalidReason, InvalidValue};
use keyfob_core::namespace::Namespace;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

/// Names a request that may be sent again: each time, it gets the same tokens with the same bearer
/// tokens. Two requesters may use the same text; their keys differ.
///
/// It holds a secret of its requester, so `Debug` is redacted.
///
/// ```
/// use keyfob::manager::IdempotencyKey;
///
/// let key = IdempotencyKey::new("order-17", "the requester's own secret", b"subject=alice")?;
/// assert_eq!(format!("{key:?}"), "IdempotencyKey([redacted])");
/// assert!(IdempotencyKey::new("", "secret", b"").is_err());
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone)]
pub struct IdempotencyKey {
    key: Zeroizing<[u8; 32]>,
    request: [u8; 32],
}

impl IdempotencyKey {
    /// The maximum length of the text, in bytes.
    pub const MAX_BYTES: usize = 255;

    /// Creates the key of a request.
    ///
    /// `requester` is a secret that the requester sends with each attempt, such as the bearer token that
    /// it authenticates with: a repeat has to send it too. `request` is the content of the
    /// request. The same text with another content is refused.
    ///
    /// # Errors
    /// If the text is empty, too long, or has a character that is not visible ASCII.
    pub fn new(text: &str, requester: &str, request: &[u8]) -> Result<Self, InvalidValue> {
        let invalid = |reason| Err(InvalidValue::new(Field::IdempotencyKey, reason));
        if text.is_empty() {
            return invalid(InvalidReason::Empty);
        }
        if text.len() > Self::MAX_BYTES {
            return invalid(InvalidReason::TooLong { max: Self::MAX_BYTES });
        }
        if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return invalid(InvalidReason::Character { allowed: "visible ASCII" });
        }
        let requester: Zeroizing<[u8; 32]> = Zeroizing::new(Sha256::digest(requester).into());
        let mut mac = digest::keyed(&requester);
        mac.update(b"idempotency key");
        mac.update(text.as_bytes());
        let key = Zeroizing::new(mac.finalize().into_bytes().into());
        let mut named = Self { key, request: [0; 32] };
        named.request = *named.derive(b"request", &[request]);
        Ok(named)
    }

    /// Returns the id of the record that claims the key.
    pub(super) fn claim_id(&self, namespace: &Namespace) -> TokenId {
        namespace.claim_of(&self.derive(b"claim", &[]))
    }

    /// Returns a digest of the content of the request.
    pub(super) fn request(&self) -> &[u8; 32] {
        &self.request
    }

    /// Returns what the token at `position` of the request is drawn from.
    pub(super) fn token_seed(&self, salt: &[u8; 32], position: u64) -> Zeroizing<[u8; 32]> {
        self.derive(b"token", &[salt, &position.to_be_bytes()])
    }

    /// Returns what the lane of that token is drawn from.
    pub(super) fn lane_seed(&self, salt: &[u8; 32], position: u64) -> Zeroizing<[u8; 32]> {
        self.derive(b"lane", &[salt, &position.to_be_bytes()])
    }

    fn derive(&self, purpose: &[u8], parts: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut mac = digest::keyed(&self.key);
        for part in std::iter::once(&purpose).chain(parts) {
            // The length first, so that no two lists run together.
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part);
        }
        Zeroizing::new(mac.finalize().into_bytes().into())
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdempotencyKey([redacted])")
    }
}
