//! A bearer token as a request presents it: parsed in place, without a copy.

use sha2::block_api::compress256;
use zeroize::Zeroizing;

use super::layout::{BODY, CHECK_DIGITS, GENERATION_DIGITS, ID_DIGITS, KIND, MAX_LENGTH};
use super::{BearerPrefix, BearerToken, Generation, ParseBearerError, base62};
use crate::id::TokenId;
use crate::kind::Kind;

/// A text with the form and the check of a bearer token.
///
/// The digits of the id, of the generation and of the secret are not checked yet:
/// [`Presented::to_bearer`] does that, and so does a comparison of the digest with the one that was
/// issued.
#[derive(Clone, Copy)]
pub struct Presented<'a> {
    text: &'a str,
    body: &'a [u8; BODY],
    kind: Kind,
}

/// The base62 digits of an id in a bearer token. They can serve as the key of a look-up, without
/// being parsed.
#[derive(Clone, Copy)]
pub struct IdDigits<'a>(&'a [u8; ID_DIGITS]);

/// The initial state of SHA-256 (FIPS 180-4 section 5.3.3).
const INITIAL: [u32; 8] = [
    0x6a09_e667,
    0xbb67_ae85,
    0x3c6e_f372,
    0xa54f_f53a,
    0x510e_527f,
    0x9b05_688c,
    0x1f83_d9ab,
    0x5be0_cd19,
];

impl BearerToken {
    /// Parses a bearer token: its form, alphabet and check. It does not allocate and does not look
    /// anything up.
    ///
    /// # Errors
    /// If the text is not a bearer token with this prefix.
    pub fn parse(text: &str, prefix: &BearerPrefix) -> Result<Self, ParseBearerError> {
        Presented::parse(text, prefix)?.to_bearer()
    }
}

impl<'a> Presented<'a> {
    /// Parses the form and the check of a bearer token.
    ///
    /// # Errors
    /// If the form or the checksum is wrong.
    #[inline]
    pub fn parse(text: &'a str, prefix: &BearerPrefix) -> Result<Self, ParseBearerError> {
        use ParseBearerError::{Check, Empty, Malformed};

        let other = || if text.is_empty() { Empty } else { Malformed };
        let rest = text.as_bytes().strip_prefix(prefix.as_str().as_bytes()).ok_or_else(other)?;
        let (kind, rest) = rest.split_first_chunk::<KIND>().ok_or(Malformed)?;
        let (body, check) = rest.split_first_chunk::<BODY>().ok_or(Malformed)?;
        let check: &[u8; CHECK_DIGITS] = check.try_into().map_err(|_| Malformed)?;
        let [b'_', first, second, b'_'] = *kind else { return Err(Malformed) };
        let kind = Kind::from_bearer_code([first, second]).ok_or(Malformed)?;
        let check = base62::read_short(check).ok_or(Malformed)?;
        let checked = text.len() - CHECK_DIGITS;
        // The check begins at the boundary of a character: all its digits are ASCII.
        if check != u64::from(crc32fast::hash(&text.as_bytes()[..checked])) {
            return Err(if check > u64::from(u32::MAX) { Malformed } else { Check });
        }
        Ok(Self { text, body, kind })
    }

    /// Returns the digits of the id, unchecked.
    #[inline]
    pub fn id_digits(&self) -> IdDigits<'a> {
        const NONE: &[u8; ID_DIGITS] = &[b'_'; ID_DIGITS];
        IdDigits(self.body.first_chunk().unwrap_or(NONE))
    }

    /// Returns the id.
    ///
    /// # Errors
    /// If its digits are not those of an id.
    pub fn id(&self) -> Result<TokenId, ParseBearerError> {
        self.id_digits().read().ok_or(ParseBearerError::Malformed)
    }

    /// Returns the kind in the text.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns the first half of the digest as four big-endian numbers.
    ///
    /// The body, the padding bit and the length fill exactly one block, so the hash is one
    /// compression.
    #[inline]
    pub fn half_digest(&self) -> [u32; 4] {
        let mut block = [0; 64];
        block[..BODY].copy_from_slice(self.body);
        block[BODY] = 0x80;
        block[62..].copy_from_slice(&(8 * BODY as u16).to_be_bytes());
        let mut state = INITIAL;
        compress256(&mut state, &[block]);
        let [a, b, c, d, ..] = state;
        [a, b, c, d]
    }

    /// Returns the bearer token.
    ///
    /// # Errors
    /// If the digits of the id, of the generation or of the secret are wrong.
    pub fn to_bearer(self) -> Result<BearerToken, ParseBearerError> {
        let id = self.id()?;
        let (generation, secret) = self.body[ID_DIGITS..].split_at(GENERATION_DIGITS);
        let generation = base62::read_short(generation)
            .and_then(|number| Generation::new(u32::try_from(number).ok()?))
            .filter(|_| secret.iter().all(|digit| base62::is_digit(*digit)))
            .ok_or(ParseBearerError::Malformed)?;
        let mut text = Zeroizing::new([0; MAX_LENGTH]);
        text[..self.text.len()].copy_from_slice(self.text.as_bytes());
        Ok(BearerToken { text, length: self.text.len() as u8, id, kind: self.kind, generation })
    }
}

impl<'a> IdDigits<'a> {
    /// Writes the digits of an id into a buffer.
    pub fn write(id: TokenId, digits: &'a mut [u8; ID_DIGITS]) -> Self {
        base62::write(u128::from_be_bytes(*id.as_bytes()), digits);
        Self(digits)
    }

    /// Returns the id, or `None` if the digits are not those of an id.
    pub fn read(self) -> Option<TokenId> {
        base62::read_id(self.0).map(|id| TokenId::from_bytes(id.to_be_bytes()))
    }

    /// Returns the digits as three numbers. The last two overlap.
    #[inline]
    pub fn words(self) -> [u64; 3] {
        [0, 8, ID_DIGITS - 8].map(|from| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&self.0[from..from + 8]);
            u64::from_le_bytes(eight)
        })
    }
}
