//! The flags and the fixed parts of the bytes of a cached token.

/// The bits of the kind.
pub(super) const KIND: u8 = 0b11;
/// The token is the root of its family and descends from no other.
pub(super) const ROOT: u8 = 0b100;
/// The token has an older secret in addition to its newest.
pub(super) const TWO_SECRETS: u8 = 0b1000;
/// The token was found by the older secret.
pub(super) const BY_OLDER: u8 = 0b1_0000;
/// The length of the three times.
pub(super) const FIXED: usize = 18;
/// The length byte of a field whose length follows in two bytes.
pub(super) const LONG: u8 = 255;
