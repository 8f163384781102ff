//! The head and the fixed parts of the bytes of a cached token.

/// The number of bytes of the head: flags, the number of cells, the lane, and a part of a time.
pub(super) const HEAD: usize = 4;
/// The bits of the kind.
pub(super) const KIND: u32 = 0b11;
/// The token is the root of its family and descends from no other.
pub(super) const ROOT: u32 = 1 << 2;
/// The token has an older secret in addition to its newest.
pub(super) const TWO_SECRETS: u32 = 1 << 3;
/// The token was found by the older secret.
pub(super) const BY_OLDER: u32 = 1 << 4;
/// The token has an issuer.
pub(super) const ISSUER: u32 = 1 << 5;
/// The token has a device.
pub(super) const DEVICE: u32 = 1 << 6;
/// The token has claims of the application.
pub(super) const CLAIMS: u32 = 1 << 7;
/// The token was used.
pub(super) const USED: u32 = 1 << 8;
/// The token expires at another time than its entry, or never. That time is among the fields.
pub(super) const OWN_EXPIRY: u32 = 1 << 9;
/// The token was issued at another time than its id was drawn. That time is among the fields.
/// Otherwise the id says it to 16 ms, and the head has the rest.
pub(super) const OWN_ISSUE: u32 = 1 << 10;
/// Where the number of cells begins, of four bits.
pub(super) const CELLS: u32 = 11;
pub(super) const MAX_CELLS: usize = 15;
/// Where the lane begins, of ten bits.
pub(super) const LANE: u32 = 15;
pub(super) const MAX_LANE: u32 = 1023;
/// Where the milliseconds begin that the id does not say, of four bits.
pub(super) const MILLIS: u32 = 25;
pub(super) const MAX_MILLIS: u32 = 15;
/// The token is bound to a key.
pub(super) const BOUND: u32 = 1 << 29;
/// The length of a time.
pub(super) const TIME: usize = 6;
/// The length byte of a field whose length follows in two bytes.
pub(super) const LONG: u8 = 255;
