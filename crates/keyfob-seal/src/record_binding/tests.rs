//! A record opens only with the plaintext fields that it was sealed with.

use super::*;
use crate::associated_data::AssociatedData;
use crate::salts::Salts;
use crate::sealer::Sealer;
use crate::{KeyRing, NewKey};
use keyfob_core::envelope;
use keyfob_core::id::{LaneCount, TokenId};
use keyfob_core::namespace::{EpochField, Namespace, NamespaceKey};
use keyfob_core::random::{OsRandom, SeededRandom};
use keyfob_core::{KeyVersion, SealFault};
use keyfob_store::{MarkScope, MonotonicInstant, RevocationMark, Verdict};

const PLAIN: &[u8] = b"\x01 what is claimed";
const NOT_OPENED: SealFault = SealFault::NotOpened { key: KeyVersion::FIRST };

fn ring() -> KeyRing {
    KeyRing::generate(Timestamp::default(), &SeededRandom::new(1)).unwrap()
}

fn sealer(ring: &KeyRing) -> Sealer {
    Sealer::new(ring, &Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([1; 32])))
}

fn salts() -> Salts {
    Salts::draw(1, &OsRandom).unwrap()
}

fn field(n: u8) -> EpochField {
    EpochField::from_bytes([n; 8])
}

/// A record in the store, whose body is not sealed yet.
fn stored(uses_left: Option<u32>) -> Loaded {
    Loaded {
        id: TokenId::from_bytes([3; 16]),
        body: PLAIN.to_vec(),
        key: KeyVersion::FIRST,
        version: RecordVersion(4),
        stamp: Stamp::new(70),
        keep_until: Timestamp::from_millis(5_000_000),
        uses_left,
        last_used: None,
        epochs: Epochs {
            subject: Some(field(1)),
            client: Some(field(2)),
            ancestors: vec![field(3), field(4)],
        },
        sent: MonotonicInstant::now(),
        verdict: Verdict::Clear,
        last_advance: None,
    }
}

fn replaced(uses_left: Option<u32>) -> Loaded {
    let mut loaded = stored(uses_left);
    let (clear, read) = (loaded.clear_fields(), RecordVersion(loaded.version.0 - 1));
    let binding = RecordBinding::replaced(read, &clear);
    let body =
        sealer(&ring()).seal_record(PLAIN, loaded.id, KeyVersion::FIRST, &binding, &mut salts());
    loaded.body = body.unwrap();
    loaded
}

/// A new record that the store stamps before `deadline`.
fn inserted(deadline: Timestamp) -> Loaded {
    let mut loaded = Loaded { version: RecordVersion(1), ..stored(None) };
    let new = NewRecord {
        id: loaded.id,
        body: Vec::new(),
        key: KeyVersion::FIRST,
        keep_until: loaded.keep_until,
        uses_left: loaded.uses_left,
        epochs: loaded.epochs.clone(),
        terms: Vec::new(),
        stamp: StampRule::Present,
        counted: None,
    };
    let binding = RecordBinding::inserted(&new, deadline);
    let sealed =
        sealer(&ring()).seal_record(PLAIN, new.id, KeyVersion::FIRST, &binding, &mut salts());
    loaded.body = sealed.unwrap();
    loaded
}

fn open(loaded: &Loaded) -> Result<Vec<u8>, SealFault> {
    sealer(&ring()).open_record(loaded).map(|opened| opened.plain)
}

#[test]
fn a_record_opens_beside_the_fields_that_it_was_sealed_with() {
    for uses in [None, Some(0), Some(7)] {
        let loaded = replaced(uses);
        assert_eq!(open(&loaded).unwrap(), PLAIN);
        let added = loaded.body.len() - PLAIN.len();
        assert!(added <= envelope::max_overhead(&loaded.body), "{added}");
    }
    assert_eq!(open(&inserted(Timestamp::from_millis(1))).unwrap(), PLAIN);
}

/// An edit of a record in the store.
type Edit = fn(&mut Loaded);

#[test]
fn an_edit_of_any_bound_field_does_not_open() {
    let edits: [(&str, Edit); 16] = [
        ("another id", |record| record.id = TokenId::from_bytes([4; 16])),
        ("an older version", |record| record.version.0 -= 1),
        ("a newer version", |record| record.version.0 += 1),
        ("a higher stamp", |record| record.stamp = record.stamp.next()),
        ("a lower stamp", |record| record.stamp = Stamp::new(1)),
        ("a longer life", |record| record.keep_until = Timestamp::MAX),
        ("a shorter life", |record| record.keep_until = Timestamp::default()),
        ("more uses", |record| record.uses_left = Some(8)),
        ("uses without a limit", |record| record.uses_left = None),
        ("no subject", |record| record.epochs.subject = None),
        ("another subject", |record| record.epochs.subject = Some(field(9))),
        ("no client", |record| record.epochs.client = None),
        ("another client", |record| record.epochs.client = Some(field(9))),
        ("one ancestor less", |record| {
            record.epochs.ancestors.pop();
        }),
        ("ancestors in another order", |record| record.epochs.ancestors.reverse()),
        ("a subject that is read as an ancestor", |record| {
            record.epochs.ancestors.insert(0, field(1));
            record.epochs.subject = None;
        }),
    ];
    for (name, edit) in edits {
        let mut loaded = replaced(Some(7));
        edit(&mut loaded);
        assert_eq!(open(&loaded), Err(NOT_OPENED), "{name}");
    }
}

