//! The secret of a refresh token: a root, and a tag for each generation.
//!
//! The 30 characters of the secret are a **root** (22 characters, constant for the family; a store
//! keeps its digest) and a **tag** (8 characters): the HMAC-SHA256 of root, id and generation under
//! a random **seed** that the record keeps. So any generation, older or newer, can be proven from
//! the record in constant space:
//!
//! - The root is wrong: the presenter never held a token of this family, and nothing may happen.
//! - The root is right and the tag is wrong: a holder of another generation forged the token.
//! - Both are right: the token was issued, and its generation says when.

use hmac::Mac;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq;
use zeroize::{ZeroizeOnDrop, Zeroizing};

use super::{BearerDigest, BearerPrefix, BearerToken, Generation, SECRET_DIGITS, base62};
use crate::digest;
use crate::id::TokenId;
use crate::kind::Kind;
use crate::random::{self, DerivedRandom, Random, RandomUnavailable};

const ROOT_DIGITS: usize = 22;
const TAG_DIGITS: usize = SECRET_DIGITS - ROOT_DIGITS;

/// The secrets of a family that its record keeps, to prove any generation.
#[derive(Clone, ZeroizeOnDrop)]
pub struct Ratchet {
    seed: [u8; 32],
    #[zeroize(skip)]
    root: BearerDigest,
}

/// The proof that a presented refresh token gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Proof {
    /// The token is not of this family. Nothing may happen.
    Unknown,
    /// A holder of another generation forged the token.
    Forged,
    /// The token was issued, as this generation.
    Proven(Generation),
}

impl Ratchet {
    /// Draws the secrets of a new family. Returns them with the bearer token of the first
    /// generation.
    ///
    /// # Errors
    /// If there is no randomness.
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

    /// Creates the secrets from their stored parts.
    pub fn from_parts(seed: [u8; 32], root: BearerDigest) -> Self {
        Self { seed, root }
    }

    /// Returns the seed, to store it.
    pub fn seed(&self) -> &[u8; 32] {
        &self.seed
    }

    /// Returns the digest of the root, to store it.
    pub fn root(&self) -> &BearerDigest {
        &self.root
    }

    /// Returns what `bearer` proves about this family.
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

    /// Returns the bearer token of another generation, for the holder of a `proven` one.
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

    /// Returns a source of randomness for the holder of a `proven` bearer token: a function of the
    /// family's secrets, the generation and `about`. It cannot be predicted without the root.
    pub fn derive_random(
        &self,
        proven: &BearerToken,
        generation: Generation,
        about: &[u8],
    ) -> DerivedRandom {
        let mut mac = digest::keyed(&self.seed);
        mac.update(&proven.body()[super::BODY - SECRET_DIGITS..][..ROOT_DIGITS]);
        mac.update(proven.id().as_bytes());
        mac.update(&generation.number().to_be_bytes());
        // Longer than the message of a tag, so that no tag reveals anything about the output.
        mac.update(b"drawn");
        mac.update(about);
        let key = Zeroizing::new(mac.finalize().into_bytes().into());
        DerivedRandom::new(&key)
    }

    /// Returns a digest of `parts` that reveals nothing without the seed.
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

impl std::fmt::Debug for Ratchet {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ratchet([redacted])")
    }
}
