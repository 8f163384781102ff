//! The secret of a refresh token: a root and a tag for each generation.
//!
//! The 30 characters of secret are a **root** (22 characters, constant for the family; a store
//! keeps its digest) and a **tag** (8 characters), the HMAC-SHA256 of root, id and generation under
//! a random **seed** that is kept in the record. So any generation, older or newer, can be proven
//! from the record in constant space:
//!
//! - the root is wrong: whoever sent it never held a token of this family, and nothing may happen;
//! - the root is right and the tag is wrong: forged by somebody who did;
//! - both are right: the bearer was issued, and its generation says when.

use std::sync::atomic::{AtomicU64, Ordering};

use hmac::{Hmac, Mac};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{BearerDigest, BearerPrefix, BearerToken, Generation, SECRET_DIGITS, base62};
use crate::digest;
use crate::id::TokenId;
use crate::kind::Kind;
use crate::random::{self, Random, RandomUnavailable};

const ROOT_DIGITS: usize = 22;
const TAG_DIGITS: usize = SECRET_DIGITS - ROOT_DIGITS;

/// What a record keeps of a refresh token, to prove any of its generations.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Ratchet {
    seed: [u8; 32],
    #[zeroize(skip)]
    root: BearerDigest,
}

/// What a presented refresh token proves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// Not of this family: nothing may happen.
    Unknown,
    /// Made up by a holder of another generation.
    Forged,
    /// Issued, as this generation.
    Proven(Generation),
}

impl Ratchet {
    /// Draws the secrets of a new family, with the bearer of its first generation.
    pub fn draw(
        prefix: &BearerPrefix,
        id: TokenId,
        random: &dyn Random,
    ) -> Result<(Self, BearerToken), RandomUnavailable> {
        let mut root = Zeroizing::new([0; ROOT_DIGITS]);
        base62::draw(&mut *root, random)?;
        let seed = random::array(random)?;
        let ratchet = Self { seed, root: BearerDigest(Sha256::digest(*root).into()) };
        let bearer = ratchet.compose(prefix, id, &root, Generation::FIRST);
        Ok((ratchet, bearer))
    }

    pub fn from_parts(seed: [u8; 32], root: BearerDigest) -> Self {
        Self { seed, root }
    }

    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    pub fn root(&self) -> &BearerDigest {
        &self.root
    }

    /// What `bearer` proves about this family.
    pub fn prove(&self, bearer: &BearerToken) -> Proof {
        let secret = &bearer.body()[super::BODY - SECRET_DIGITS..];
        let (root, tag) = secret.split_at(ROOT_DIGITS);
        if BearerDigest(Sha256::digest(root).into()) != self.root {
            return Proof::Unknown;
        }
        let expected = self.tag(bearer.id(), root, bearer.generation());
        if bool::from(expected.ct_eq(tag)) {
            Proof::Proven(bearer.generation())
        } else {
            Proof::Forged
        }
    }

    /// The bearer of another generation, for whoever has just proven one.
    pub fn bearer(
        &self,
        prefix: &BearerPrefix,
        proven: &BearerToken,
        generation: Generation,
    ) -> BearerToken {
        let mut root = Zeroizing::new([0; ROOT_DIGITS]);
        root.copy_from_slice(&proven.body()[super::BODY - SECRET_DIGITS..][..ROOT_DIGITS]);
        self.compose(prefix, proven.id(), &root, generation)
    }

    /// What to draw from for whoever has just proven a generation: a function of the family's
    /// secrets, the generation and `about`. Nobody without the root can tell it.
    pub fn draw_from(&self, proven: &BearerToken, generation: Generation, about: &[u8]) -> Drawn {
        let mut mac = digest::keyed(&self.seed);
        mac.update(&proven.body()[super::BODY - SECRET_DIGITS..][..ROOT_DIGITS]);
        mac.update(proven.id().as_bytes());
        mac.update(&generation.number().to_be_bytes());
        // Longer than what a tag is made of, so that no tag tells anything of it.
        mac.update(b"drawn");
        mac.update(about);
        let key = Zeroizing::new(mac.finalize().into_bytes().into());
        Drawn { keyed: digest::keyed(&key), block: AtomicU64::new(0) }
    }

    /// A digest of `parts` that says nothing to whoever does not know the seed.
    pub fn fingerprint(&self, parts: &[Option<&[u8]>]) -> [u8; 16] {
        let mut mac = digest::keyed(&self.seed);
        mac.update(b"fingerprint");
        for part in parts {
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            mac.update(&length.to_be_bytes());
            mac.update(part.unwrap_or_default());
        }
        let mut print = [0; 16];
        print.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        print
    }

    pub(super) fn compose(
        &self,
        prefix: &BearerPrefix,
        id: TokenId,
        root: &[u8; ROOT_DIGITS],
        generation: Generation,
    ) -> BearerToken {
        let mut secret = Zeroizing::new([0; SECRET_DIGITS]);
        secret[..ROOT_DIGITS].copy_from_slice(root);
        secret[ROOT_DIGITS..].copy_from_slice(&self.tag(id, root, generation));
        BearerToken::compose(prefix, Kind::Refresh, id, generation, &secret)
    }

    fn tag(&self, id: TokenId, root: &[u8], generation: Generation) -> [u8; TAG_DIGITS] {
        let mut mac = digest::keyed(&self.seed);
        mac.update(root);
        mac.update(id.as_bytes());
        mac.update(&generation.number().to_be_bytes());
        let mut number = [0; 16];
        number.copy_from_slice(&mac.finalize().into_bytes()[..16]);
        let mut tag = [0; TAG_DIGITS];
        base62::write(u128::from_be_bytes(number) % 62u128.pow(TAG_DIGITS as u32), &mut tag);
        tag
    }
}

/// Bytes that look random and are the same whenever they are drawn from the same: so that a retry
/// draws the same id and the same secret.
pub struct Drawn {
    keyed: Hmac<Sha256>,
    block: AtomicU64,
}

impl Random for Drawn {
    fn fill(&self, bytes: &mut [u8]) -> Result<(), RandomUnavailable> {
        for chunk in bytes.chunks_mut(32) {
            let mut mac = self.keyed.clone();
            mac.update(&self.block.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            chunk.copy_from_slice(&mac.finalize().into_bytes()[..chunk.len()]);
        }
        Ok(())
    }
}

impl std::fmt::Debug for Drawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Drawn([redacted])")
    }
}

impl std::fmt::Debug for Ratchet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ratchet([redacted])")
    }
}