#[test]
fn uses_that_were_taken_leave_the_record_open() {
    for left in 0..=7 {
        let loaded = Loaded { uses_left: Some(left), ..replaced(Some(7)) };
        assert_eq!(open(&loaded).unwrap(), PLAIN);
    }
}

#[test]
fn a_stamp_that_the_store_gave_is_below_what_was_revoked_later() {
    let deadline = Timestamp::from_millis(1_000_000);
    let at = |advance: Timestamp| Loaded { last_advance: Some(advance), ..inserted(deadline) };
    assert!(open(&at(deadline)).is_ok());
    assert!(open(&at(deadline + MAX_CLOCK_DIFFERENCE)).is_ok());
    let later = deadline + MAX_CLOCK_DIFFERENCE + Ttl::from_secs(1);
    assert_eq!(open(&at(later)), Err(NOT_OPENED));
    // A revoked record opens.
    let mark = RevocationMark { through: MarkScope::Subject, at: later, note: Vec::new() };
    let revoked = Loaded { verdict: Verdict::Revoked(mark), ..at(later) };
    assert!(open(&revoked).is_ok());
    // A deadline at the maximum time does not limit the stamp and does not overflow.
    assert!(open(&Loaded { last_advance: Some(later), ..inserted(Timestamp::MAX) }).is_ok());
}

#[test]
fn a_record_sealed_before_opens_until_its_key_is_retired() {
    let mut ring = ring();
    let about = AssociatedData::Record(stored(None).id);
    let body = sealer(&ring).seal(PLAIN, about, &mut salts()).unwrap();
    let loaded = Loaded { body, ..stored(None) };
    assert_eq!(sealer(&ring).open_record(&loaded).unwrap().plain, PLAIN);
    let second = ring.add(NewKey::Sealing, Timestamp::default(), &SeededRandom::new(2)).unwrap();
    ring.activate(second).unwrap();
    assert_eq!(sealer(&ring).open_record(&loaded).unwrap().plain, PLAIN);
    ring.retire(KeyVersion::FIRST).unwrap();
    assert_eq!(sealer(&ring).open_record(&loaded).unwrap_err(), NOT_OPENED);
}

#[test]
fn no_record_passes_for_one_of_the_other_format() {
    let sealer = sealer(&ring());
    let mut bound = replaced(None);
    let about = AssociatedData::Record(bound.id);
    assert_eq!(sealer.open(&bound.body, about).unwrap_err(), NOT_OPENED);
    bound.body[0] = envelope::FORMAT;
    assert_eq!(sealer.open_record(&bound).unwrap_err(), NOT_OPENED);
    let mut before = sealer.seal(PLAIN, about, &mut salts()).unwrap();
    before[0] = envelope::RECORD_FORMAT;
    let before = Loaded { body: before, ..stored(None) };
    assert_eq!(sealer.open_record(&before).unwrap_err(), NOT_OPENED);
}

/// A reseal also binds the plaintext fields of records that were sealed before.
#[tokio::test]
async fn records_sealed_before_are_bound_by_a_run_that_seals_again() {
    use keyfob::seal as facade;
    use keyfob::{Grant, Kind, MemoryStore, TokenManager};
    use keyfob_store::{Operation, RecordStore, Replace};
    use std::sync::Arc;

    let ring = ring();
    let store = Arc::new(MemoryStore::new().unwrap());
    let same = facade::KeyRing::parse(&ring.to_text()).unwrap();
    let manager = TokenManager::builder(store.clone()).keys(&same).build();
    let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await.unwrap();
    let id = issued.token.id;
    // Restores the earlier encoding.
    let sealer = Sealer::new(&ring, store.namespace());
    let there = store.load(id).await.unwrap().unwrap();
    let plain = sealer.open_record(&there).unwrap().plain;
    let body = sealer.seal(&plain, AssociatedData::Record(id), &mut salts()).unwrap();
    let deadline = Timestamp::MAX;
    let operation = Operation { deadline, ..Operation::begin(deadline, &OsRandom).unwrap() };
    let replace = Replace { key: KeyVersion::FIRST, ..Replace::of(&there, body) };
    store.replace(operation, replace).await.unwrap();
    assert!(manager.validate_active(&issued.bearer).await.is_ok(), "the record stays readable");

    for (resealed, is_bound) in [(1, true), (0, true)] {
        let done = manager.reseal().unwrap().run(|_| {}).await.unwrap();
        assert_eq!((done.examined, done.resealed), (1, resealed));
        let there = store.load(id).await.unwrap().unwrap();
        assert_eq!(envelope::binds_clear_fields(&there.body), is_bound);
    }
    assert!(manager.validate_active(&issued.bearer).await.is_ok());
}
