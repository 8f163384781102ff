//! The lengths of the parts of a bearer token.

/// The number of base62 digits of a token id in a bearer token.
pub const ID_DIGITS: usize = 22;
pub(super) const GENERATION_DIGITS: usize = 3;
pub(super) const SECRET_DIGITS: usize = 30;
pub(super) const BODY: usize = ID_DIGITS + GENERATION_DIGITS + SECRET_DIGITS;
pub(super) const CHECK_DIGITS: usize = 6;
/// `_`, two letters of the kind, `_`.
pub(super) const KIND: usize = 4;
/// The maximum length of the prefix of a service.
pub(super) const MAX_PREFIX_BYTES: usize = 16;
/// The maximum length of a bearer token.
pub(super) const MAX_LENGTH: usize = MAX_PREFIX_BYTES + KIND + BODY + CHECK_DIGITS;
