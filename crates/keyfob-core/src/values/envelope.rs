//! The header of sealed bytes, in plaintext: that the bytes are sealed, and under which key.
//!
//! ```text
//! 0  format               1      5  salt                16
//! 1  key version          2     21  ciphertext and tag  n + 16
//! 3  key of its terms     2
//! ```
//! The terms of a record keep their key when the record is replaced: the body is sealed under the active
//! key, and the record stays listed under the old term key until it is resealed.
//!
//! | format | what it is |
//! |---|---|
//! | 0xa1 | an event, an observation or a note; until keyfob 0.1 also a record |
//! | 0xa2 | a record whose clear fields are bound to its body |
//!
//! Only `keyfob-seal` writes and opens envelopes. Other crates recognise them: a store allows for
//! their size, and a reader without keys reports that keys are missing.

use super::key_version::KeyVersion;

/// The first byte of an envelope. Plaintext records begin with a low number, which differs from it
/// in more than one bit.
pub const FORMAT: u8 = 0xa1;
/// The first byte of the envelope of a record whose clear fields are bound to its body. It differs
/// from [`FORMAT`] in more than one bit, so that no damage makes one of the other.
pub const RECORD_FORMAT: u8 = 0xa2;
/// Bytes of salt in an envelope.
pub const SALT: usize = 16;
/// Bytes before the ciphertext.
pub const HEAD: usize = 5 + SALT;
/// Bytes of the authentication tag, after the ciphertext.
pub const TAG: usize = 16;
/// The number of bytes that sealing adds.
pub const OVERHEAD: usize = HEAD + TAG;
/// The number of bytes that a record has after its content: when its stamp was given, and the number
/// of its uses, if that is limited.
pub const MAX_TRAILER: usize = 8 + 4;

/// Returns the version of the key that the bytes are sealed under, or `None` if they are not an
/// envelope.
pub fn key_of(bytes: &[u8]) -> Option<KeyVersion> {
    match bytes {
        [FORMAT | RECORD_FORMAT, high, low, ..] => {
            Some(KeyVersion::new(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

/// Returns the version of the key that the record's terms are blinded under, or `None` if the bytes
/// are not an envelope.
pub fn term_key_of(bytes: &[u8]) -> Option<KeyVersion> {
    match bytes {
        [FORMAT | RECORD_FORMAT, _, _, high, low, ..] => {
            Some(KeyVersion::new(u16::from_be_bytes([*high, *low])))
        }
        _ => None,
    }
}

/// Returns whether the bytes say that they are sealed.
pub fn is_sealed(bytes: &[u8]) -> bool {
    matches!(bytes, [FORMAT | RECORD_FORMAT, ..])
}

/// Returns whether the bytes are the envelope of a record whose clear fields are bound to its body.
pub fn binds_clear_fields(bytes: &[u8]) -> bool {
    bytes.first() == Some(&RECORD_FORMAT)
}

/// Returns how many bytes sealing may have added to these.
pub fn max_overhead(bytes: &[u8]) -> usize {
    match bytes {
        [FORMAT, ..] => OVERHEAD,
        [RECORD_FORMAT, ..] => OVERHEAD + MAX_TRAILER,
        _ => 0,
    }
}
