//! A key ring in use for one namespace: seals under the active key, opens under any key of the ring, and
//! blinds terms.

use std::fmt;

use super::associated_data::{AssociatedData, Mark};
use super::blind::Blind;
use super::cipher::{self, Cipher};
use super::ring::{KeyRing, KeyState, SealingKey, TermKey};
use super::salts::Salts;
use keyfob_core::id::TokenId;
use keyfob_core::namespace::{Namespace, Term};
use keyfob_core::{KeyVersion, SealFault};
use keyfob_store::StoreError;

/// A key ring in use for one namespace.
pub struct Sealer {
    mark: Mark,
    active: KeyVersion,
    allows_plaintext: bool,
    /// In order of their versions.
    keys: Vec<Ready>,
    /// In order of their versions.
    terms: Vec<ReadyTerms>,
}

struct Ready {
    number: KeyVersion,
    cipher: Cipher,
    /// The version of its term key.
    terms: u16,
}

struct ReadyTerms {
    number: u16,
    blind: Blind,
    /// Whether records may be sealed under it.
    in_use: bool,
}

/// Opened bytes, and the key that they were sealed under.
#[derive(Debug)]
pub struct Opened {
    pub plain: Vec<u8>,
    pub under: KeyVersion,
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sealer").field("active", &self.active).finish_non_exhaustive()
    }
}

impl Sealer {
    pub fn new(ring: &KeyRing, namespace: &Namespace) -> Self {
        let keys = ring.sealing_keys();
        let ready = |key: &SealingKey| Ready {
            number: key.number,
            cipher: Cipher::new(&key.secret),
            terms: key.terms,
        };
        let in_use = |terms: u16| {
            keys.iter().any(|key| key.terms == terms && key.state != KeyState::Retired)
        };
        let ready_terms = |key: &TermKey| ReadyTerms {
            number: key.number,
            blind: Blind::new(&key.secret),
            in_use: in_use(key.number),
        };
        Self {
            mark: Mark::of(namespace),
            active: ring.active(),
            allows_plaintext: ring.allows_plaintext(),
            keys: keys.iter().map(ready).collect(),
            terms: ring.term_keys().iter().map(ready_terms).collect(),
        }
    }

    pub fn active(&self) -> KeyVersion {
        self.active
    }

    /// Returns whether plaintext is read.
    pub fn allows_plaintext(&self) -> bool {
        self.allows_plaintext
    }

    /// Seals something without terms under the active key.
    pub fn seal(
        &self,
        plain: &[u8],
        about: AssociatedData,
        salts: &mut Salts,
    ) -> Result<Vec<u8>, StoreError> {
        self.seal_with(plain, about, KeyVersion::PLAINTEXT, salts)
    }

    /// Seals a record under the active key, whose terms are blinded under the term key of `form`.
    pub fn seal_record(
        &self,
        plain: &[u8],
        id: TokenId,
        form: KeyVersion,
        salts: &mut Salts,
    ) -> Result<Vec<u8>, StoreError> {
        self.seal_with(plain, AssociatedData::Record(id), form, salts)
    }

    fn seal_with(
        &self,
        plain: &[u8],
        about: AssociatedData,
        form: KeyVersion,
        salts: &mut Salts,
    ) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::Misconfigured("the active key cannot seal".to_owned());
        let key = self.key(self.active).ok_or_else(failed)?;
        let salt = salts.next().ok_or_else(failed)?;
        let context = about.within(self.mark);
        let sealed = key.cipher.seal(self.active, form, &context, &salt, plain);
        sealed.map_err(|_| failed())
    }

    /// Opens what was sealed under any key of the ring. Returns plaintext as it is, if the ring allows
    /// plaintext.
    pub fn open(&self, stored: &[u8], about: AssociatedData) -> Result<Opened, SealFault> {
        if !cipher::is_sealed(stored) {
            return match self.allows_plaintext {
                true => Ok(Opened { plain: stored.to_vec(), under: KeyVersion::PLAINTEXT }),
                false => Err(SealFault::Plaintext),
            };
        }
        let number = cipher::key_of(stored).ok_or(SealFault::Damaged)?;
        let key = self.key(number).ok_or(SealFault::MissingKey { key: number })?;
        let opened = key.cipher.open(&about.within(self.mark), stored);
        match opened {
            Ok(plain) => Ok(Opened { plain, under: number }),
            Err(_) => Err(SealFault::NotOpened { key: number }),
        }
    }

    /// Blinds a term under the active key.
    pub fn term(&self, term: Term) -> Term {
        self.term_under(term, self.active).unwrap_or(term)
    }

    /// Blinds a term under this key. Returns `None` if the ring does not have the key.
    pub fn term_under(&self, term: Term, number: KeyVersion) -> Option<Term> {
        if number.is_plaintext() {
            return Some(term);
        }
        let key = self.key(number)?;
        let of_key = self.terms.iter().find(|terms| terms.number == key.terms);
        of_key.map(|terms| terms.blind.term(term))
    }

    /// Blinds a term under each key that records may be listed under, the oldest first. Records move from
    /// older keys to newer ones, so a reader that queries in this order does not miss a record that moves in
    /// the meantime.
    pub fn forms(&self, term: Term) -> Vec<Term> {
        let blinded = self.terms.iter().filter(|terms| terms.in_use);
        let blinded = blinded.map(|terms| terms.blind.term(term));
        let mut forms: Vec<Term> =
            self.allows_plaintext.then_some(term).into_iter().chain(blinded).collect();
        // The term that every record has is the same under each key.
        forms.dedup();
        forms
    }

    /// Returns whether records may be listed under several term keys.
    pub fn is_moving(&self) -> bool {
        let blinded = self.terms.iter().filter(|terms| terms.in_use).count();
        blinded + usize::from(self.allows_plaintext) > 1
    }

    /// Returns the newest key with the same term key: the active key, if it has that term key.
    pub fn newest_form(&self, form: KeyVersion) -> KeyVersion {
        let terms = |number| self.key(number).map(|key| key.terms);
        let same = terms(form).is_some() && terms(form) == terms(self.active);
        if same { self.active } else { form }
    }

    fn key(&self, number: KeyVersion) -> Option<&Ready> {
        let place = self.keys.binary_search_by_key(&number, |key| key.number).ok()?;
        self.keys.get(place)
    }
}

#[cfg(test)]
mod tests;
