//! The keys that seal a store: one active key, and older and newer ones for reading.
//!
//! A new key is first added for reading, so that every node can get the ring before any node seals under
//! the new key. Then it is activated. Once no record is sealed under the old key, the old key is retired.
//! A retired key keeps its line, because events that were sealed under it are not resealed. Stores refuse
//! new writes under it.

mod derived;
mod text;

use std::fmt;

pub use derived::DerivedKey;

use super::KeyError;
use super::secret::Secret;
use keyfob_core::KeyVersion;
use keyfob_core::random::Random;
use keyfob_core::time::Timestamp;

/// The keys that seal a store. Keep the ring apart from the store, and keep a copy of it: without the
/// ring, sealed data is lost.
///
/// ```
/// use keyfob::seal::{KeyRing, NewKey};
/// use keyfob::clock::{Clock, SystemClock};
/// use keyfob::random::OsRandom;
///
/// let now = SystemClock.now();
/// let mut ring = KeyRing::generate(now, &OsRandom)?;
/// let second = ring.add(NewKey::Sealing, now, &OsRandom)?; // give this ring to every node,
/// ring.activate(second)?; // and then this one
///
/// assert_eq!(KeyRing::parse(&ring.to_text())?.active(), second);
/// # Ok::<(), keyfob::seal::KeyError>(())
/// ```
#[derive(Clone, PartialEq, Eq)]
pub struct KeyRing {
    keys: Vec<SealingKey>,
    terms: Vec<TermKey>,
    /// Whether plaintext records are read.
    bare: bool,
}

/// A key for records, notes, events and observations. It names the term key of the records that are
/// sealed under it, so that one number identifies both.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct SealingKey {
    pub(super) number: KeyVersion,
    pub(super) state: KeyState,
    pub(super) created: Timestamp,
    pub(super) terms: u16,
    pub(super) secret: Secret,
}

/// A key for the terms of the index.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct TermKey {
    pub(super) number: u16,
    pub(super) created: Timestamp,
    pub(super) secret: Secret,
}

/// The use of a key.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum KeyState {
    /// It seals, and opens.
    Active,
    /// It opens: a key for later, or one whose records are being resealed.
    Reading,
    /// It opens what is left under it. Stores refuse new writes under it.
    Retired,
}

/// The facts about a key, without its bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct KeyInfo {
    /// Its version. [`KeyVersion::PLAINTEXT`] stands for records that are not sealed.
    pub number: KeyVersion,
    /// Its use.
    pub state: KeyState,
    /// When it was created, if it is a key.
    pub created: Option<Timestamp>,
    /// The version of its term key, if its records have terms.
    pub terms: Option<u16>,
}

/// What to add to a ring.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub enum NewKey {
    /// A sealing key. The term key stays the same.
    #[default]
    Sealing,
    /// A sealing key, together with a new term key for the index.
    SealingAndTerms,
}

