//! The version of a sealing key, which is stored in plaintext beside the data that is sealed under it.

use std::fmt;
use std::str::FromStr;

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};

/// The version of a sealing key. Later keys have greater versions, and a version is never reused.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyVersion(u16);

impl KeyVersion {
    /// The version of data that is not sealed.
    pub const PLAINTEXT: Self = Self(0);
    /// The version of the first key of a ring.
    pub const FIRST: Self = Self(1);

    /// Creates a version from its number.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// Returns the number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Returns whether this is the version of data that is not sealed.
    pub const fn is_plaintext(self) -> bool {
        self.0 == 0
    }

    /// Returns the next version, or `None` if this is the last version.
    pub const fn next(self) -> Option<Self> {
        match self.0.checked_add(1) {
            Some(value) => Some(Self(value)),
            None => None,
        }
    }
}

impl fmt::Display for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for KeyVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyVersion({})", self.0)
    }
}

impl FromStr for KeyVersion {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "a number from 0 to 65535, such as 2";
        let malformed =
            || InvalidValue::new(Field::KeyVersion, InvalidReason::Malformed { expected });
        // `parse` alone would accept a sign.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        text.parse().map(Self).map_err(|_| malformed())
    }
}
