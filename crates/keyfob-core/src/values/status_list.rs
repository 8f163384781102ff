//! The names of status lists.

use std::fmt;
use std::str::FromStr;

use minicbor::{Decode, Encode};

use super::field::Field;
use super::invalid::{InvalidReason, InvalidValue};
use super::random::{self, Random, RandomUnavailable};

/// The name of a status list: 32 digits of base 16.
///
/// ```
/// use keyfob::token::StatusListId;
///
/// let list: StatusListId = "000102030405060708090a0b0c0d0e0f".parse()?;
/// assert_eq!(list.to_string(), "000102030405060708090a0b0c0d0e0f");
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Encode, Decode)]
#[cbor(transparent)]
pub struct StatusListId(#[cbor(n(0), with = "minicbor::bytes")] [u8; 16]);

impl StatusListId {
    /// Draws the name of a new list.
    ///
    /// # Errors
    /// If there is no randomness.
    pub fn draw(random: &dyn Random) -> Result<Self, RandomUnavailable> {
        random::array(random).map(Self)
    }

    /// Creates a name from its bytes.
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// Returns the bytes.
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}

impl fmt::Display for StatusListId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl FromStr for StatusListId {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        let number = Some(text)
            .filter(|text| text.len() == 32 && text.bytes().all(is_digit))
            .and_then(|text| u128::from_str_radix(text, 16).ok());
        let expected = "32 digits of 0-9 and a-f";
        let malformed =
            || InvalidValue::new(Field::StatusList, InvalidReason::Malformed { expected });
        number.map(|number| Self(number.to_be_bytes())).ok_or_else(malformed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_list_has_one_form() {
        let text = "0f0102030405060708090a0b0c0d0e0f";
        assert_eq!(text.parse::<StatusListId>().unwrap().to_string(), text);
        for text in [
            "",
            "0",
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}0"),
            "+f0102030405060708090a0b0c0d0e0f",
        ] {
            assert!(text.parse::<StatusListId>().is_err(), "{text}");
        }
    }
}
