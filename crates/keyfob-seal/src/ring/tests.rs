//! Key rings: text form, and changing keys.

use super::*;
use keyfob_core::random::SeededRandom;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn ring() -> KeyRing {
    KeyRing::generate(at("2026-11-24T08:30:00Z"), &SeededRandom::new(1))
        .unwrap()
        .allowing_plaintext()
}

fn state(ring: &KeyRing, number: u16) -> KeyState {
    ring.keys().find(|key| key.number == KeyVersion::new(number)).unwrap().state
}

#[test]
fn a_ring_reads_back_as_it_was_written() {
    let mut ring = ring();
    let later = at("2026-12-24T08:30:00Z");
    ring.add(NewKey::Sealing, later, &SeededRandom::new(2)).unwrap();
    let third = ring.add(NewKey::SealingAndTerms, later, &SeededRandom::new(3)).unwrap();
    ring.activate(third).unwrap();
    ring.retire(KeyVersion::PLAINTEXT).unwrap();
    let text = ring.to_text();
    assert_eq!(KeyRing::parse(&text).unwrap(), ring);
    let one_line: String =
        text.lines().filter(|line| !line.starts_with('#')).collect::<Vec<_>>().join(";");
    assert_eq!(KeyRing::parse(&one_line).unwrap(), ring, "semicolons stand for line breaks");
}

#[test]
fn a_ring_may_have_other_line_ends_and_a_byte_order_mark() {
    let text = ring().to_text();
    let crlf = text.replace('\n', "\r\n");
    let one_line = text.replace('\n', ";");
    for text in [
        text.trim_end().to_owned(),
        format!("{}\n\n\n", *text),
        crlf.clone(),
        format!("\u{feff}{}", *text),
        format!("\u{feff}{crlf}\r\n"),
        // The comment at the start of the file does not swallow the keys.
        one_line.clone(),
        one_line.replace(';', "; "),
        format!("\u{feff}{one_line}\r\n"),
    ] {
        assert_eq!(KeyRing::parse(&text).unwrap(), ring(), "{text:?}");
    }
    let commented = format!("{}# key 2 reading; key 3 reading\n", *text);
    assert_eq!(
        KeyRing::parse(&commented).unwrap(),
        ring(),
        "a comment goes to the end of its line"
    );
    let inside = text.replace("key 1", "\u{feff}key 1");
    assert_eq!(KeyRing::parse(&inside).unwrap_err().code(), "key_ring_malformed");
}

#[test]
fn a_key_is_read_before_it_seals_and_after() {
    let mut ring = ring();
    let second = ring.add(NewKey::Sealing, at("2026-12-24T08:30:00Z"), &SeededRandom::new(2));
    let second = second.unwrap();
    assert_eq!((ring.active(), state(&ring, 2)), (KeyVersion::FIRST, KeyState::Reading));
    ring.activate(second).unwrap();
    assert_eq!((ring.active(), state(&ring, 1)), (second, KeyState::Reading));
}

#[test]
fn keys_are_retired_in_order_and_never_come_back() {
    let mut ring = ring();
    let code = |result: Result<(), KeyError>| result.unwrap_err().code();
    assert_eq!(code(ring.retire(KeyVersion::FIRST)), "key_in_use");
    assert_eq!(code(ring.retire(KeyVersion::new(7))), "key_unknown");
    let second = ring.add(NewKey::Sealing, Timestamp::default(), &SeededRandom::new(2)).unwrap();
    assert_eq!(code(ring.retire(second)), "key_in_use");
    ring.activate(second).unwrap();
    assert!(matches!(
        ring.retire(KeyVersion::FIRST),
        Err(KeyError::OlderInUse { older: KeyVersion::PLAINTEXT, .. })
    ));
    ring.retire(KeyVersion::PLAINTEXT).unwrap();
    ring.retire(KeyVersion::FIRST).unwrap();
    assert_eq!(code(ring.activate(KeyVersion::FIRST)), "key_retired");
    assert!(!ring.allows_plaintext());
    assert_eq!(ring.active(), second);
}

#[test]
fn a_new_sealing_key_keeps_the_term_key_unless_it_is_asked_to_change() {
    let mut ring = ring();
    let terms = |ring: &KeyRing| ring.keys().filter_map(|key| key.terms).collect::<Vec<_>>();
    ring.add(NewKey::Sealing, Timestamp::default(), &SeededRandom::new(2)).unwrap();
    assert_eq!(terms(&ring), [1, 1]);
    ring.add(NewKey::SealingAndTerms, Timestamp::default(), &SeededRandom::new(3)).unwrap();
    assert_eq!(terms(&ring), [1, 1, 2]);
}

