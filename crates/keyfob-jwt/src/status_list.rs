//! Status lists: which tokens of an issuer are revoked, as one signed bitmap (Token Status List, RFC draft
//! `draft-ietf-oauth-status-list-21`).
//!
//! A token names a list and an index in it. The bit at the index is 1 once the token is revoked. A service fetches the
//! list, keeps it for as long as it says (`ttl`), and so learns about revocations without a request for each token.

use std::io::{Read as _, Write as _};

use base64ct::{Base64UrlUnpadded, Encoding as _};
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use keyfob_core::time::{Timestamp, Ttl};
use serde::{Deserialize, Serialize};

use crate::jws::{Malformed, Unverified};
use crate::key_set::{KeySet, NotSigned};
use crate::signing::{CannotSign, SigningKey};

/// The type in the header (section 5.1).
pub const TYPE: &str = "statuslist+jwt";
/// The media type of a list (section 8.1).
pub const MEDIA_TYPE: &str = "application/statuslist+jwt";

/// The maximum number of tokens of a list that is read: those of a list of 128 KiB.
pub const MAX_TOKENS: u32 = 1 << 20;
/// The maximum length of a signed list that is read, in bytes. Random bits cannot be compressed, and are written in
/// base64url twice.
pub const MAX_BYTES: usize = 512 * 1024;

/// The bits of a list: one for each token.
#[derive(Clone, PartialEq, Eq)]
pub struct StatusList {
    bits: Vec<u8>,
}

/// A signed list (section 5.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StatusListToken {
    /// The address of the list, which tokens name.
    pub uri: String,
    /// When it was made.
    pub issued_at: Timestamp,
    /// When it must not be used any more.
    pub expires_at: Option<Timestamp>,
    /// After how long it should be fetched again.
    pub ttl: Option<Ttl>,
    /// The bits.
    pub list: StatusList,
}

/// Why a list is not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BadList {
    /// It is no list, or no key of the set has signed it.
    #[error(transparent)]
    NotSigned(#[from] NotSigned),
    /// It has more than one bit for each token.
    #[error("the list has more than one bit for each token")]
    Unsupported,
    /// Its bits are not compressed as they have to be.
    #[error("the bits of the list cannot be read")]
    Bits,
    /// It has more than [`MAX_TOKENS`].
    #[error("the list is too long")]
    TooLong,
}

impl StatusList {
    /// Returns a list for this number of tokens, rounded up to a multiple of 8, none of which is revoked.
    pub fn new(tokens: u32) -> Self {
        Self { bits: vec![0; tokens.div_ceil(8) as usize] }
    }

    /// Returns how many tokens it has room for.
    pub fn capacity(&self) -> u32 {
        (self.bits.len() * 8) as u32
    }

    /// Returns whether the token at this index is revoked; `None` if the list has no such index. Then the token is
    /// refused (section 8.3).
    pub fn is_revoked(&self, index: u32) -> Option<bool> {
        let byte = self.bits.get(index as usize / 8)?;
        Some(byte >> (index % 8) & 1 == 1)
    }

    /// Marks the token at this index as revoked. Returns whether it was not before. An index beyond the list changes
    /// nothing.
    pub fn revoke(&mut self, index: u32) -> bool {
        let Some(byte) = self.bits.get_mut(index as usize / 8) else { return false };
        let bit = 1 << (index % 8);
        let is_new = *byte & bit == 0;
        *byte |= bit;
        is_new
    }

    /// Marks the tokens as revoked that another list marks. What the other list has beyond this one is ignored.
    pub fn merge(&mut self, other: &Self) {
        for (byte, others) in self.bits.iter_mut().zip(&other.bits) {
            *byte |= others;
        }
    }

    /// Returns how many tokens are revoked.
    pub fn revoked(&self) -> u32 {
        self.bits.iter().map(|byte| byte.count_ones()).sum()
    }

