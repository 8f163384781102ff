//! Sealing and opening, and bytes that do not open.

use super::*;
use crate::NewKey;
use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::namespace::NamespaceKey;
use keyfob_core::random::{OsRandom, SeededRandom};
use keyfob_core::text::Subject;
use keyfob_core::time::Timestamp;

fn namespace(key: u8) -> Namespace {
    Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([key; 32]))
}

fn ring() -> KeyRing {
    KeyRing::generate(Timestamp::default(), &SeededRandom::new(1)).unwrap().allowing_plaintext()
}

fn sealer(ring: &KeyRing) -> Sealer {
    Sealer::new(ring, &namespace(1))
}

fn token(n: u8) -> AssociatedData {
    AssociatedData::Record(TokenId::from_bytes([n; 16]))
}

fn seal(sealer: &Sealer, plain: &[u8], about: AssociatedData) -> Vec<u8> {
    sealer.seal(plain, about, &mut Salts::draw(1, &OsRandom).unwrap()).unwrap()
}

const PLAIN: &[u8] = b"\x01 user123, and what is claimed";
const NOT_OPENED: SealFault = SealFault::NotOpened { key: KeyVersion::FIRST };

#[test]
fn sealed_bytes_open_and_hide_the_plaintext() {
    let sealer = sealer(&ring());
    for plain in [PLAIN, b"", &[keyfob_core::envelope::FORMAT; 70_000]] {
        let sealed = seal(&sealer, plain, token(1));
        assert_eq!(sealed.len(), plain.len() + cipher::OVERHEAD);
        let opened = sealer.open(&sealed, token(1)).unwrap();
        assert_eq!((opened.plain.as_slice(), opened.under), (plain, KeyVersion::FIRST));
    }
    let sealed = seal(&sealer, PLAIN, token(1));
    assert!(!sealed.windows(4).any(|window| window == b"user"));
}

#[test]
fn equal_bytes_are_sealed_differently_each_time() {
    let sealer = sealer(&ring());
    let (one, other) = (seal(&sealer, PLAIN, token(1)), seal(&sealer, PLAIN, token(1)));
    let same = one.iter().zip(&other).skip(5).filter(|(a, b)| a == b).count();
    assert!(same < 10, "{same} bytes are alike");
}

#[test]
fn a_changed_bit_anywhere_is_noticed() {
    let sealer = sealer(&ring());
    let sealed = seal(&sealer, PLAIN, token(1));
    for place in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[place] ^= 1 << bit;
            let opened = sealer.open(&changed, token(1));
            match place {
                // The bytes are no longer marked as sealed, and no other format either.
                0 => {
                    let opened = opened.unwrap();
                    assert!(opened.under.is_plaintext() && opened.plain[0] > 32, "{opened:?}");
                }
                1 | 2 => assert!(matches!(opened, Err(SealFault::MissingKey { .. }))),
                _ => assert_eq!(opened.unwrap_err(), NOT_OPENED, "bit {bit} of byte {place}"),
            }
        }
    }
}

#[test]
fn truncated_or_extended_bytes_do_not_open() {
    let sealer = sealer(&ring());
    let sealed = seal(&sealer, PLAIN, token(1));
    for length in 1..sealed.len() {
        let refused = sealer.open(&sealed[..length], token(1)).map(|opened| opened.under);
        let expected = if length < 3 { SealFault::Damaged } else { NOT_OPENED };
        assert_eq!(refused, Err(expected), "truncated to {length} bytes");
    }
    let longer = [&sealed[..], &[0]].concat();
    assert!(sealer.open(&longer, token(1)).is_err());
}

#[test]
fn bytes_open_only_as_what_they_were_sealed_as() {
    let sealer = sealer(&ring());
    let lane = |n| Lane::new(n);
    let places = [
        token(1),
        token(2),
        AssociatedData::Event(lane(1)),
        AssociatedData::Event(lane(2)),
        AssociatedData::Observation(lane(1)),
        AssociatedData::Note(lane(1)),
        AssociatedData::Note(lane(2)),
        AssociatedData::NoteEverywhere,
    ];
    for sealed_as in places {
        let sealed = seal(&sealer, PLAIN, sealed_as);
        for opened_as in places {
            let opened = sealer.open(&sealed, opened_as);
            assert_eq!(opened.is_ok(), sealed_as == opened_as, "{sealed_as:?} as {opened_as:?}");
        }
    }
}

