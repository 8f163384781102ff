//! Fixed-width base62, the alphabet of bearer tokens: digits, upper case, lower case.

use crate::random::{Random, RandomUnavailable};

pub(super) const ALPHABET: &[u8; 62] =
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// The value of each ASCII character; 255 for those outside the alphabet.
const VALUES: [u8; 256] = {
    let mut values = [255; 256];
    let mut index = 0;
    while index < ALPHABET.len() {
        values[ALPHABET[index] as usize] = index as u8;
        index += 1;
    }
    values
};

pub(super) fn is_digit(character: u8) -> bool {
    VALUES[character as usize] != 255
}

/// The smallest number of eleven digits. Ten digits fit into 64 bits, whose division is many times
/// as fast as that of 128.
const TEN: u128 = 62u128.pow(10);

/// Writes `value` in exactly `text.len()` digits, most significant first. The caller must give enough
/// digits.
pub(super) fn write(mut value: u128, text: &mut [u8]) {
    for ten in text.rchunks_mut(10) {
        let mut low = (value % TEN) as u64;
        value /= TEN;
        for digit in ten.iter_mut().rev() {
            *digit = ALPHABET[(low % 62) as usize];
            low /= 62;
        }
    }
    debug_assert_eq!(value, 0, "the width holds every value of its type");
}

/// Reads at most ten digits, which fit into 64 bits; `None` for a character outside the alphabet.
pub(super) fn read_short(text: &[u8]) -> Option<u64> {
    debug_assert!(text.len() <= 10);
    let (mut value, mut seen) = (0u64, 0);
    for digit in text {
        let digit = VALUES[usize::from(*digit)];
        seen |= digit;
        value = value * 62 + u64::from(digit);
    }
    // Only the value of a character outside the alphabet has the highest bit.
    (seen < 128).then_some(value)
}

/// Reads the 22 digits of an id; `None` for a character outside the alphabet or a number above 128 bits.
pub(super) fn read_id(text: &[u8; 22]) -> Option<u128> {
    let (top, rest) = text.split_at(2);
    let (middle, low) = rest.split_at(10);
    let (top, middle, low) = (read_short(top)?, read_short(middle)?, read_short(low)?);
    let middle = u128::from(top) * TEN + u128::from(middle);
    middle.checked_mul(TEN)?.checked_add(u128::from(low))
}

/// Fills `text` with random digits, all 62 equally likely.
pub(super) fn draw(text: &mut [u8], random: &dyn Random) -> Result<(), RandomUnavailable> {
    let mut pool = zeroize::Zeroizing::new([0u8; 64]);
    let mut left = 0;
    for digit in text {
        *digit = loop {
            if left == 0 {
                random.fill(&mut *pool)?;
                left = pool.len();
            }
            left -= 1;
            // 248 = 4 × 62: a greater byte would make the first digits more likely.
            let byte = pool[left];
            if byte < 248 {
                break ALPHABET[usize::from(byte % 62)];
            }
        };
    }
    Ok(())
}