    /// Returns the bits as they are written: compressed by DEFLATE in the format of zlib, in base64url (section 4.1).
    pub fn to_text(&self) -> String {
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::best());
        // Writing into memory does not fail.
        let compressed = zlib.write_all(&self.bits).and_then(|()| zlib.finish());
        Base64UrlUnpadded::encode_string(&compressed.unwrap_or_default())
    }

    /// Reads bits that [`StatusList::to_text`] wrote. No more than [`MAX_TOKENS`] are uncompressed.
    ///
    /// # Errors
    /// If the text is not compressed as it has to be, or is too long.
    pub fn from_text(text: &str) -> Result<Self, BadList> {
        const MAX: u64 = MAX_TOKENS as u64 / 8;
        let compressed = Base64UrlUnpadded::decode_vec(text).map_err(|_| BadList::Bits)?;
        let mut bits = Vec::new();
        let mut zlib = ZlibDecoder::new(compressed.as_slice()).take(MAX + 1);
        zlib.read_to_end(&mut bits).map_err(|_| BadList::Bits)?;
        if bits.len() as u64 > MAX {
            return Err(BadList::TooLong);
        }
        // What follows the compressed bits belongs to nobody.
        if zlib.into_inner().total_in() != compressed.len() as u64 {
            return Err(BadList::Bits);
        }
        Ok(Self { bits })
    }
}

impl std::fmt::Debug for StatusList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "StatusList({} of {} revoked)", self.revoked(), self.capacity())
    }
}

#[derive(Serialize, Deserialize)]
struct Claims {
    sub: String,
    iat: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl: Option<u64>,
    status_list: Bits,
}

#[derive(Serialize, Deserialize)]
struct Bits {
    bits: u8,
    lst: String,
}

impl StatusListToken {
    /// Signs the list.
    ///
    /// # Errors
    /// If the cryptography library fails.
    pub fn sign(&self, key: &SigningKey) -> Result<String, CannotSign> {
        let claims = Claims {
            sub: self.uri.clone(),
            iat: self.issued_at.as_secs(),
            exp: self.expires_at.map(|at| at.as_secs()),
            ttl: self.ttl.map(|ttl| ttl.as_secs()),
            status_list: Bits { bits: 1, lst: self.list.to_text() },
        };
        key.sign(TYPE, &claims)
    }

    /// Returns whether the list may be used at this time.
    pub fn is_current(&self, now: Timestamp) -> bool {
        self.expires_at.is_none_or(|at| now < at)
    }
}