impl KeyState {
    /// Returns the word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Reading => "reading",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl KeyRing {
    /// Creates a ring with one active key. Plaintext records are refused: see
    /// [`KeyRing::allowing_plaintext`] for a store that is already in use.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn generate(now: Timestamp, random: &dyn Random) -> Result<Self, KeyError> {
        let mut ring = Self { keys: Vec::new(), terms: Vec::new(), bare: false };
        let first = ring.add(NewKey::SealingAndTerms, now, random)?;
        ring.activate(first)?;
        Ok(ring)
    }

    /// Returns the ring for a store that is already in use: plaintext records are read until
    /// [`KeyVersion::PLAINTEXT`] is retired. Until then, anyone who can write to the store can
    /// forge a record.
    #[must_use]
    pub fn allowing_plaintext(self) -> Self {
        Self { bare: true, ..self }
    }

    /// Adds a key for reading.
    ///
    /// # Errors
    /// When there is no randomness, or no version is left.
    pub fn add(
        &mut self,
        what: NewKey,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<KeyVersion, KeyError> {
        let last = self.keys.iter().map(|key| key.number).max().unwrap_or_default();
        let number = last.next().ok_or(KeyError::NoNumberLeft { what: "keys" })?;
        let last = self.terms.iter().map(|key| key.number).max();
        let terms = match (what, last) {
            (NewKey::Sealing, Some(last)) => last,
            (_, last) => {
                let next = last.unwrap_or_default().checked_add(1);
                let number = next.ok_or(KeyError::NoNumberLeft { what: "term keys" })?;
                let secret = Secret::draw(random)?;
                self.terms.push(TermKey { number, created: now, secret });
                number
            }
        };
        let secret = Secret::draw(random)?;
        let state = KeyState::Reading;
        self.keys.push(SealingKey { number, state, created: now, terms, secret });
        Ok(number)
    }

    /// Makes a key the active one. The former active key is used for reading.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::Retired`].
    pub fn activate(&mut self, number: KeyVersion) -> Result<(), KeyError> {
        match self.keys.iter().find(|key| key.number == number).map(|key| key.state) {
            None => return Err(KeyError::Unknown { key: number }),
            Some(KeyState::Retired) => return Err(KeyError::Retired { key: number }),
            Some(KeyState::Active | KeyState::Reading) => {}
        }
        for key in &mut self.keys {
            if key.number == number {
                key.state = KeyState::Active;
            } else if key.state == KeyState::Active {
                key.state = KeyState::Reading;
            }
        }
        Ok(())
    }

    /// Checks whether a key could be retired, as far as the ring can tell: it is older than the active key,
    /// and every older key is retired.
    ///
    /// # Errors
    /// [`KeyError::Unknown`], [`KeyError::InUse`], [`KeyError::OlderInUse`].
    pub fn can_retire(&self, number: KeyVersion) -> Result<(), KeyError> {
        let known = number.is_plaintext() || self.keys.iter().any(|key| key.number == number);
        if !known {
            return Err(KeyError::Unknown { key: number });
        }
        if number >= self.active() {
            return Err(KeyError::InUse { key: number });
        }
        let older = self.keys().find(|key| key.number < number && key.state != KeyState::Retired);
        match older {
            Some(older) => Err(KeyError::OlderInUse { key: number, older: older.number }),
            None => Ok(()),
        }
    }

    /// Retires a key. To retire [`KeyVersion::PLAINTEXT`] means that plaintext records are refused. First ask
    /// the store whether records are left under the key: `TokenManager::retire_key` does that.
    ///
    /// # Errors
    /// As [`KeyRing::can_retire`].
    pub fn retire(&mut self, number: KeyVersion) -> Result<(), KeyError> {
        self.can_retire(number)?;
        if number.is_plaintext() {
            self.bare = false;
        }
        for key in self.keys.iter_mut().filter(|key| key.number == number) {
            key.state = KeyState::Retired;
        }
        Ok(())
    }

    /// Returns the version of the active key.
    pub fn active(&self) -> KeyVersion {
        let active = self.keys.iter().find(|key| key.state == KeyState::Active);
        active.map_or(KeyVersion::PLAINTEXT, |key| key.number)
    }

    /// Returns whether plaintext records are read.
    pub fn allows_plaintext(&self) -> bool {
        self.bare
    }

    /// Returns the facts about each key, in order of their versions. Plaintext comes first.
    pub fn keys(&self) -> impl Iterator<Item = KeyInfo> + '_ {
        let state = if self.bare { KeyState::Reading } else { KeyState::Retired };
        let bare = KeyInfo { number: KeyVersion::PLAINTEXT, state, created: None, terms: None };
        let sealed = self.keys.iter().map(|key| KeyInfo {
            number: key.number,
            state: key.state,
            created: Some(key.created),
            terms: Some(key.terms),
        });
        std::iter::once(bare).chain(sealed)
    }

    pub(super) fn sealing_keys(&self) -> &[SealingKey] {
        &self.keys
    }

    pub(super) fn term_keys(&self) -> &[TermKey] {
        &self.terms
    }
}

impl fmt::Debug for KeyRing {
    /// Shows the facts about the keys, and none of their bytes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys()).finish()
    }
}

#[cfg(test)]
mod tests;
