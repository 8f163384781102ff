//! A key ring in use for one namespace: seals under the active key, opens under any key of the ring, and
//! blinds terms.

use std::fmt;

use super::associated_data::{AssociatedData, Context, Mark};
use super::blind::Blind;
use super::cipher::{self, Cipher};
use super::record_binding::{BoundFields, RecordBinding, without_trailer};
use super::ring::{KeyInfo, KeyRing, KeyState, SealingKey, TermKey};
use super::salts::Salts;
use keyfob_core::envelope::binds_clear_fields;
use keyfob_core::id::TokenId;
use keyfob_core::namespace::{Namespace, Term};
use keyfob_core::{KeyVersion, SealFault};
use keyfob_store::{Loaded, StoreError};

/// A key ring in use for one namespace.
pub struct Sealer {
    mark: Mark,
    active: KeyVersion,
    allows_plaintext: bool,
    /// In order of their versions.
    keys: Vec<Ready>,
    /// In order of their versions.
    terms: Vec<ReadyTerms>,
    /// What the ring says of its keys.
    infos: Vec<KeyInfo>,
}

struct Ready {
    number: KeyVersion,
    cipher: Cipher,
    /// The version of its term key.
    terms: u16,
    is_retired: bool,
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
            is_retired: key.state == KeyState::Retired,
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
            infos: ring.keys().collect(),
        }
    }

    pub fn active(&self) -> KeyVersion {
        self.active
    }

    /// Returns what the ring says of its keys, the oldest first.
    pub fn infos(&self) -> &[KeyInfo] {
        &self.infos
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
        self.seal_with([plain, &[]], &about.within(self.mark), KeyVersion::PLAINTEXT, salts)
    }

    /// Seals a record under the active key, whose terms are blinded under the term key of `form`, and binds
    /// its clear fields to it.
    pub fn seal_record(
        &self,
        plain: &[u8],
        id: TokenId,
        form: KeyVersion,
        binding: &RecordBinding<'_>,
        salts: &mut Salts,
    ) -> Result<Vec<u8>, StoreError> {
        let context = AssociatedData::bound(id, self.mark, binding.fields());
        let (trailer, length) = binding.trailer();
        let trailer = trailer.get(..length).unwrap_or_default();
        self.seal_with([plain, trailer], &context, form, salts)
    }

    fn seal_with(
        &self,
        plain: [&[u8]; 2],
        context: &Context,
        form: KeyVersion,
        salts: &mut Salts,
    ) -> Result<Vec<u8>, StoreError> {
        let failed = || StoreError::Misconfigured("the active key cannot seal".to_owned());
        let key = self.key(self.active).ok_or_else(failed)?;
        let salt = salts.next().ok_or_else(failed)?;
        let sealed = key.cipher.seal(self.active, form, context, &salt, plain);
        sealed.map_err(|_| failed())
    }

    /// Opens what was sealed under any key of the ring, and is bound to nothing beside it. Returns
    /// plaintext as it is, if the ring allows plaintext.
    pub fn open(&self, stored: &[u8], about: AssociatedData) -> Result<Opened, SealFault> {
        if !cipher::is_sealed(stored) {
            return match self.allows_plaintext {
                true => Ok(Opened { plain: stored.to_vec(), under: KeyVersion::PLAINTEXT }),
                false => Err(SealFault::Plaintext),
            };
        }
        let (under, key) = self.key_of(stored)?;
        let opened = key.cipher.open(&about.within(self.mark), stored);
        let plain = opened.map_err(|_| SealFault::NotOpened { key: under })?;
        Ok(Opened { plain, under })
    }

    /// Opens a record, if its clear fields are those that it was sealed with.
    ///
    /// A record that was sealed before keyfob bound clear fields is opened without that check, as long as
    /// its key is not retired. No record is left under a retired key, so such a record was put back.
    pub fn open_record(&self, loaded: &Loaded) -> Result<Opened, SealFault> {
        let stored = loaded.body.as_slice();
        if !binds_clear_fields(stored) {
            let opened = self.open(stored, AssociatedData::Record(loaded.id))?;
            let is_retired = self.key(opened.under).is_some_and(|key| key.is_retired);
            return match is_retired {
                true => Err(SealFault::NotOpened { key: opened.under }),
                false => Ok(opened),
            };
        }
        let (under, key) = self.key_of(stored)?;
        let context = AssociatedData::bound(loaded.id, self.mark, BoundFields::of(loaded));
        let opened = key.cipher.open(&context, stored).ok();
        let plain = opened.and_then(|plain| without_trailer(plain, loaded));
        Ok(Opened { plain: plain.ok_or(SealFault::NotOpened { key: under })?, under })
    }

    fn key_of(&self, stored: &[u8]) -> Result<(KeyVersion, &Ready), SealFault> {
        let number = cipher::key_of(stored).ok_or(SealFault::Damaged)?;
        let key = self.key(number).ok_or(SealFault::MissingKey { key: number })?;
        Ok((number, key))
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
