//! The header of sealed bytes, in clear: that the bytes are sealed, and under which key.
//!
//! ```text
//! 0  format 0xa1          1      5  salt                16
//! 1  key version          2     21  ciphertext and tag  n + 16
//! 3  key of its terms     2
//! ```
//! The terms of a record keep their key when the record is replaced: the body is sealed under the active
//! key, and the record stays listed under the old term key until it is resealed.
//!
//! Only `keyfob-seal` writes and opens envelopes. Other crates recognise them: a store allows for
//! their size, and a reader without keys reports that keys are missing.

use super::key_version::KeyVersion;

/// The first byte of an envelope. Plaintext records begin with a low number, which differs from it
/// in more than one bit.
pub const FORMAT: u8 = 0xa1;
/// Bytes of salt in an envelope.
pub const SALT: usize = 16;
/// Bytes before the ciphertext.
pub const HEAD: usize = 5 + SALT;
/// Bytes of the authentication tag, after the ciphertext.
pub const TAG: usize = 16;
/// The number of bytes that sealing adds.
pub const OVERHEAD: usize = HEAD + TAG;

/// Returns the version of the key that the bytes are sealed under, or `None` if they are not an
/// envelope.
pub fn key_of(bytes: &[u8]) -> Option<KeyVersion> {
    match bytes {
        [FORMAT, high, low, ..] => Some(KeyVersion::new(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// Returns the version of the key that the record's terms are blinded under, or `None` if the bytes
/// are not an envelope.
pub fn term_key_of(bytes: &[u8]) -> Option<KeyVersion> {
    match bytes {
        [FORMAT, _, _, high, low, ..] => Some(KeyVersion::new(u16::from_be_bytes([*high, *low]))),
        _ => None,
    }
}

/// Returns whether the bytes say that they are sealed.
pub fn is_sealed(bytes: &[u8]) -> bool {
    bytes.first() == Some(&FORMAT)
}
