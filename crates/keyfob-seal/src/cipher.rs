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
//! The header and the identity of the bytes are bound twice: into the subkey, and as associated data. The
//! clear fields beside a record are bound as associated data. Bytes that were moved, swapped, cut or changed
//! do not open, nor do records whose clear fields were changed.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::associated_data::{Context, IDENTITY};
use super::record_binding::MAX_FIELDS;
use super::secret::Secret;
use keyfob_core::KeyVersion;
use keyfob_core::digest;
use keyfob_core::envelope::{HEAD, TAG};
pub(super) use keyfob_core::envelope::{OVERHEAD, SALT, is_sealed, key_of, term_key_of as form_of};

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
        plain: [&[u8]; 2],
    ) -> Result<Vec<u8>, NotOpened> {
        let mut head = [0; HEAD];
        let (front, back) = head.split_at_mut(HEAD - SALT);
        let ([a, b], [c, d]) = (number.value().to_be_bytes(), form.value().to_be_bytes());
        front.copy_from_slice(&[context.format, a, b, c, d]);
        back.copy_from_slice(salt);
        let key = self.subkey(&head, context)?;
        let [content, trailer] = plain;
        let mut sealed = Vec::with_capacity(OVERHEAD + content.len() + trailer.len());
        sealed.extend_from_slice(&head);
        sealed.extend_from_slice(content);
        sealed.extend_from_slice(trailer);
        let nonce = Nonce::assume_unique_for_key(ONLY_NONCE);
        let (_, body) = sealed.split_at_mut(HEAD);
        let tag = key
            .seal_in_place_separate_tag(nonce, Aad::from(Bound::new(&head, context)), body)
            .map_err(|_| NotOpened)?;
        sealed.extend_from_slice(tag.as_ref());
        Ok(sealed)
    }

    pub(super) fn open(&self, context: &Context, sealed: &[u8]) -> Result<Vec<u8>, NotOpened> {
        let (head, body) = sealed.split_first_chunk::<HEAD>().ok_or(NotOpened)?;
        if head.first() != Some(&context.format) {
            return Err(NotOpened);
        }
        let key = self.subkey(head, context)?;
        let (body, tag) = body.split_last_chunk::<TAG>().ok_or(NotOpened)?;
        let nonce = Nonce::assume_unique_for_key(ONLY_NONCE);
        let mut plain = vec![0; body.len()];
        let bound = Aad::from(Bound::new(head, context));
        key.open_separate_gather(nonce, bound, body, tag, &mut plain).map_err(|_| NotOpened)?;
        Ok(plain)
    }

    /// Returns the subkey for this header and context.
    fn subkey(&self, head: &[u8; HEAD], context: &Context) -> Result<LessSafeKey, NotOpened> {
        // Always of the same length, so that no two inputs coincide, and within one block of SHA-256.
        let mut mac = self.0.clone();
        mac.update(head);
        mac.update(&context.identity);
        let derived = Zeroizing::new(<[u8; 32]>::from(mac.finalize().into_bytes()));
        let key = UnboundKey::new(&AES_256_GCM, &*derived).map_err(|_| NotOpened)?;
        Ok(LessSafeKey::new(key))
    }
}

/// The associated data: header and identity, which always have the same length, then the clear fields.
struct Bound {
    bytes: [u8; HEAD + IDENTITY + MAX_FIELDS],
    length: usize,
}

impl Bound {
    fn new(head: &[u8; HEAD], context: &Context) -> Self {
        let mut bytes = [0; HEAD + IDENTITY + MAX_FIELDS];
        let fields = context.fields.as_bytes();
        let parts = head.iter().chain(&context.identity).chain(fields);
        bytes.iter_mut().zip(parts).for_each(|(place, byte)| *place = *byte);
        Self { bytes, length: HEAD + IDENTITY + fields.len() }
    }
}

impl AsRef<[u8]> for Bound {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.length).unwrap_or_default()
    }
}
