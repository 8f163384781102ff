//! The place of a value in a text of JSON.

use std::fmt;

/// The place of a value in a text of JSON: its path as in RFC 6901, such as `/items/0/price`.
///
/// It shows no name that may be a secret in the wrong position, and only the start of a long path.
/// It has no destructor, so an error with it can be used in constants.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct JsonPlace {
    text: [u8; Self::MAX_BYTES],
    length: u8,
}

impl JsonPlace {
    const MAX_BYTES: usize = 39;
    /// Stands for what is left out.
    const LEFT_OUT: &str = "…";

    /// Creates a place from the names and positions that lead to it.
    pub fn new<'a>(steps: impl IntoIterator<Item = &'a str>) -> Self {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let mut place = Self { text: [0; Self::MAX_BYTES], length: 0 };
        for step in steps {
            let is_harmless = step.len() <= 32 && step.chars().all(plain);
            let step = if is_harmless { step } else { Self::LEFT_OUT };
            let rest = Self::MAX_BYTES - usize::from(place.length);
            // Keep room for the sign that the rest is left out.
            if 1 + step.len() + 1 + Self::LEFT_OUT.len() > rest {
                place.push(Self::LEFT_OUT);
                break;
            }
            place.push(step);
        }
        place
    }

    fn push(&mut self, step: &str) {
        for byte in [b'/'].iter().chain(step.as_bytes()) {
            if let Some(slot) = self.text.get_mut(usize::from(self.length)) {
                *slot = *byte;
                self.length += 1;
            }
        }
    }

    /// Returns the path.
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.text[..usize::from(self.length)]).unwrap_or_default()
    }
}

impl fmt::Display for JsonPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for JsonPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "JsonPlace({})", self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_short_and_repeats_no_secret() {
        assert_eq!(JsonPlace::new(["n", "0", "a_b"]).as_str(), "/n/0/a_b");
        assert_eq!(JsonPlace::new(["two words", "é", &"x".repeat(33)]).as_str(), "/…/…/…");
        assert_eq!(JsonPlace::new([]).as_str(), "");
        let name = "x".repeat(32);
        assert_eq!(JsonPlace::new([&*name, &name]).as_str(), format!("/{name}/…"));
        let long = JsonPlace::new(std::iter::repeat_n("abc", 50));
        assert_eq!(long.as_str(), "/abc/abc/abc/abc/abc/abc/abc/abc/…");
    }
}
