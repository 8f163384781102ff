//! Keys: the key version of each body, and the minimum key version below which writes are refused.

use keyfob::TokenId;
use keyfob::seal::KeyVersion;
use keyfob::store::{
    Consume, Consumed, DocumentName, DocumentWritten, EpochScope, Epochs, Lane, Loaded, MarkScope,
    NewRecord, Order, RecordVersion, Replace, Reseal, Resealed, StoreError, WriteDocument,
};

use super::fixture::Fixture;

fn key(number: u16) -> KeyVersion {
    KeyVersion::new(number)
}

async fn raise(fixture: &Fixture, floor: u16) {
    fixture
        .store()
        .raise_min_key_version(key(floor))
        .await
        .expect("raise_min_key_version succeeds");
}

async fn floor(fixture: &Fixture) -> KeyVersion {
    fixture.store().min_key_version().await.expect("min_key_version succeeds")
}

fn under(fixture: &Fixture, lane: Lane, number: u16) -> NewRecord {
    NewRecord { key: key(number), ..fixture.record(lane) }
}

fn reseal_of(id: TokenId, number: u16) -> Reseal {
    Reseal {
        id,
        read: RecordVersion(1),
        body: b"another form".to_vec(),
        key: key(number),
        added_terms: Vec::new(),
        former_terms: Vec::new(),
    }
}

fn assert_retired<T: std::fmt::Debug>(answer: Result<T, StoreError>, number: u16, floor: u16) {
    match answer {
        Err(StoreError::KeyRetired { key: found, floor: lowest }) => {
            assert_eq!(
                (found, lowest),
                (key(number), key(floor)),
                "the error has both key versions"
            );
        }
        other => panic!("key {number} is below {floor} and must be refused, not {other:?}"),
    }
}

/// The key version of a body comes back with it, for every store method that writes.
pub(super) async fn the_key_comes_back_with_the_body(fixture: Fixture) {
    let tag = fixture.tag("keys");
    let lane = fixture.lane(0);
    let record = NewRecord { terms: vec![tag], ..under(&fixture, lane, 300) };
    let id = record.id;
    fixture.insert(record).await;
    assert_eq!(fixture.loaded(id).await.key, key(300));
    let minted = under(&fixture, lane, 302);
    let mint = minted.id;
    let replace = Replace {
        key: key(301),
        minted: vec![minted],
        ..fixture.replacement(id, RecordVersion(1), b"two")
    };
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_eq!(fixture.loaded(id).await.key, key(301));
    assert_eq!(fixture.loaded(mint).await.key, key(302));
    let reseal = Reseal { read: RecordVersion(2), ..reseal_of(id, 65_535) };
    let resealed = fixture.store().reseal(fixture.operation(), reseal).await;
    assert_eq!(resealed.expect("the store answers"), Resealed::Done);
    let listed = fixture.list(fixture.query(tag, Order::NewestFirst, 10)).await;
    let keys: Vec<KeyVersion> = listed.iter().map(|loaded: &Loaded| loaded.key).collect();
    assert_eq!(keys, [key(65_535)]);
}

/// A namespace in which no key was retired accepts any.
pub(super) async fn a_new_namespace_accepts_any_key(fixture: Fixture) {
    assert_eq!(floor(&fixture).await, KeyVersion::PLAINTEXT);
    for number in [0, 1, 65_535] {
        let record = under(&fixture, fixture.lane(number), number);
        let id = record.id;
        fixture.insert(record).await;
        assert_eq!(fixture.loaded(id).await.key, key(number));
    }
}

