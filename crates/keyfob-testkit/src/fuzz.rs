//! The properties of each parser for any input, one function per parser.
//!
//! The fuzz targets run these without end; the tests run the same functions on a few thousand
//! inputs. Each function panics if a property is violated. It returns whether the parser accepted
//! the input, so that a test can check that some inputs were accepted.

use keyfob::{BearerPrefix, BearerToken, Filter, Timestamp, fuzzing};

/// A parsed bearer has exactly the given text, and its checksum is the one of the format.
pub fn bearer(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut taken = is_bearer(&text);
    // Random input almost never has a valid checksum. So the checksum is corrected to reach the
    // code after it.
    let body = bytes.len().saturating_sub(CHECK_DIGITS);
    if text.is_ascii()
        && let Some(body) = text.get(..body)
    {
        taken |= is_bearer(&format!("{body}{}", check_of(body)));
    }
    taken
}

fn is_bearer(text: &str) -> bool {
    let Ok(bearer) = BearerToken::parse(text, &BearerPrefix::default()) else { return false };
    assert_eq!(bearer.expose(), text, "a bearer exposes the text that was parsed");
    let (body, check) = text.split_at(text.len() - CHECK_DIGITS);
    assert_eq!(check, check_of(body), "a bearer with a wrong checksum was accepted");
    let redacted = format!("{bearer:?}");
    assert!(!redacted.contains(&body[body.len() - 30..]), "the debug text contains the secret");
    true
}

const CHECK_DIGITS: usize = 6;

/// Returns the CRC-32 of ISO 3309 in six digits of base62. It is written from the description of
/// the format, not from the implementation.
fn check_of(body: &str) -> String {
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = crc >> 1 ^ if crc & 1 == 1 { 0xedb8_8320 } else { 0 };
        }
    }
    let mut rest = !crc;
    let mut digits = [b'0'; CHECK_DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = match (rest % 62) as u8 {
            value @ 0..=9 => b'0' + value,
            value @ 10..=35 => b'A' + value - 10,
            value => b'a' + value - 36,
        };
        rest /= 62;
    }
    digits.map(char::from).iter().collect()
}

/// The text of a parsed filter parses to the same filter. The error of an invalid filter has a
/// position in the text.
pub fn filter(bytes: &[u8]) -> bool {
    let now = Timestamp::from_millis(1_795_000_000_000);
    let text = String::from_utf8_lossy(bytes);
    match Filter::parse(&text, now) {
        Ok(filter) => {
            assert_eq!(filter.check(), Ok(()));
            assert_eq!(Filter::parse(&filter.to_string(), now), Ok(filter));
            true
        }
        Err(refused) => {
            assert!((1..=text.chars().count() + 1).contains(&refused.column()));
            let shown = refused.pointer(&text);
            assert!(!shown.contains(|c: char| c.is_control() && c != '\n'));
            assert_eq!(shown.split('\n').count(), 2);
            false
        }
    }
}

/// A decoded record encodes to bytes that decode to the same record.
pub fn record(bytes: &[u8]) -> bool {
    let Some(encoded) = fuzzing::decode_record(bytes) else { return false };
    assert_eq!(fuzzing::decode_record(&encoded).as_ref(), Some(&encoded));
    true
}
