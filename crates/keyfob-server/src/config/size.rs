//! Sizes in bytes with a unit.

use std::fmt;
use std::str::FromStr;

/// A size in bytes: a number and a unit, such as `64KiB`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct ByteSize(usize);

/// A text that is not a size.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("write a whole number and a unit (B, KiB, MiB, GiB), such as 64KiB; at most 1GiB")]
pub struct InvalidSize;

/// The units, the largest first.
const UNITS: [(&str, usize); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
const MAX: usize = 1 << 30;

impl ByteSize {
    /// Returns a size in kibibytes.
    pub const fn from_kib(kib: usize) -> Self {
        Self(kib << 10)
    }

    /// Returns the number of bytes.
    pub const fn bytes(self) -> usize {
        self.0
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let fits = |(_, size): &&(&str, usize)| self.0 >= *size && self.0.is_multiple_of(*size);
        let (unit, size) = UNITS.iter().find(fits).unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / size)
    }
}

impl FromStr for ByteSize {
    type Err = InvalidSize;

    fn from_str(text: &str) -> Result<Self, InvalidSize> {
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let number: usize = number.parse().map_err(|_| InvalidSize)?;
        let known = UNITS.iter().find(|(name, _)| *name == unit.trim_start());
        let (_, size) = known.ok_or(InvalidSize)?;
        match number.checked_mul(*size) {
            Some(bytes) if bytes <= MAX => Ok(Self(bytes)),
            _ => Err(InvalidSize),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_has_a_unit() {
        for (text, bytes) in [("0B", 0), ("512B", 512), ("64KiB", 65_536), ("4 MiB", 4 << 20)] {
            let size: ByteSize = text.parse().unwrap();
            assert_eq!(size.bytes(), bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
        for text in ["", "64", "KiB", "1kb", "-1B", "1.5MiB", "2GiB", "99999999999999999999B"] {
            assert_eq!(text.parse::<ByteSize>(), Err(InvalidSize), "{text}");
        }
    }
}
