//! Bearer tokens: the secret strings that prove possession of a token.
//!
//! ```text
//!  fob_at_0Gd3…22 characters…001…30 characters of secret…c6Tq1Z
//!  ─┬─ ┬  ─────────┬──────── ─┬─ ──────────┬──────────── ──┬───
//! prefix │        token id  generation   secret          check
//!      kind        (base62, fixed width; together the 55 characters of the body)
//! ```
//!
//! The body fills one block of SHA-256, so the digest that a store keeps costs one compression of
//! the text. The check is the CRC-32 of everything before it. So a typo or a guess is refused without
//! a look-up, and a secret scanner can tell a real token from noise offline
//! ([`BearerPrefix::scanner_regex`]).
//!
//! In a refresh token, the secret consists of a **root**, constant for the family, and a **tag** that
//! proves one generation, see [`ratchet`].

mod base62;
mod key;
mod layout;
mod prefix;
mod presented;
pub mod ratchet;

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use crate::id::TokenId;
use crate::kind::Kind;
use crate::random::{Random, RandomUnavailable};

use layout::{BODY, CHECK_DIGITS, GENERATION_DIGITS, KIND, MAX_LENGTH, SECRET_DIGITS};

pub use key::BearerKey;
pub use layout::ID_DIGITS;
pub use prefix::BearerPrefix;
pub use presented::{IdDigits, Presented};

/// The secret string that proves possession of a token. It is wiped from memory when dropped.
///
/// [`expose`](Self::expose) returns the secret. `Debug` shows the id and a redaction. There is no
/// `Display`, so that neither the secret nor a redacted text can reach a client or a log by mistake:
///
/// ```compile_fail
/// # fn show(bearer: &keyfob::BearerToken) -> String {
/// format!("{bearer}")
/// # }
/// ```
///
/// ```
/// use keyfob::bearer::ParseBearerError;
/// use keyfob::{BearerPrefix, BearerToken};
///
/// let prefix = BearerPrefix::default();
/// let refused = BearerToken::parse("fob_at_tooshort", &prefix).unwrap_err();
/// assert_eq!(refused, ParseBearerError::Malformed);
/// ```
#[derive(Clone)]
pub struct BearerToken {
    text: Zeroizing<[u8; MAX_LENGTH]>,
    length: u8,
    id: TokenId,
    kind: Kind,
    generation: Generation,
}

/// The number of times that a refresh token was rotated, or that an API key got a new secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Generation(u32);

/// The SHA-256 of a bearer token's body: the only part of it that a store keeps.
///
/// A comparison takes the same time wherever two digests differ.
#[derive(Clone, Copy)]
pub struct BearerDigest([u8; 32]);

/// Why a text is not a bearer token. The error does not contain the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseBearerError {
    /// The text is empty.
    #[error("no bearer was given: the text is empty")]
    Empty,
    /// The length, prefix, kind or alphabet is wrong, or a number overflows.
    #[error("not a bearer of this service: check that it was copied whole")]
    Malformed,
    /// The form is right, but the checksum is wrong: a typo or a guess.
    #[error("the bearer's checksum is wrong: a character was changed or lost")]
    Check,
}

impl Generation {
    /// The first generation.
    pub const FIRST: Self = Self(0);
    /// The last generation that a bearer token can carry: 62³ − 1.
    pub const LAST: Self = Self(62 * 62 * 62 - 1);

    /// Returns the generation with this number, or `None` beyond [`Generation::LAST`].
    pub const fn new(number: u32) -> Option<Self> {
        if number > Self::LAST.0 { None } else { Some(Self(number)) }
    }

    /// Returns the number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// Returns the next generation, or `None` after the last.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl BearerToken {
    /// Draws a bearer token for the token `id`.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn draw(
        prefix: &BearerPrefix,
        kind: Kind,
        id: TokenId,
        generation: Generation,
        random: &dyn Random,
    ) -> Result<Self, RandomUnavailable> {
        let mut secret = Zeroizing::new([0; SECRET_DIGITS]);
        base62::draw(&mut *secret, random)?;
        Ok(Self::compose(prefix, kind, id, generation, &secret))
    }

    fn compose(
        prefix: &BearerPrefix,
        kind: Kind,
        id: TokenId,
        generation: Generation,
        secret: &[u8; SECRET_DIGITS],
    ) -> Self {
        let start = prefix.as_str().len();
        let mut text = Zeroizing::new([0; MAX_LENGTH]);
        text[..start].copy_from_slice(prefix.as_str().as_bytes());
        text[start] = b'_';
        text[start + 1..start + 3].copy_from_slice(&kind.bearer_code());
        text[start + 3] = b'_';
        let body = start + KIND;
        base62::write(u128::from_be_bytes(*id.as_bytes()), &mut text[body..body + ID_DIGITS]);
        let secret_at = body + ID_DIGITS + GENERATION_DIGITS;
        base62::write(generation.0.into(), &mut text[body + ID_DIGITS..secret_at]);
        text[secret_at..body + BODY].copy_from_slice(secret);
        let check = crc32fast::hash(&text[..body + BODY]);
        let length = body + BODY + CHECK_DIGITS;
        base62::write(check.into(), &mut text[body + BODY..length]);
        Self { text, length: length as u8, id, kind, generation }
    }

    /// Returns the secret text, to hand to its owner once. Do not store it and do not log it.
    pub fn expose(&self) -> &str {
        // Every byte is ASCII, by `parse` and by `compose`.
        std::str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }

    /// Returns the id of the token.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// Returns the kind in the text. The record has the kind that counts.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the generation of the secret.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// Returns the digest that a store keeps.
    pub fn digest(&self) -> BearerDigest {
        BearerDigest(Sha256::digest(self.body()).into())
    }

    fn body(&self) -> &[u8] {
        let end = usize::from(self.length) - CHECK_DIGITS;
        &self.text[end - BODY..end]
    }
}

impl fmt::Debug for BearerToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BearerToken({}, [redacted])", self.id)
    }
}

impl BearerDigest {
    /// Creates a digest from its bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Returns the first half as four big-endian numbers.
    pub fn half(&self) -> [u32; 4] {
        let mut words = self.0.chunks_exact(4).map(|word| word.try_into().map(u32::from_be_bytes));
        std::array::from_fn(|_| words.next().and_then(Result::ok).unwrap_or_default())
    }
}

impl PartialEq for BearerDigest {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for BearerDigest {}

impl fmt::Debug for BearerDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BearerDigest([redacted])")
    }
}

#[cfg(test)]
mod tests;
