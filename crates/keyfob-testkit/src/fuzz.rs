//! What has to hold for any bytes that reach a parser, one function per parser.
//!
//! The fuzz targets run these for as long as one lets them; the tests run the same functions on a
//! few thousand inputs. Each panics when something does not hold, and says whether the parser took
//! the input, so that a run which only ever saw refusals can be told from one that proved something.

use keyfob::{BearerPrefix, BearerToken, Filter, Timestamp, fuzzing};

/// A bearer that parses is the very text that was given, and its check is what the format says.
pub fn bearer(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    let mut taken = is_bearer(&text);
    // No guess gets past the check, so what lies behind it is reached with the check made right.
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
    assert_eq!(bearer.expose(), text, "a bearer is shown as it was given");
    let (body, check) = text.split_at(text.len() - CHECK_DIGITS);
    assert_eq!(check, check_of(body), "a bearer with a wrong check was taken");
    let redacted = format!("{bearer:?}");
    assert!(!redacted.contains(&body[body.len() - 30..]), "a secret is shown");
    true
}

const CHECK_DIGITS: usize = 6;

/// The CRC-32 of ISO 3309 in six digits of base62, written from the description of the format and
/// not from its implementation.
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

/// A filter that parses is written in a text that parses as the same filter; one that does not is
/// refused at a place in the text.
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

/// A record that decodes is encoded in bytes that decode as the same record.
pub fn record(bytes: &[u8]) -> bool {
    let Some(encoded) = fuzzing::decode_record(bytes) else { return false };
    assert_eq!(fuzzing::decode_record(&encoded).as_ref(), Some(&encoded));
    true
}
