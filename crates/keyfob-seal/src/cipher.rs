//! Seals bytes under one key, and opens them. The layout is in [`keyfob_core::envelope`].
//!
//! # Why no nonce is ever used twice
//! AES-GCM is broken if one key uses one nonce twice. With random nonces of 96 bits, a key is used up after
//! 2³² messages, which a busy store writes in days. So a key of the ring never encrypts anything. Instead
//! a subkey is derived from it for each sealing, by HMAC-SHA256 over the identity of the bytes and 128
//! bits that nothing else has, the **salt**. A subkey seals one message, with a constant nonce.
//!
//! Two sealings share a subkey only if they have the same identity and the same salt. A salt is drawn, or
//! is a digest of something that never repeats: see `salts`. A record has at most 2³² versions, so the
//! chance that two of them share a salt is below 2⁻⁶⁵. For all events that a lane will ever see, say 2⁴⁰,
//! it is below 2⁻⁴⁹. A machine that is cloned together with its generator has the same salts, but would
//! also have to write something of the same identity at the same step, and ids are random too.
//!
//! The header and the identity of the bytes are bound twice: into the subkey, and as associated data. Bytes
//! that were moved, swapped, cut or changed do not open.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::associated_data::{CONTEXT, Context};
use super::secret::Secret;
use keyfob_core::KeyVersion;
use keyfob_core::digest;
pub(super) use keyfob_core::envelope::{
    FORMAT, OVERHEAD, SALT, is_sealed, key_of, term_key_of as form_of,
};
use keyfob_core::envelope::{HEAD, TAG};

/// Each subkey seals once.
const ONLY_NONCE: [u8; 12] = [0; 12];

/// A key of the ring, ready for deriving subkeys.
pub(super) struct Cipher(Hmac<Sha256>);

/// The bytes are not what was sealed, or have another identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct NotOpened;

impl Cipher {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(digest::keyed(secret.as_bytes()))
    }

    pub(super) fn seal(
        &self,
        number: KeyVersion,
        form: KeyVersion,
        context: &Context,
        salt: &[u8; SALT],
        plain: &[u8],
    ) -> Result<Vec<u8>, NotOpened> {
        let mut head = [0; HEAD];
        let (front, back) = head.split_at_mut(HEAD - SALT);
        let ([a, b], [c, d]) = (number.value().to_be_bytes(), form.value().to_be_bytes());
        front.copy_from_slice(&[FORMAT, a, b, c, d]);
        back.copy_from_slice(salt);
        let (key, bound) = self.subkey(&head, context)?;
        let mut sealed = Vec::with_capacity(OVERHEAD + plain.len());
        sealed.extend_from_slice(&head);
        sealed.extend_from_slice(plain);
        let nonce = Nonce::assume_unique_for_key(ONLY_NONCE);
        let (_, body) = sealed.split_at_mut(HEAD);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(&bound), body)
            .map_err(|_| NotOpened)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(&self, context: &Context, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (head, body) = sealed.split_first_chunk::<HEAD>().ok_or(NotOpened)?;
        let (key, bound) = self.subkey(head, context)?;
        let (body, tag) = body.split_last_chunk::<TAG>().ok_or(NotOpened)?;
        let nonce = Nonce::assume_unique_for_key(ONLY_NONCE);
        let mut plain = vec![0; body.len()];
        key.open_separate_gather(nonce, Aad::from(&bound), body, tag, &mut plain)
            .map_err(|_| NotOpened)?;
        Ok(plain)
    }

    /// Returns the subkey for this header and context, and the two as associated data.
    fn subkey(
        &self,
        head: &[u8; HEAD],
        context: &Context,
    ) -> Result<(LessSafeKey, [u8; HEAD + CONTEXT]), NotOpened> {
        // Always of the same length, so that no two inputs coincide, and within one block of SHA-256.
        let mut bound = [0; HEAD + CONTEXT];
        let (of_head, of_context) = bound.split_at_mut(HEAD);
        of_head.copy_from_slice(head);
        of_context.copy_from_slice(context);
        let mut mac = self.0.clone();
        mac.update(&bound);
        let derived = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        let key = UnboundKey::new(&AES_256_GCM, &*derived).map_err(|_| NotOpened)?;
        Ok((LessSafeKey::new(key), bound))
    }
}
