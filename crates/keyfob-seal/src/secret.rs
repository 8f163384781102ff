//! The 32 bytes of a key: drawn, read, written, and wiped after use.

use std::fmt;

use base64ct::{Base64UrlUnpadded, Encoding};
use zeroize::{Zeroize, ZeroizeOnDrop, Zeroizing};

use keyfob_core::random::{Random, RandomUnavailable};

/// The bytes of a key. Never shown, wiped when dropped.
#[derive(Clone, PartialEq, Eq, Zeroize, ZeroizeOnDrop)]
pub(super) struct Secret([u8; Secret::BYTES]);

/// Why a text is not a key.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum NoSecret {
    Malformed,
    Length,
    Weak,
}

impl Secret {
    pub(super) const BYTES: usize = 32;
    /// Reads 43 characters: 32 bytes in base64url without padding.
    const DIGITS: usize = 43;

    pub(super) fn draw(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        random.fill(&mut *bytes)?;
        Ok(Self(*bytes))
    }

    pub(super) fn parse(text: &str) -> Result<Self, NoSecret> {
        if text.len() != Self::DIGITS {
            return Err(NoSecret::Length);
        }
        let mut bytes = Zeroizing::new([0; Self::BYTES]);
        Base64UrlUnpadded::decode(text, &mut *bytes).map_err(|_| NoSecret::Malformed)?;
        // A placeholder that a person typed, or a file of zeros. No generator returns this.
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(NoSecret::Weak);
        }
        Ok(Self(*bytes))
    }

    pub(super) fn to_text(&self) -> Zeroizing<String> {
        let mut digits = Zeroizing::new([0; Self::DIGITS]);
        // The buffer has the exact size, so this cannot fail.
        let text = Base64UrlUnpadded::encode(&self.0, &mut *digits).unwrap_or_default();
        Zeroizing::new(text.to_owned())
    }

    pub(super) fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