/// Returns a list, if a key of the set has signed it. Compare its [`uri`](StatusListToken::uri) with the one that a
/// token names, and ask [`StatusListToken::is_current`].
///
/// # Errors
/// If the text is no list, or no key of the set has signed it.
pub fn open(text: &str, keys: &KeySet) -> Result<StatusListToken, BadList> {
    /// The last second of the year 9999.
    const MAX_SECS: u64 = 253_402_300_799;

    let jwt = Unverified::parse_within(text, MAX_BYTES).map_err(NotSigned::from)?;
    let claims: Claims = keys.verified(&jwt, TYPE)?.payload().map_err(NotSigned::from)?;
    if claims.status_list.bits != 1 {
        return Err(BadList::Unsupported);
    }
    let malformed = || BadList::from(NotSigned::from(Malformed::Payload));
    let at =
        |secs: u64| (secs <= MAX_SECS).then(|| Timestamp::from_secs(secs)).ok_or_else(malformed);
    let ttl = |secs: u64| {
        let ttl = secs.checked_mul(1000).and_then(|millis| Ttl::from_millis(millis).ok());
        ttl.ok_or_else(malformed)
    };
    Ok(StatusListToken {
        uri: claims.sub,
        issued_at: at(claims.iat)?,
        expires_at: claims.exp.map(at).transpose()?,
        ttl: claims.ttl.map(ttl).transpose()?,
        list: StatusList::from_text(&claims.status_list.lst)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::signing::SigningAlgorithm;

    /// Section 4.1 of the draft.
    #[test]
    fn the_example_of_the_draft_is_written_and_read() {
        let mut list = StatusList::new(16);
        for index in [0, 3, 4, 5, 7, 8, 9, 13, 15] {
            assert!(list.revoke(index));
        }
        assert_eq!(list.bits, [0xb9, 0xa3]);
        assert_eq!(list.to_text(), "eNrbuRgAAhcBXQ");
        assert_eq!(StatusList::from_text("eNrbuRgAAhcBXQ"), Ok(list));
    }

    /// Appendix C.1 of the draft.
    #[test]
    fn the_vector_of_the_draft_is_read() {
        let text = "eNrt3AENwCAMAEGogklACtKQPg9LugC9k_ACvreiogEAAKkeCQAAAAAAAAAAAAAAAAAAAIBylgQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAXG9IAAAAAAAAAPwsJAAAAAAAAAAAAAAAvhsSAAAAAAAAAAAA7KpLAAAAAAAAAAAAAAAAAAAAAJsLCQAAAAAAAAAAADjelAAAAAAAAAAAKjDMAQAAAACAZC8L2AEb";
        let revoked =
            [0, 1993, 25460, 159495, 495669, 554353, 645645, 723232, 854545, 934534, 1_000_345];
        let list = StatusList::from_text(text).unwrap();
        assert_eq!(list.capacity(), 1 << 20);
        assert_eq!(list.revoked() as usize, revoked.len());
        assert!(revoked.iter().all(|index| list.is_revoked(*index) == Some(true)));
        assert_eq!(list.is_revoked(1), Some(false));
        assert_eq!(list.is_revoked(1 << 20), None);
        assert_eq!(StatusList::from_text(&list.to_text()), Ok(list));
    }

    #[test]
    fn a_list_that_grows_too_long_is_refused_before_it_takes_the_room() {
        let longest = StatusList::new(MAX_TOKENS);
        assert_eq!(StatusList::from_text(&longest.to_text()), Ok(longest));
        let bomb = StatusList { bits: vec![0; 64 << 20] }.to_text();
        assert!(bomb.len() < MAX_BYTES, "{}", bomb.len());
        assert_eq!(StatusList::from_text(&bomb), Err(BadList::TooLong));
    }

    #[test]
    fn bits_that_are_damaged_are_refused() {
        let text = StatusList::new(1 << 12).to_text();
        for place in 0..text.len() {
            let cut = &text[..place];
            assert_eq!(StatusList::from_text(cut), Err(BadList::Bits), "{cut}");
        }
        assert_eq!(StatusList::from_text(&format!("{text}AAAA")), Err(BadList::Bits));
        assert_eq!(StatusList::from_text("eNrbuRgAAhcBXR"), Err(BadList::Bits), "a wrong check");
    }

    #[test]
    fn a_signed_list_is_read_back_and_no_other_type_is() {
        let key = SigningKey::derive(&[1; 32], SigningAlgorithm::EdDsa).unwrap();
        let keys = KeySet::new([key.public().clone()]);
        let mut list = StatusList::new(1 << 17);
        list.revoke(131_071);
        let token = StatusListToken {
            uri: "https://tokens.example/status-lists/a".into(),
            issued_at: Timestamp::from_secs(1_700_000_000),
            expires_at: Some(Timestamp::from_secs(1_700_000_600)),
            ttl: Some(Ttl::from_secs(60)),
            list,
        };
        let text = token.sign(&key).unwrap();
        assert_eq!(open(&text, &keys), Ok(token.clone()));
        assert!(token.is_current(Timestamp::from_secs(1_700_000_599)));
        assert!(!token.is_current(Timestamp::from_secs(1_700_000_600)));
        let refused = crate::access_token::open(&text, &keys).unwrap_err();
        assert_eq!(refused, NotSigned::Type);
        assert_eq!(open(&text, &KeySet::default()), Err(NotSigned::UnknownKey.into()));
    }

    #[test]
    fn a_list_of_random_bits_stays_below_the_maximum() {
        let mut list = StatusList::new(MAX_TOKENS);
        let random = keyfob_core::random::SeededRandom::new(1);
        keyfob_core::random::Random::fill(&random, &mut list.bits).unwrap();
        let key = SigningKey::derive(&[1; 32], SigningAlgorithm::Es256).unwrap();
        let token = StatusListToken {
            uri: "https://tokens.example/status-lists/a".into(),
            issued_at: Timestamp::from_secs(1),
            expires_at: None,
            ttl: None,
            list,
        };
        let text = token.sign(&key).unwrap();
        assert_eq!(open(&text, &KeySet::new([key.public().clone()])), Ok(token));
    }
}
