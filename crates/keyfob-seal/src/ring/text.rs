//! A key ring as text: one line for each key, to be kept in a file of its own or in the environment.
//!
//! ```text
//! bare reading
//! terms 1 2026-11-24T08:30:00Z <43 characters>
//! key 1 reading 2026-11-24T08:30:00Z terms=1 <43 characters>
//! key 2 active 2026-12-24T08:30:00Z terms=1 <43 characters>
//! ```
//! Empty lines are ignored, and so is what follows a `#` on a line. A semicolon also ends a line, for places
//! where a line break is hard to write. In a text without line breaks, it also ends a comment. A byte order
//! mark at the start does not count.

use std::fmt::Write as _;

use zeroize::Zeroizing;

use super::super::KeyError;
use super::super::secret::{NoSecret, Secret};
use super::{KeyRing, KeyState, SealingKey, TermKey};
use keyfob_core::KeyVersion;
use keyfob_core::time::Timestamp;

const HEAD: &str = "\
# A key ring of keyfob. Anyone with this file can read the store. Without it, nobody can:
# keep it apart from the store, keep a copy, and let nobody else read it.
";
const OF_KEY: &str = "'key NUMBER active|reading|retired TIME terms=NUMBER KEY'";
const OF_TERMS: &str = "'terms NUMBER TIME KEY'";
const OF_BARE: &str = "'bare reading' or 'bare retired'";
const OF_ANY: &str = "a line that begins with 'key', 'terms', 'bare' or '#'";

impl KeyRing {
    /// Reads a ring. Records that are not sealed are refused, unless a line `bare reading` allows them.
    ///
    /// # Errors
    /// [`KeyError`], which names the line and shows none of its content.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let mut ring = Self { keys: Vec::new(), terms: Vec::new(), bare: false };
        let mut bare_seen = false;
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let is_one_line = text.lines().nth(1).is_none();
        let without_comment = |text| str::split(text, '#').next().unwrap_or_default();
        // Errors count lines as an editor does: only a line break starts a new line.
        let lines = text.lines().enumerate().flat_map(|(number, line)| {
            let line = if is_one_line { line } else { without_comment(line) };
            line.split(';').map(move |part| (number + 1, without_comment(part)))
        });
        for (line, part) in lines {
            let words: Vec<&str> = part.split_whitespace().collect();
            match words.as_slice() {
                [] => {}
                ["key", words @ ..] => ring.take_key(line, words)?,
                ["terms", words @ ..] => ring.take_terms(line, words)?,
                ["bare", ..] if bare_seen => {
                    return Err(KeyError::Duplicate { line, what: "bare line" });
                }
                ["bare", state @ ("reading" | "retired")] => {
                    bare_seen = true;
                    ring.bare = *state == "reading";
                }
                ["bare", ..] => return Err(KeyError::Malformed { line, expected: OF_BARE }),
                _ => return Err(KeyError::Malformed { line, expected: OF_ANY }),
            }
        }
        ring.keys.sort_by_key(|key| key.number);
        ring.terms.sort_by_key(|key| key.number);
        ring.check()?;
        Ok(ring)
    }

    /// Writes the ring as [`KeyRing::parse`] reads it. The text holds the keys: keep it where only its
    /// owner can read it.
    pub fn to_text(&self) -> Zeroizing<String> {
        // The size is exact, because growing would leave copies behind that are not wiped.
        let room = HEAD.len() + 16 + 128 * (self.keys.len() + self.terms.len());
        let mut text = Zeroizing::new(String::with_capacity(room));
        text.push_str(HEAD);
        let bare = if self.bare { KeyState::Reading } else { KeyState::Retired };
        // Writing to memory cannot fail.
        let _ = writeln!(text, "bare {bare}");
        for TermKey { number, created, secret } in &self.terms {
            let _ = writeln!(text, "terms {number} {created} {}", *secret.to_text());
        }
        for SealingKey { number, state, created, terms, secret } in &self.keys {
            let secret = secret.to_text();
            let _ = writeln!(text, "key {number} {state} {created} terms={terms} {}", *secret);
        }
        text
    }

    fn take_key(&mut self, line: usize, words: &[&str]) -> Result<(), KeyError> {
        let malformed = || KeyError::Malformed { line, expected: OF_KEY };
        let [number, state, created, terms, secret] = words else { return Err(malformed()) };
        let number: KeyVersion = number.parse().map_err(|_| malformed())?;
        let state = match *state {
            "active" => KeyState::Active,
            "reading" => KeyState::Reading,
            "retired" => KeyState::Retired,
            _ => return Err(malformed()),
        };
        let created: Timestamp = created.parse().map_err(|_| malformed())?;
        let terms = terms.strip_prefix("terms=").ok_or_else(malformed)?;
        let terms = terms.parse::<KeyVersion>().map_err(|_| malformed())?.value();
        if number.is_plaintext() {
            return Err(malformed());
        }
        if self.keys.iter().any(|key| key.number == number) {
            return Err(KeyError::Duplicate { line, what: "number" });
        }
        let secret = self.take_secret(line, secret, OF_KEY)?;
        self.keys.push(SealingKey { number, state, created, terms, secret });
        Ok(())
    }

    fn take_terms(&mut self, line: usize, words: &[&str]) -> Result<(), KeyError> {
        let malformed = || KeyError::Malformed { line, expected: OF_TERMS };
        let [number, created, secret] = words else { return Err(malformed()) };
        let number = number.parse::<KeyVersion>().map_err(|_| malformed())?.value();
        let created: Timestamp = created.parse().map_err(|_| malformed())?;
        if self.terms.iter().any(|key| key.number == number) {
            return Err(KeyError::Duplicate { line, what: "number" });
        }
        let secret = self.take_secret(line, secret, OF_TERMS)?;
        self.terms.push(TermKey { number, created, secret });
        Ok(())
    }

    fn take_secret(
        &self,
        line: usize,
        text: &str,
        expected: &'static str,
    ) -> Result<Secret, KeyError> {
        let secret = Secret::parse(text).map_err(|no| match no {
            NoSecret::Malformed => KeyError::Malformed { line, expected },
            NoSecret::Length => KeyError::WrongLength { line },
            NoSecret::Weak => KeyError::Weak { line },
        })?;
        let of_keys = self.keys.iter().map(|key| &key.secret);
        if of_keys.chain(self.terms.iter().map(|key| &key.secret)).any(|known| *known == secret) {
            return Err(KeyError::Duplicate { line, what: "key" });
        }
        Ok(secret)
    }

    fn check(&self) -> Result<(), KeyError> {
        let mut active = self.keys.iter().filter(|key| key.state == KeyState::Active);
        let Some(first) = active.next() else { return Err(KeyError::NoneActive) };
        if let Some(second) = active.next() {
            return Err(KeyError::TwoActive { first: first.number, second: second.number });
        }
        let known = |terms| self.terms.iter().any(|key| key.number == terms);
        match self.keys.iter().find(|key| !known(key.terms)) {
            Some(key) => Err(KeyError::NoTermKey { key: key.number, terms: key.terms }),
            None => Ok(()),
        }
    }
}
