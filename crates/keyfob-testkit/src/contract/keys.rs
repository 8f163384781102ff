//! Keys: the number beside each body, and the floor below which nothing is written.

use keyfob::store::{
    Consume, Consumed, EpochScope, Epochs, Loaded, MarkScope, NewRecord, Order, RecordVersion,
    Replace, Reseal, Resealed, StoreError,
};
use keyfob::{KeyVersion, Lane, TokenId};

use super::scene::Scene;

fn key(number: u16) -> KeyVersion {
    KeyVersion::new(number)
}

async fn raise(scene: &Scene, floor: u16) {
    scene.store().raise_min_key_version(key(floor)).await.expect("the floor is raised");
}

async fn floor(scene: &Scene) -> KeyVersion {
    scene.store().min_key_version().await.expect("a floor is answered")
}

fn under(scene: &Scene, lane: Lane, number: u16) -> NewRecord {
    NewRecord { key: key(number), ..scene.record(lane) }
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
            assert_eq!((found, lowest), (key(number), key(floor)), "the error names both");
        }
        other => panic!("key {number} is below {floor} and must be refused, not {other:?}"),
    }
}

/// The key of a body comes back with it, whichever verb wrote it.
pub async fn the_key_comes_back_with_the_body(scene: Scene) {
    let tag = scene.tag("keys");
    let lane = scene.lane(0);
    let record = NewRecord { terms: vec![tag], ..under(&scene, lane, 300) };
    let id = record.id;
    scene.insert(record).await;
    assert_eq!(scene.loaded(id).await.key, key(300));
    let minted = under(&scene, lane, 302);
    let mint = minted.id;
    let replace = Replace {
        key: key(301),
        minted: vec![minted],
        ..scene.replacement(id, RecordVersion(1), b"two")
    };
    scene.store().replace(scene.operation(), replace).await.expect("an answer");
    assert_eq!(scene.loaded(id).await.key, key(301));
    assert_eq!(scene.loaded(mint).await.key, key(302));
    let reseal = Reseal { read: RecordVersion(2), ..reseal_of(id, 65_535) };
    let resealed = scene.store().reseal(scene.operation(), reseal).await;
    assert_eq!(resealed.expect("an answer"), Resealed::Done);
    let listed = scene.list(scene.query(tag, Order::NewestFirst, 10)).await;
    let keys: Vec<KeyVersion> = listed.iter().map(|loaded: &Loaded| loaded.key).collect();
    assert_eq!(keys, [key(65_535)]);
}

/// A namespace in which no key was retired accepts any.
pub async fn a_new_namespace_accepts_any_key(scene: Scene) {
    assert_eq!(floor(&scene).await, KeyVersion::PLAINTEXT);
    for number in [0, 1, 65_535] {
        let record = under(&scene, scene.lane(number), number);
        let id = record.id;
        scene.insert(record).await;
        assert_eq!(scene.loaded(id).await.key, key(number));
    }
}

/// Below the floor nothing is written, in no lane, by no verb, and nothing of what was refused is
/// there.
pub async fn below_the_floor_nothing_is_written(scene: Scene) {
    let lanes: Vec<Lane> = (0..4).map(|n| scene.lane(n)).collect();
    let mut old = Vec::new();
    for lane in &lanes {
        let record = under(&scene, *lane, 1);
        old.push(record.clone());
        scene.insert(record).await;
    }
    raise(&scene, 2).await;
    assert_eq!(floor(&scene).await, key(2));
    for (lane, old) in lanes.iter().zip(old) {
        for number in [0, 1] {
            let record = under(&scene, *lane, number);
            let id = record.id;
            let fits = under(&scene, *lane, 2);
            let beside = fits.id;
            assert_retired(scene.try_insert(vec![fits, record]).await, number, 2);
            assert!(scene.load(id).await.is_none() && scene.load(beside).await.is_none());
            let replace = |number, minted| Replace {
                key: key(number),
                minted,
                ..scene.replacement(old.id, RecordVersion(1), b"two")
            };
            let minted = under(&scene, *lane, number);
            let mint = minted.id;
            for replace in [replace(number, vec![]), replace(2, vec![minted])] {
                let refused = scene.store().replace(scene.operation(), replace).await;
                assert_retired(refused, number, 2);
            }
            assert!(scene.load(mint).await.is_none(), "nothing was minted");
            let refused = scene.store().reseal(scene.operation(), reseal_of(old.id, number)).await;
            assert_retired(refused, number, 2);
        }
        let loaded = scene.loaded(old.id).await;
        assert_eq!((&loaded.body, loaded.key), (&old.body, key(1)), "it stays as it was");
        for number in [2, 3] {
            scene.insert(under(&scene, *lane, number)).await;
        }
        let resealed = scene.store().reseal(scene.operation(), reseal_of(old.id, 2)).await;
        assert_eq!(resealed.expect("an answer"), Resealed::Done);
    }
}

/// The floor goes up only.
pub async fn the_floor_is_never_lowered(scene: Scene) {
    for (raised, stands) in [(3, 3), (3, 3), (1, 3), (0, 3), (300, 300), (4, 300)] {
        raise(&scene, raised).await;
        assert_eq!(floor(&scene).await, key(stands), "after {raised}");
    }
    assert_retired(scene.try_insert(vec![under(&scene, scene.lane(0), 4)]).await, 4, 300);
}

/// What lies under a retired key is read, used and revoked as before.
pub async fn what_lies_below_the_floor_lives_on(scene: Scene) {
    let record = NewRecord { uses_left: Some(2), ..under(&scene, scene.lane(0), 1) };
    let id = record.id;
    scene.insert(record).await;
    raise(&scene, 2).await;
    scene.assert_clear(id, "a floor revokes nothing").await;
    let spent = scene.store().consume(scene.operation(), Consume { id }).await;
    assert_eq!(spent.expect("an answer"), Consumed::Left(1));
    scene.revoke(id).await;
    scene.assert_revoked(id, MarkScope::Token, "it can be revoked").await;
}

/// Epochs are kept and felt in a namespace that has a floor.
pub async fn epochs_hold_above_a_floor(scene: Scene) {
    raise(&scene, 1).await;
    let epochs = || Epochs { client: Some(scene.client_epoch("floored")), ..Epochs::default() };
    for lane in (0..3).map(|n| scene.lane(n)) {
        let record = || NewRecord { epochs: epochs(), ..under(&scene, lane, 1) };
        let (before, after) = (record(), record());
        let (covered, free) = (before.id, after.id);
        scene.insert(before).await;
        scene.advance(EpochScope::EveryLane(scene.client_epoch("floored"))).await;
        scene.advance(EpochScope::EveryLane(scene.client_epoch("another"))).await;
        scene.assert_revoked(covered, MarkScope::Client, "it was advanced").await;
        scene.insert(after).await;
        scene.assert_clear(free, "it was stored afterwards").await;
    }
}
