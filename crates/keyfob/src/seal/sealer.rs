//! A ring at work in one namespace: sealing under the active key, opening under whichever key is
//! named, blinding terms.

use std::fmt;

use super::about::{About, Mark};
use super::blind::Blind;
use super::cipher::{self, Cipher, SALT};
use super::ring::{KeyRing, KeyState, SealingKey};
use super::{Integrity, KeyNumber};
use crate::namespace::{Namespace, Term};
use crate::random::Random;
use crate::store::StoreError;

/// A ring at work in one namespace.
pub(crate) struct Sealer {
    mark: Mark,
    active: KeyNumber,
    reads_bare: bool,
    /// In order of their numbers.
    keys: Vec<Ready>,
    /// The active key's first, then those of others that records may lie under; `None` stands for
    /// terms that are not blinded.
    blinds: Vec<Option<Blind>>,
}

struct Ready {
    number: KeyNumber,
    cipher: Cipher,
}

/// Salts for some sealings, drawn at once.
pub(crate) struct Salts(Vec<u8>);

/// Bytes that were opened, and the key that they lay under.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) plain: Vec<u8>,
    pub(crate) under: KeyNumber,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Salts {
    /// # Errors
    /// When there is no randomness.
    pub(crate) fn draw(count: usize, random: &dyn Random) -> Result<Self, StoreError> {
        let mut salts = vec![0; SALT * count];
        random.fill(&mut salts)?;
        Ok(Self(salts))
    }

    fn next(&mut self) -> Option<[u8; SALT]> {
        let salt = self.0.last_chunk::<SALT>().copied()?;
        self.0.truncate(self.0.len() - SALT);
        Some(salt)
    }
}

impl Sealer {
    pub(crate) fn new(ring: &KeyRing, namespace: &Namespace) -> Self {
        let ready =
            |key: &SealingKey| Ready { number: key.number, cipher: Cipher::new(&key.secret) };
        let active = ring.active();
        let in_use = ring.sealing_keys().iter().filter(|key| key.state != KeyState::Retired);
        let mut terms: Vec<u16> = Vec::new();
        let (first, others): (Vec<_>, Vec<_>) = in_use.partition(|key| key.number == active);
        for key in first.into_iter().chain(others) {
            if !terms.contains(&key.terms) {
                terms.push(key.terms);
            }
        }
        let of_number = |number| ring.term_keys().iter().find(|key| key.number == number);
        let blinds = terms.into_iter().filter_map(of_number);
        let blinds = blinds.map(|key| Some(Blind::new(&key.secret)));
        Self {
            mark: Mark::of(namespace),
            active,
            reads_bare: ring.reads_bare(),
            keys: ring.sealing_keys().iter().map(ready).collect(),
            blinds: blinds.chain(ring.reads_bare().then_some(None)).collect(),
        }
    }

    pub(crate) fn active(&self) -> KeyNumber {
        self.active
    }

    /// Seals under the active key.
    pub(crate) fn seal(
        &self,
        plain: &[u8],
        about: About,
        salts: &mut Salts,
    ) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::Misconfigured("the active key cannot seal".to_owned());
        let key = self.key(self.active).ok_or_else(failed)?;
        let salt = salts.next().ok_or_else(failed)?;
        let sealed = key.cipher.seal(self.active, &about.within(self.mark), &salt, plain);
        sealed.map_err(|_| failed())
    }

    /// Opens what was sealed under any key of the ring, and what was not sealed if the ring reads
    /// that.
    pub(crate) fn open(&self, stored: Vec<u8>, about: About) -> Result<Opened, Integrity> {
        if !cipher::is_sealed(&stored) {
            return match self.reads_bare {
                true => Ok(Opened { plain: stored, under: KeyNumber::BARE }),
                false => Err(Integrity::Bare),
            };
        }
        let number = cipher::number_of(&stored).ok_or(Integrity::Damaged)?;
        let key = self.key(number).ok_or(Integrity::NoKey { key: number })?;
        let opened = key.cipher.open(&about.within(self.mark), &stored);
        match opened {
            Ok(plain) => Ok(Opened { plain, under: number }),
            Err(_) => Err(Integrity::NotOpened { key: number }),
        }
    }

    /// A term as the active key blinds it.
    pub(crate) fn term(&self, term: Term) -> Term {
        self.blinded(term).next().unwrap_or(term)
    }

    /// A term in every form that a record may be listed under, the present one first.
    pub(crate) fn forms(&self, term: Term) -> Vec<Term> {
        let mut forms: Vec<Term> = Vec::with_capacity(self.blinds.len());
        for form in self.blinded(term) {
            if !forms.contains(&form) {
                forms.push(form);
            }
        }
        forms
    }

    fn blinded(&self, term: Term) -> impl Iterator<Item = Term> + '_ {
        self.blinds.iter().map(move |blind| match blind {
            Some(blind) => blind.term(term),
            None => term,
        })
    }

    fn key(&self, number: KeyNumber) -> Option<&Ready> {
        let place = self.keys.binary_search_by_key(&number, |key| key.number).ok()?;
        self.keys.get(place)
    }
}

#[cfg(test)]
mod tests;
