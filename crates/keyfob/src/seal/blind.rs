//! Blinding the terms of the index, under a key that is not in the store.
//!
//! A term is a digest under the namespace's key, which lies beside the data: who has a dump can
//! guess a value and look for its term. Blinded under a key of the ring, the same value has a
//! digest that only the ring's owner can tell. The terms that every token and every roster have tell
//! nothing, and stay as they are, so that a store can be walked whatever its keys.

use aws_lc_rs::hmac;

use super::secret::Secret;
use crate::namespace::{Term, TermField};

/// A term key, ready for use.
pub(super) struct Blind(hmac::Key);

impl Blind {
    pub(super) fn new(secret: &Secret) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes()))
    }

    pub(super) fn term(&self, term: Term) -> Term {
        if matches!(term.field(), TermField::All | TermField::Roster) {
            return term;
        }
        let mut message = [0; 17];
        let (field, digest) = message.split_at_mut(1);
        field.copy_from_slice(&[term.field() as u8]);
        digest.copy_from_slice(term.digest());
        let mut blinded = [0; 16];
        let tag = hmac::sign(&self.0, &message);
        blinded.iter_mut().zip(tag.as_ref()).for_each(|(place, byte)| *place = *byte);
        term.with_digest(blinded)
    }
}
