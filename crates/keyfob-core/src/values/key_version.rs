//! The number of a sealing key, which stands in clear beside whatever is sealed under it.

use std::fmt;
use std::str::FromStr;

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};

/// The number of a sealing key. Later keys have greater ones, and none is used twice.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct KeyVersion(u16);

impl KeyVersion {
    /// Of what is not sealed.
    pub const BARE: Self = Self(0);
    /// Of the first key of a ring.
    pub const FIRST: Self = Self(1);

    /// The number with this value.
    pub const fn new(value: u16) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// Whether it is that of what is not sealed.
    pub const fn is_plaintext(self) -> bool {
        self.0 == 0
    }

    /// The next number, if there is one.
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
        write!(f, "KeyNumber({})", self.0)
    }
}

impl FromStr for KeyVersion {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "a number from 0 to 65535, such as 2";
        let malformed =
            || InvalidValue::new(Field::KeyVersion, InvalidReason::Malformed { expected });
        // `parse` alone would take a sign.
        if !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(malformed());
        }
        text.parse().map(Self).map_err(|_| malformed())
    }
}
