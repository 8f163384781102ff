//! A bearer as it was presented: read in place, copied nowhere.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{
    BODY, Bearer, BearerDigest, BearerPrefix, BearerRefused, CHECK_DIGITS, GENERATION_DIGITS,
    Generation, ID_DIGITS, KIND, LONGEST, base62,
};
use crate::id::TokenId;
use crate::token::Kind;

/// A text whose form and check are those of a bearer. The rest of what a bearer must be is seen to
/// by [`Presented::to_bearer`], or by its digest being the one that was issued.
#[derive(Clone, Copy)]
pub(crate) struct Presented<'a> {
    text: &'a str,
    body: &'a [u8; BODY],
    id: TokenId,
    kind: Kind,
}

impl<'a> Presented<'a> {
    pub(crate) fn read(text: &'a str, prefix: &BearerPrefix) -> Result<Self, BearerRefused> {
        use BearerRefused::{Check, Malformed};

        let rest = text.as_bytes().strip_prefix(prefix.as_str().as_bytes()).ok_or(Malformed)?;
        let (kind, rest) = rest.split_first_chunk::<KIND>().ok_or(Malformed)?;
        let (body, check) = rest.split_first_chunk::<BODY>().ok_or(Malformed)?;
        let check: &[u8; CHECK_DIGITS] = check.try_into().map_err(|_| Malformed)?;
        let [b'_', first, second, b'_'] = *kind else { return Err(Malformed) };
        let kind = Kind::from_bearer_code([first, second]).ok_or(Malformed)?;
        let check = base62::read_short(check).ok_or(Malformed)?;
        let checked = text.len() - CHECK_DIGITS;
        // No multi-byte character ends where the check begins: all its digits are ASCII.
        if check != u64::from(crc32fast::hash(&text.as_bytes()[..checked])) {
            return Err(if check > u64::from(u32::MAX) { Malformed } else { Check });
        }
        let id = body.first_chunk::<ID_DIGITS>().and_then(base62::read_id).ok_or(Malformed)?;
        Ok(Self { text, body, id: TokenId::from_bytes(id.to_be_bytes()), kind })
    }

    pub(crate) fn id(&self) -> TokenId {
        self.id
    }

    pub(crate) fn kind(&self) -> Kind {
        self.kind
    }

    pub(crate) fn digest(&self) -> BearerDigest {
        BearerDigest(Sha256::digest(self.body).into())
    }

    /// The bearer, if it is one to the last character.
    pub(crate) fn to_bearer(self) -> Result<Bearer, BearerRefused> {
        let (generation, secret) = self.body[ID_DIGITS..].split_at(GENERATION_DIGITS);
        let generation = base62::read_short(generation)
            .and_then(|number| Generation::new(u32::try_from(number).ok()?))
            .filter(|_| secret.iter().all(|digit| base62::is_digit(*digit)))
            .ok_or(BearerRefused::Malformed)?;
        let mut text = Zeroizing::new([0; LONGEST]);
        text[..self.text.len()].copy_from_slice(self.text.as_bytes());
        let (id, kind) = (self.id, self.kind);
        Ok(Bearer { text, length: self.text.len() as u8, id, kind, generation })
    }
}
