//! Bearer tokens: text form, checksum, and refused text.

use super::ratchet::{Proof, Ratchet};
use super::*;
use crate::id::Lane;
use crate::random::SeededRandom;
use crate::time::Timestamp;

fn id(random: &SeededRandom) -> TokenId {
    TokenId::draw(Timestamp::from_millis(1_795_000_000_000), Lane::new(7), random).unwrap()
}

fn bearer() -> BearerToken {
    let random = SeededRandom::new(1);
    let prefix = BearerPrefix::default();
    BearerToken::draw(&prefix, Kind::Access, id(&random), Generation::FIRST, &random).unwrap()
}

fn parse(text: &str) -> Result<BearerToken, ParseBearerError> {
    BearerToken::parse(text, &BearerPrefix::default())
}

#[test]
fn a_generated_bearer_parses() {
    let drawn = bearer();
    let read = parse(drawn.expose()).unwrap();
    assert_eq!(drawn.expose().len(), 68);
    assert_eq!(read.id(), drawn.id());
    assert_eq!(read.kind(), Kind::Access);
    assert_eq!(read.digest(), drawn.digest());
}

#[test]
fn one_changed_character_is_refused_wherever_it_is() {
    let drawn = bearer();
    let text = drawn.expose();
    for position in 0..text.len() {
        for replacement in [b'0', b'z', b'_', b' ', 0xff] {
            let mut bytes = text.as_bytes().to_vec();
            if bytes[position] == replacement {
                continue;
            }
            bytes[position] = replacement;
            assert!(parse(&String::from_utf8_lossy(&bytes)).is_err(), "position {position}");
        }
    }
}

#[test]
fn junk_of_any_length_is_refused() {
    let huge = "x".repeat(1 << 20);
    assert_eq!(parse("").unwrap_err(), ParseBearerError::Empty);
    for text in ["fob", "fob_at_", "Bearer fob_at_", "\u{0}\u{1}", huge.as_str()] {
        assert_eq!(parse(text).unwrap_err(), ParseBearerError::Malformed);
    }
}

#[test]
fn a_number_that_overflows_is_refused() {
    let drawn = bearer();
    let mut bytes = drawn.expose().as_bytes().to_vec();
    bytes[7..29].fill(b'z');
    let end = bytes.len() - CHECK_DIGITS;
    let check = crc32fast::hash(&bytes[..end]);
    base62::write(check.into(), &mut bytes[end..]);
    assert_eq!(
        parse(std::str::from_utf8(&bytes).unwrap()).unwrap_err(),
        ParseBearerError::Malformed
    );
}

#[test]
fn another_services_prefix_is_refused() {
    let drawn = bearer();
    let other = BearerPrefix::new("acme").unwrap();
    assert!(BearerToken::parse(drawn.expose(), &other).is_err());
    assert!(BearerPrefix::new("no").is_err());
    assert!(BearerPrefix::new("Upper").is_err());
}

#[test]
fn debug_never_prints_the_secret() {
    let drawn = bearer();
    let secret = &drawn.expose()[7 + ID_DIGITS..];
    for shown in [format!("{drawn:?}"), format!("{:?}", drawn.digest())] {
        assert!(shown.contains("redacted"));
        assert!(!shown.contains(secret));
    }
}

#[test]
fn a_ratchet_distinguishes_issued_forged_and_unknown() {
    let random = SeededRandom::new(3);
    let prefix = BearerPrefix::default();
    let id = id(&random);
    let (ratchet, first) = Ratchet::draw(&prefix, id, &random).unwrap();
    assert_eq!(ratchet.prove(&first), Proof::Proven(Generation::FIRST));

    let text = first.expose().as_bytes();
    let root: [u8; 22] = text[7 + 25..7 + 47].try_into().unwrap();
    let fifth = ratchet.compose(&prefix, id, &root, Generation::new(5).unwrap());
    assert_eq!(ratchet.prove(&fifth), Proof::Proven(Generation::new(5).unwrap()));

    let mut secret = [b'0'; 30];
    secret[..22].copy_from_slice(&root);
    let forged = BearerToken::compose(&prefix, Kind::Refresh, id, Generation::FIRST, &secret);
    assert_eq!(ratchet.prove(&forged), Proof::Forged);

    let (_, stranger) = Ratchet::draw(&prefix, id, &random).unwrap();
    assert_eq!(ratchet.prove(&stranger), Proof::Unknown);
}

#[test]
fn generations_end() {
    assert_eq!(Generation::LAST.number(), 238_327);
    assert_eq!(Generation::LAST.next(), None);
    assert_eq!(Generation::new(238_328), None);
}