/// A write below the minimum key version is refused in every lane, by every store method, and has
/// no effect.
pub(super) async fn writes_below_the_minimum_are_refused(fixture: Fixture) {
    let lanes: Vec<Lane> = (0..4).map(|n| fixture.lane(n)).collect();
    let mut old = Vec::new();
    for lane in &lanes {
        let record = under(&fixture, *lane, 1);
        old.push(record.clone());
        fixture.insert(record).await;
    }
    raise(&fixture, 2).await;
    assert_eq!(floor(&fixture).await, key(2));
    for (lane, old) in lanes.iter().zip(old) {
        for number in [0, 1] {
            let record = under(&fixture, *lane, number);
            let id = record.id;
            let fits = under(&fixture, *lane, 2);
            let beside = fits.id;
            assert_retired(fixture.try_insert(vec![fits, record]).await, number, 2);
            assert!(fixture.load(id).await.is_none() && fixture.load(beside).await.is_none());
            let replace = |number, minted| Replace {
                key: key(number),
                minted,
                ..fixture.replacement(old.id, RecordVersion(1), b"two")
            };
            let minted = under(&fixture, *lane, number);
            let mint = minted.id;
            for replace in [replace(number, vec![]), replace(2, vec![minted])] {
                let refused = fixture.store().replace(fixture.operation(), replace).await;
                assert_retired(refused, number, 2);
            }
            assert!(fixture.load(mint).await.is_none(), "nothing was minted");
            let refused =
                fixture.store().reseal(fixture.operation(), reseal_of(old.id, number)).await;
            assert_retired(refused, number, 2);
        }
        let loaded = fixture.loaded(old.id).await;
        assert_eq!((&loaded.body, loaded.key), (&old.body, key(1)), "the record is unchanged");
        for number in [2, 3] {
            fixture.insert(under(&fixture, *lane, number)).await;
        }
        let resealed = fixture.store().reseal(fixture.operation(), reseal_of(old.id, 2)).await;
        assert_eq!(resealed.expect("the store answers"), Resealed::Done);
    }
}

/// The minimum key version only increases.
pub(super) async fn the_minimum_is_never_lowered(fixture: Fixture) {
    for (raised, stands) in [(3, 3), (3, 3), (1, 3), (0, 3), (300, 300), (4, 300)] {
        raise(&fixture, raised).await;
        assert_eq!(floor(&fixture).await, key(stands), "after {raised}");
    }
    assert_retired(fixture.try_insert(vec![under(&fixture, fixture.lane(0), 4)]).await, 4, 300);
}

/// Records with a retired key version can still be read, used and revoked.
pub(super) async fn records_below_the_minimum_stay_usable(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(2), ..under(&fixture, fixture.lane(0), 1) };
    let id = record.id;
    fixture.insert(record).await;
    raise(&fixture, 2).await;
    fixture.assert_clear(id, "a minimum key version revokes nothing").await;
    let spent = fixture.store().consume(fixture.operation(), Consume { id }).await;
    assert_eq!(spent.expect("the store answers"), Consumed::Left(1));
    fixture.revoke(id).await;
    fixture.assert_revoked(id, MarkScope::Token, "the record can be revoked").await;
}

/// A document keeps the key of its body, and is refused below the minimum. Deleting needs no key.
pub(super) async fn documents_below_the_minimum_are_refused(fixture: Fixture) {
    let name: DocumentName = "keys/one".parse().expect("a valid name");
    let write = |read, number| WriteDocument {
        key: key(number),
        ..WriteDocument::new(name.clone(), read, Some(b"body".to_vec()))
    };
    let store = fixture.store();
    let written = match store.write_document(fixture.operation(), write(None, 300)).await {
        Err(StoreError::Unsupported { .. }) => return,
        written => written.expect("the store answers"),
    };
    let DocumentWritten::Written(version) = written else { panic!("there was none before") };
    let stored = store.read_document(&name).await.expect("the store answers");
    assert_eq!(stored.map(|stored| stored.key), Some(key(300)));
    raise(&fixture, 301).await;
    let refused = store.write_document(fixture.operation(), write(Some(version), 300)).await;
    assert_retired(refused, 300, 301);
    let delete = WriteDocument::new(name.clone(), Some(version), None);
    let deleted = store.write_document(fixture.operation(), delete).await;
    assert!(matches!(deleted, Ok(DocumentWritten::Written(_))), "{deleted:?}");
    let stored = store.write_document(fixture.operation(), write(None, 301)).await;
    assert!(matches!(stored, Ok(DocumentWritten::Written(_))), "{stored:?}");
}

/// Epochs work in a namespace with a minimum key version.
pub(super) async fn epochs_work_with_a_minimum_key_version(fixture: Fixture) {
    raise(&fixture, 1).await;
    let epochs = || Epochs { client: Some(fixture.client_epoch("floored")), ..Epochs::default() };
    for lane in (0..3).map(|n| fixture.lane(n)) {
        let record = || NewRecord { epochs: epochs(), ..under(&fixture, lane, 1) };
        let (before, after) = (record(), record());
        let (covered, free) = (before.id, after.id);
        fixture.insert(before).await;
        fixture.advance(EpochScope::EveryLane(fixture.client_epoch("floored"))).await;
        fixture.advance(EpochScope::EveryLane(fixture.client_epoch("another"))).await;
        fixture.assert_revoked(covered, MarkScope::Client, "the epoch was advanced").await;
        fixture.insert(after).await;
        fixture.assert_clear(free, "a later record stays valid").await;
    }
}
