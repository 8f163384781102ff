//! The word that a service's bearer tokens start with.

use std::fmt;
use std::str::FromStr;

use super::layout::{BODY, CHECK_DIGITS, MAX_PREFIX_BYTES};
use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::kind::Kind;

/// The word that a service's bearer tokens start with: 3 to 16 of `a`-`z` and `0`-`9`. Default:
/// `fob`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BearerPrefix(Box<str>);

impl BearerPrefix {
    pub(super) const MIN_BYTES: usize = 3;
    pub(super) const MAX_BYTES: usize = MAX_PREFIX_BYTES;

    /// Creates a prefix from a text.
    ///
    /// # Errors
    /// If the text is not 3 to 16 of `a`-`z` and `0`-`9`.
    pub fn new(text: &str) -> Result<Self, InvalidValue> {
        let fits = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        if (Self::MIN_BYTES..=Self::MAX_BYTES).contains(&text.len()) && text.bytes().all(fits) {
            return Ok(Self(text.into()));
        }
        let expected = "3 to 16 of a-z and 0-9, such as fob";
        Err(InvalidValue::new(Field::BearerPrefix, InvalidReason::Malformed { expected }))
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns a regular expression that finds bearer tokens with this prefix, for secret scanners.
    /// A match can be confirmed offline: `BearerToken::parse` verifies the check.
    ///
    /// ```
    /// let regex = keyfob::BearerPrefix::default().scanner_regex();
    /// assert_eq!(regex, r"\bfob_(?:at|rt|ak|st)_[0-9A-Za-z]{61}\b");
    /// ```
    pub fn scanner_regex(&self) -> String {
        let kinds = Kind::ALL.map(|kind| String::from_utf8_lossy(&kind.bearer_code()).into_owned());
        let digits = BODY + CHECK_DIGITS;
        format!(r"\b{}_(?:{})_[0-9A-Za-z]{{{digits}}}\b", self.0, kinds.join("|"))
    }
}

impl Default for BearerPrefix {
    fn default() -> Self {
        Self("fob".into())
    }
}

impl fmt::Display for BearerPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl FromStr for BearerPrefix {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        Self::new(text)
    }
}