const A: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const B: &str = "AQECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const C: &str = "AgECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const ZEROS: &str = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const T: &str = "2026-11-24T08:30:00Z";

#[test]
fn an_invalid_ring_is_refused_with_the_line_and_without_keys() {
    let terms = format!("terms 1 {T} {A}\n");
    let key = |number: u16, state: &str, secret: &str| {
        format!("key {number} {state} {T} terms=1 {secret}\n")
    };
    let good = format!("{terms}{}", key(1, "active", B));
    assert!(KeyRing::parse(&good).is_ok());
    for (text, code, line) in [
        (String::new(), "no_one_active_key", None),
        (format!("{terms}{}", key(1, "reading", B)), "no_one_active_key", None),
        (format!("{good}{}", key(2, "active", C)), "no_one_active_key", None),
        (key(1, "active", B), "term_key_missing", None),
        (format!("{good}{}", key(1, "reading", C)), "key_repeated", Some(3)),
        (format!("{good}{}", key(2, "reading", B)), "key_repeated", Some(3)),
        (format!("{good}{}", key(2, "reading", A)), "key_repeated", Some(3)),
        (format!("{good}bare reading\nbare retired"), "key_repeated", Some(4)),
        (format!("{good}{terms}"), "key_repeated", Some(3)),
        (format!("{terms}{}", key(1, "active", ZEROS)), "key_weak", Some(2)),
        (format!("{terms}{}", key(1, "active", &B[1..])), "key_ring_malformed", Some(2)),
        (format!("{terms}{}", key(1, "active", &format!("{B}A"))), "key_ring_malformed", Some(2)),
        (
            format!("{terms}{}", key(1, "active", &B.replace('h', "+"))),
            "key_ring_malformed",
            Some(2),
        ),
        (format!("{terms}{}", key(0, "active", B)), "key_ring_malformed", Some(2)),
        (format!("{terms}{}", key(1, "Active", B)), "key_ring_malformed", Some(2)),
        (good.replace("key 1", "key +1"), "key_ring_malformed", Some(2)),
        (good.replace("key 1", "key 65536"), "key_ring_malformed", Some(2)),
        (good.replace("key 1", B), "key_ring_malformed", Some(2)),
        (good.replace(T, "yesterday"), "key_ring_malformed", Some(1)),
        (format!("\n# bare\n\nbare maybe {A}"), "key_ring_malformed", Some(4)),
    ] {
        let error = KeyRing::parse(&text).unwrap_err();
        assert_eq!(error.code(), code, "{text}");
        let shown = format!("{error} {error:?}");
        for secret in [A, B, C, &A[4..20], &B[4..20]] {
            assert!(!shown.contains(secret), "{shown}");
        }
        if let Some(line) = line {
            assert!(shown.contains(&format!("line {line} ")), "{shown}");
        }
    }
}

#[test]
fn a_ring_that_does_not_say_so_refuses_what_is_not_sealed() {
    let text = format!("terms 1 {T} {A}\nkey 1 active {T} terms=1 {B}\n");
    assert!(!KeyRing::parse(&text).unwrap().allows_plaintext());
    assert!(KeyRing::parse(&format!("{text}bare reading")).unwrap().allows_plaintext());
}

#[test]
fn debug_shows_numbers_and_no_keys() {
    let ring = KeyRing::parse(&format!("terms 1 {T} {A}\nkey 1 active {T} terms=1 {B}\n")).unwrap();
    for shown in [format!("{ring:?}"), format!("{:?}", ring.sealing_keys())] {
        assert!(shown.contains("KeyVersion(1)") && !shown.contains(B), "{shown}");
        assert!(!shown.contains("30, 31"), "{shown}");
    }
}

proptest::proptest! {
    #[test]
    fn invalid_ring_text_is_an_error(text in "(key|terms|bare|[ 0-9a-z=;#\n-]|active|2026-11-24T08:30:00Z){0,60}") {
        if let Ok(ring) = KeyRing::parse(&text) {
            proptest::prop_assert!(!ring.active().is_plaintext());
        }
    }
}
