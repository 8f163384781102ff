//! HMAC-SHA256 under the 32-byte keys that keyfob has.

use hmac::{Hmac, KeyInit};
use sha2::Sha256;
use zeroize::Zeroizing;

/// An HMAC that waits for its message; cloning it saves the schedule of the key.
pub fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // HMAC pads a short key with zeros to a block; a whole block cannot have the wrong length.
    let mut block = Zeroizing::new([0; 64]);
    block[..32].copy_from_slice(key);
    Hmac::new(&(*block).into())
}
