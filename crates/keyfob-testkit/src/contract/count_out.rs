//! Counting out: what an epoch ends is counted as revoked, as far as the change says where it is
//! listed, and once.

use keyfob::store::{Advance, BucketCounts, EpochScope, Epochs, NewRecord, Revoke, StampRule};
use keyfob::{EpochField, Lane, Subject, Term};

use super::counting::{assert_all, assert_numbers, consume, ends, session};
use super::scene::Scene;

/// The epoch of a client ends all that are counted for it, and nothing that comes later.
pub async fn a_client_is_counted_out_in_every_lane(scene: Scene) {
    let of = |name: &str| Epochs { client: Some(scene.client_epoch(name)), ..Epochs::default() };
    let insert = async |name: &str| {
        for lane in 0..4 {
            let record = session(&scene, scene.lane(lane));
            let record = NewRecord { epochs: of(name), uses_left: Some(1), ..record };
            let id = record.id;
            scene.insert(record).await;
            if lane == 0 {
                consume(&scene, id).await;
            }
        }
    };
    insert("shop").await;
    insert("bank").await;
    let field = scene.client_epoch("shop");
    let numbers = async |field: EpochField| ends(&scene, |of| of.client == Some(field)).await;
    assert_numbers(numbers(field).await, [4, 0, 1], "before");
    scene.advance(EpochScope::EveryLane(field)).await;
    assert_numbers(numbers(field).await, [4, 4, 0], "all of the client");
    assert_numbers(numbers(scene.client_epoch("bank")).await, [4, 0, 1], "and none of another");
    insert("shop").await;
    assert_numbers(numbers(field).await, [8, 4, 1], "what came later lives");
    scene.advance(EpochScope::EveryLane(field)).await;
    assert_numbers(numbers(field).await, [8, 8, 0], "until the next");
}

/// The epoch of everything ends all that is counted.
pub async fn everything_is_counted_out(scene: Scene) {
    let client = Epochs { client: Some(scene.client_epoch("shop")), ..Epochs::default() };
    let mut one = None;
    for n in 0..6 {
        let record = session(&scene, scene.lane(n));
        let epochs = if n % 2 == 0 { client.clone() } else { Epochs::default() };
        let record = NewRecord { epochs, uses_left: Some(1), ..record };
        one = Some(record.id);
        scene.insert(record).await;
    }
    let one = one.expect("an id");
    consume(&scene, one).await;
    for round in 1..=2 {
        scene.advance(EpochScope::All).await;
        assert_all(&scene, [6 * round, 6 * round, 0], "all of them").await;
        scene.revoke(one).await;
        consume(&scene, one).await;
        assert_all(&scene, [6 * round, 6 * round, 0], "they cannot end again").await;
        for n in 0..6 {
            scene.insert(session(&scene, scene.lane(n))).await;
        }
        assert_all(&scene, [6 * (round + 1), 6 * round, 0], "what came later lives").await;
        scene.advance(EpochScope::EveryLane(scene.client_epoch("shop"))).await;
        assert_all(&scene, [6 * (round + 1), 6 * round, 0], "it is of no client").await;
    }
}

/// The names and the places of one subject.
struct Owner {
    term: Term,
    lane: Lane,
    field: EpochField,
}

fn owner(scene: &Scene, name: &str) -> Owner {
    let subject = Subject::new(name).expect("a subject");
    let namespace = scene.store().namespace();
    let (term, lane) = (namespace.subject(&subject), namespace.lane_of(&subject));
    Owner { term, lane, field: namespace.subject_epoch(&subject) }
}

fn owned(scene: &Scene, owner: &Owner) -> NewRecord {
    let (subject, client) = (Some(owner.field), Some(scene.client_epoch("shop")));
    let epochs = Epochs { subject, client, ..Epochs::default() };
    NewRecord { epochs, terms: vec![owner.term], ..session(scene, owner.lane) }
}

async fn advance_owner(scene: &Scene, owner: &Owner) {
    let scope = EpochScope::Lane(owner.lane, owner.field);
    let listed = vec![owner.term];
    let advance = Advance { listed, ..Advance::new(scope, scene.now()) };
    scene.store().advance(scene.operation(), advance).await.expect("an advance is answered");
}

