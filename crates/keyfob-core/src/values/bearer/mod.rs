//! Bearers: the secret strings that prove possession of a token.
//!
//! ```text
//!  fob_at_0Gd3…22 characters…001…30 characters of secret…c6Tq1Z
//!  ─┬─ ┬  ─────────┬──────── ─┬─ ──────────┬──────────── ──┬───
//! prefix │        token id  generation   secret          check
//!      kind        (base62, fixed width; together the 55 characters of the body)
//! ```
//!
//! The body is as long as one block of SHA-256 allows, so the digest that a store keeps costs one
//! compression of the text as it stands. The check is the CRC-32 of all that comes before it: a
//! typo or a guess is refused without a look-up, and a secret scanner can tell a real one from
//! noise offline ([`BearerPrefix::scanner_regex`]).
//!
//! In a refresh token the secret is a **root**, constant for the family, and a **tag** that proves
//! one generation; see [`ratchet`](self::ratchet).

mod base62;
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

pub use prefix::BearerPrefix;
pub use presented::{IdDigits, Presented};

pub const ID_DIGITS: usize = 22;
const GENERATION_DIGITS: usize = 3;
const SECRET_DIGITS: usize = 30;
const BODY: usize = ID_DIGITS + GENERATION_DIGITS + SECRET_DIGITS;
const CHECK_DIGITS: usize = 6;
/// `_`, two letters of the kind, `_`.
const KIND: usize = 4;
const LONGEST: usize = BearerPrefix::MAX_BYTES + KIND + BODY + CHECK_DIGITS;

/// A bearer, wiped from memory when dropped. `Debug` and `Display` show a redaction.
///
/// ```
/// use keyfob::{BearerPrefix, BearerToken, ParseBearerError};
///
/// let prefix = BearerPrefix::default();
/// let refused = BearerToken::parse("fob_at_tooshort", &prefix).unwrap_err();
/// assert_eq!(refused, ParseBearerError::Malformed);
/// ```
#[derive(Clone)]
pub struct BearerToken {
    text: Zeroizing<[u8; LONGEST]>,
    length: u8,
    id: TokenId,
    kind: Kind,
    generation: Generation,
}

/// How often a refresh token has been rotated, or an API key been given a new secret.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Generation(u32);

/// The SHA-256 of a bearer's body: all that a store keeps of it.
///
/// Comparison takes the same time wherever two digests differ.
#[derive(Clone, Copy)]
pub struct BearerDigest([u8; 32]);

/// Why a text is no bearer. It does not hold the text.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ParseBearerError {
    /// Wrong length, prefix, kind or alphabet, or a number that overflows.
    #[error("not a bearer of this service: check that it was copied whole")]
    Malformed,
    /// The form is right but the check is not: a typo or a guess.
    #[error("the bearer's check does not hold: a character was changed or lost")]
    Check,
}

impl Generation {
    /// The first one.
    pub const FIRST: Self = Self(0);
    /// The last one that a bearer can carry: 62³ − 1.
    pub const LAST: Self = Self(62 * 62 * 62 - 1);

    /// The generation with this number; `None` beyond [`Generation::LAST`].
    pub const fn new(number: u32) -> Option<Self> {
        if number > Self::LAST.0 { None } else { Some(Self(number)) }
    }

    /// The number.
    pub const fn number(self) -> u32 {
        self.0
    }

    /// The next one; `None` after the last.
    pub const fn next(self) -> Option<Self> {
        Self::new(self.0 + 1)
    }
}

impl BearerToken {
    /// Reads a bearer: its form, alphabet and check. Allocates nothing.
    ///
    /// # Errors
    /// When the text is no bearer with this prefix. Nothing has then been looked up.
    pub fn parse(text: &str, prefix: &BearerPrefix) -> Result<Self, ParseBearerError> {
        Presented::read(text, prefix)?.to_bearer()
    }

    /// Draws a bearer for the token `id`.
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
        let mut text = Zeroizing::new([0; LONGEST]);
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

    /// The secret text, to hand to its owner once. Store it nowhere, log it nowhere.
    pub fn expose(&self) -> &str {
        // Every byte of a bearer is ASCII, by `parse` and by `compose`.
        std::str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }

    /// The token that the bearer belongs to.
    pub fn id(&self) -> TokenId {
        self.id
    }

    /// The kind that the bearer claims; the record decides.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The generation of the secret.
    pub fn generation(&self) -> Generation {
        self.generation
    }

    /// The digest by which a store knows the bearer.
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
    /// The digest with these bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first half, as the four numbers that its bytes are made of.
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
