//! Blinds the terms of the index, under a key that is not in the store.
//!
//! A term is a digest under the namespace's key, which is stored beside the data. So an attacker
//! with a dump can guess a value and look for its term. Blinded under a key of the ring, the same
//! value has a digest that only the owner of the ring can compute. The terms that every token and
//! every session index have reveal nothing and are not blinded, so that all records of a store can
//! be read with any key ring.

use std::sync::{Mutex, TryLockError};

use hmac::{Hmac, Mac};
use sha2::Sha256;

use super::secret::Secret;
use keyfob_core::digest;
use keyfob_core::namespace::{Term, TermField};

/// A term key, ready for use.
pub(super) struct Blind {
    keyed: Hmac<Sha256>,
    lately: Lately,
}

/// Recently blinded terms, each at the position that its digest says. The same clients, tags and
/// labels are blinded again and again.
struct Lately(Vec<Mutex<Option<(Term, Term)>>>);

impl Blind {
    pub(super) fn new(secret: &Secret) -> Self {
        Self { keyed: digest::keyed(secret.as_bytes()), lately: Lately::new() }
    }

    pub(super) fn term(&self, term: Term) -> Term {
        if matches!(term.field(), TermField::All | TermField::SessionIndex) {
            return term;
        }
        self.lately.get_or(term, || {
            let mut message = [0; 17];
            let (field, digest) = message.split_at_mut(1);
            field.copy_from_slice(&[term.field() as u8]);
            digest.copy_from_slice(term.digest());
            let mut mac = self.keyed.clone();
            mac.update(&message);
            let mut blinded = [0; 16];
            let tag = mac.finalize().into_bytes();
            blinded.iter_mut().zip(&tag).for_each(|(place, byte)| *place = *byte);
            term.with_digest(blinded)
        })
    }
}

impl Lately {
    const PLACES: usize = 1024;

    fn new() -> Self {
        Self((0..Self::PLACES).map(|_| Mutex::default()).collect())
    }

    fn get_or(&self, term: Term, blinded: impl FnOnce() -> Term) -> Term {
        let [high, low, ..] = *term.digest();
        let place = usize::from(u16::from_be_bytes([high, low])) % Self::PLACES;
        let Some(place) = self.0.get(place) else { return blinded() };
        let mut place = match place.try_lock() {
            Ok(place) => place,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Waiting for the lock takes longer than computing the digest.
            Err(TryLockError::WouldBlock) => return blinded(),
        };
        match *place {
            Some((known, blinded)) if known == term => blinded,
            _ => place.insert((term, blinded())).1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::id::{LaneCount, TokenId};
    use keyfob_core::namespace::{Namespace, NamespaceKey};
    use keyfob_core::random::{OsRandom, SeededRandom};
    use keyfob_core::text::Subject;

    fn term(field: TermField, digest: [u8; 16]) -> Term {
        let namespace = Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([1; 32]));
        let id = TokenId::from_bytes([1; 16]);
        let term = match field {
            TermField::Family => namespace.family(id),
            TermField::Subject => namespace.subject(&Subject::new("user123").unwrap()),
            _ => namespace.all(),
        };
        assert_eq!(term.field(), field);
        term.with_digest(digest)
    }

    /// More than the capacity, and two fields of each digest.
    fn terms() -> impl Iterator<Item = Term> {
        (0..3_000u32).flat_map(|number| {
            let mut digest = [7; 16];
            digest[..4].copy_from_slice(&number.wrapping_mul(0x9e37_79b9).to_be_bytes());
            [TermField::Subject, TermField::Family].map(|field| term(field, digest))
        })
    }

    #[test]
    fn blinding_a_term_does_not_depend_on_earlier_terms() {
        let secret = Secret::draw(&SeededRandom::new(1)).unwrap();
        let blind = Blind::new(&secret);
        for term in terms() {
            let fresh =
                Blind { keyed: digest::keyed(secret.as_bytes()), lately: Lately(Vec::new()) };
            let expected = fresh.term(term);
            assert_eq!(expected.field(), term.field());
            for _ in 0..2 {
                assert_eq!(blind.term(term), expected);
            }
        }
    }

    #[test]
    fn a_blinded_term_is_hmac_sha256_under_the_key() {
        let secret = Secret::draw(&SeededRandom::new(1)).unwrap();
        let family = term(TermField::Family, [9; 16]);
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
        let message = [&[TermField::Family as u8][..], &[9; 16]].concat();
        let tag = aws_lc_rs::hmac::sign(&key, &message);
        assert_eq!(Blind::new(&secret).term(family).digest(), &tag.as_ref()[..16]);
    }

    #[test]
    fn no_two_keys_or_fields_blind_alike() {
        let [one, other] = [(); 2].map(|()| Blind::new(&Secret::draw(&OsRandom).unwrap()));
        let subject = term(TermField::Subject, [9; 16]);
        let family = term(TermField::Family, [9; 16]);
        assert_ne!(one.term(subject), other.term(subject));
        assert_ne!(one.term(subject).digest(), one.term(family).digest());
        let all = term(TermField::All, [9; 16]);
        assert_eq!(one.term(all), all);
    }
}