#[test]
fn another_namespace_or_another_key_of_the_same_number_does_not_open() {
    let ring = ring();
    let sealed = seal(&sealer(&ring), PLAIN, token(1));
    let elsewhere = Sealer::new(&ring, &namespace(2));
    assert_eq!(elsewhere.open(&sealed, token(1)).unwrap_err(), NOT_OPENED);
    let other = KeyRing::generate(Timestamp::default(), &SeededRandom::new(2))
        .unwrap()
        .allowing_plaintext();
    assert_eq!(sealer(&other).open(&sealed, token(1)).unwrap_err(), NOT_OPENED);
}

#[test]
fn a_key_that_is_missing_is_named() {
    let mut newer = ring();
    let second = newer.add(NewKey::Sealing, Timestamp::default(), &SeededRandom::new(2)).unwrap();
    newer.activate(second).unwrap();
    let sealed = seal(&sealer(&newer), PLAIN, token(1));
    let refused = sealer(&ring()).open(&sealed, token(1)).unwrap_err();
    assert_eq!(refused, SealFault::MissingKey { key: second });
    assert!(refused.to_string().contains("key 2"), "{refused}");
    // The newer ring opens both records.
    assert_eq!(sealer(&newer).open(&sealed, token(1)).unwrap().under, second);
    let old = seal(&sealer(&ring()), PLAIN, token(1));
    assert_eq!(sealer(&newer).open(&old, token(1)).unwrap().under, KeyVersion::FIRST);
}

#[test]
fn plaintext_is_readable_until_retired() {
    let mut ring = ring();
    let opened = sealer(&ring).open(PLAIN, token(1)).unwrap();
    assert_eq!((opened.plain.as_slice(), opened.under), (PLAIN, KeyVersion::PLAINTEXT));
    ring.retire(KeyVersion::PLAINTEXT).unwrap();
    assert_eq!(sealer(&ring).open(PLAIN, token(1)).unwrap_err(), SealFault::Plaintext);
}

#[test]
fn terms_are_blinded_under_the_ring_and_asked_for_under_every_key_in_use() {
    let mut ring = ring();
    let namespace = namespace(1);
    let subject = namespace.subject(&Subject::new("user123").unwrap());
    let first = sealer(&ring).term(subject);
    assert_eq!(first.field(), subject.field());
    assert_ne!(first, subject);
    assert_eq!(sealer(&ring).forms(subject), [subject, first], "records may not be sealed yet");
    ring.retire(KeyVersion::PLAINTEXT).unwrap();
    assert_eq!(sealer(&ring).forms(subject), [first]);

    let at = Timestamp::default();
    let second = ring.add(NewKey::Sealing, at, &SeededRandom::new(2)).unwrap();
    ring.activate(second).unwrap();
    assert_eq!(sealer(&ring).forms(subject), [first], "the term key is the same");
    let third = ring.add(NewKey::SealingAndTerms, at, &SeededRandom::new(3)).unwrap();
    assert_eq!(sealer(&ring).term(subject), first, "the new key is not active yet");
    let newest = sealer(&ring).forms(subject)[1];
    assert_ne!(newest, first);
    ring.activate(third).unwrap();
    assert_eq!(sealer(&ring).term(subject), newest);
    assert_eq!(sealer(&ring).forms(subject), [first, newest], "the oldest form is first");
    ring.retire(KeyVersion::FIRST).unwrap();
    assert_eq!(sealer(&ring).forms(subject), [first, newest], "the second key has the same terms");
    ring.retire(second).unwrap();
    assert_eq!(sealer(&ring).forms(subject), [newest]);
}

#[test]
fn the_term_of_all_records_is_not_blinded() {
    let sealer = sealer(&ring());
    let all = namespace(1).all();
    assert_eq!(sealer.forms(all), [all]);
}

#[test]
fn debug_shows_no_key() {
    assert_eq!(format!("{:?}", sealer(&ring())), "Sealer { active: KeyVersion(1), .. }");
}