/// The epoch of a subject counts out what is listed and has not ended before.
pub async fn a_subject_is_counted_out_where_it_is_listed(scene: Scene) {
    let (user, other) = (owner(&scene, "user"), owner(&scene, "other"));
    let mut ids = Vec::new();
    for n in 0..5 {
        let record = NewRecord { uses_left: (n == 1).then_some(1), ..owned(&scene, &user) };
        ids.push(record.id);
        scene.insert(record).await;
        scene.insert(owned(&scene, &other)).await;
    }
    scene.revoke(ids[0]).await;
    consume(&scene, ids[1]).await;
    assert_all(&scene, [10, 1, 1], "before").await;
    advance_owner(&scene, &user).await;
    assert_all(&scene, [10, 5, 0], "the others of the subject").await;
    advance_owner(&scene, &user).await;
    assert_all(&scene, [10, 5, 0], "none ends twice").await;
    scene.insert(owned(&scene, &user)).await;
    advance_owner(&scene, &user).await;
    assert_all(&scene, [11, 6, 0], "what came later ends by the next").await;
    scene.advance(EpochScope::EveryLane(scene.client_epoch("shop"))).await;
    assert_all(&scene, [11, 11, 0], "a client's epoch covers the same tokens").await;
    advance_owner(&scene, &other).await;
    assert_all(&scene, [11, 11, 0], "and what it ended does not end again").await;
}

/// What is listed nowhere that the change says lives on in the counts; who is revoked does not
/// depend on it.
pub async fn what_is_not_listed_is_counted_until_its_time(scene: Scene) {
    let user = owner(&scene, "user");
    let record = NewRecord { terms: vec![], ..owned(&scene, &user) };
    let id = record.id;
    scene.insert(record).await;
    advance_owner(&scene, &user).await;
    assert!(!scene.loaded(id).await.is_clear(), "it is revoked");
    assert_all(&scene, [1, 0, 0], "and is not counted out").await;
    scene.advance(EpochScope::All).await;
    assert_all(&scene, [1, 1, 0], "until an epoch comes that counts all").await;
}

/// Of very many, the newest at least.
pub async fn of_many_the_newest_are_counted_out(scene: Scene) {
    let user = owner(&scene, "user");
    let most = BucketCounts::COUNTED_OUT as u64;
    for _ in 0..12 {
        scene.insert_all((0..most / 10).map(|_| owned(&scene, &user)).collect()).await;
    }
    let stored = 12 * (most / 10);
    assert_all(&scene, [stored, 0, 0], "before").await;
    advance_owner(&scene, &user).await;
    let [_, revoked, _] = ends(&scene, |_| true).await;
    assert!((most..=stored).contains(&revoked), "{revoked} of {stored} were counted out");
}

/// A cascade counts out what descends from the token and is listed, and the token itself once.
pub async fn a_cascade_counts_the_descendants_out(scene: Scene) {
    let lane = scene.lane(1);
    let root = session(&scene, lane);
    let term = scene.store().namespace().family(root.id);
    let field = scene.ancestor_epoch(root.id);
    let seen = StampRule::Seen(scene.stamp(lane).await);
    let descends = || {
        let epochs = Epochs { ancestors: vec![field], ..Epochs::default() };
        NewRecord { epochs, terms: vec![term], stamp: seen, ..session(&scene, lane) }
    };
    // The root of a family answers to its own epoch and is listed with its family.
    let (own, child, ended) = (descends(), descends(), descends());
    let root = NewRecord { epochs: own.epochs, terms: own.terms, ..root };
    let (id, ended_id) = (root.id, ended.id);
    let stranger = NewRecord { terms: vec![term], ..session(&scene, lane) };
    scene.insert_all(vec![root, child, ended, stranger]).await;
    scene.revoke(ended_id).await;
    assert_all(&scene, [4, 1, 0], "before").await;
    let revoke = || {
        let (cascade, listed) = (Some(field), vec![term]);
        Revoke { cascade, listed, ..scene.revocation(id) }
    };
    scene.store().revoke(scene.operation(), revoke()).await.expect("an answer");
    assert_all(&scene, [4, 3, 0], "the root and the one that lived").await;
    scene.store().revoke(scene.operation(), revoke()).await.expect("an answer");
    assert_all(&scene, [4, 3, 0], "nobody twice").await;
}
