//! Counts of revoked tokens: tokens that an epoch revokes are counted once, if the change names a
//! term that lists them.

use keyfob::Subject;
use keyfob::store::{
    Advance, BucketCounts, EpochField, EpochScope, Epochs, Lane, NewRecord, Revoke, StampRule, Term,
};

use super::counting::{assert_all, assert_numbers, consume, counts_of_ends, session};
use super::fixture::Fixture;

/// The epoch of a client revokes all its counted tokens, and no later token.
pub(super) async fn revoking_a_client_is_counted_in_every_lane(fixture: Fixture) {
    let epochs_of =
        |name: &str| Epochs { client: Some(fixture.client_epoch(name)), ..Epochs::default() };
    let insert = async |name: &str| {
        for lane in 0..4 {
            let record = session(&fixture, fixture.lane(lane));
            let record = NewRecord { epochs: epochs_of(name), uses_left: Some(1), ..record };
            let id = record.id;
            fixture.insert(record).await;
            if lane == 0 {
                consume(&fixture, id).await;
            }
        }
    };
    insert("shop").await;
    insert("bank").await;
    let field = fixture.client_epoch("shop");
    let numbers = async |field: EpochField| {
        counts_of_ends(&fixture, |bucket| bucket.client == Some(field)).await
    };
    assert_numbers(numbers(field).await, [4, 0, 1], "before the advance");
    fixture.advance(EpochScope::EveryLane(field)).await;
    assert_numbers(numbers(field).await, [4, 4, 0], "all tokens of the client are revoked");
    assert_numbers(
        numbers(fixture.client_epoch("bank")).await,
        [4, 0, 1],
        "no token of another client is revoked",
    );
    insert("shop").await;
    assert_numbers(numbers(field).await, [8, 4, 1], "later tokens are active");
    fixture.advance(EpochScope::EveryLane(field)).await;
    assert_numbers(numbers(field).await, [8, 8, 0], "the next advance revokes the later tokens");
}

/// The epoch of everything revokes all counted tokens.
pub(super) async fn revoking_everything_is_counted(fixture: Fixture) {
    let client = Epochs { client: Some(fixture.client_epoch("shop")), ..Epochs::default() };
    let mut one = None;
    for n in 0..6 {
        let record = session(&fixture, fixture.lane(n));
        let epochs = if n % 2 == 0 { client.clone() } else { Epochs::default() };
        let record = NewRecord { epochs, uses_left: Some(1), ..record };
        one = Some(record.id);
        fixture.insert(record).await;
    }
    let one = one.expect("an id was inserted");
    consume(&fixture, one).await;
    for round in 1..=2 {
        fixture.advance(EpochScope::All).await;
        assert_all(&fixture, [6 * round, 6 * round, 0], "all tokens are revoked").await;
        fixture.revoke(one).await;
        consume(&fixture, one).await;
        assert_all(&fixture, [6 * round, 6 * round, 0], "a second advance counts no token twice")
            .await;
        for n in 0..6 {
            fixture.insert(session(&fixture, fixture.lane(n))).await;
        }
        assert_all(&fixture, [6 * (round + 1), 6 * round, 0], "later tokens are active").await;
        fixture.advance(EpochScope::EveryLane(fixture.client_epoch("shop"))).await;
        assert_all(&fixture, [6 * (round + 1), 6 * round, 0], "the later tokens have no client")
            .await;
    }
}

/// The epoch field, the term and the lane of one subject.
struct Owner {
    term: Term,
    lane: Lane,
    field: EpochField,
}

fn owner(fixture: &Fixture, name: &str) -> Owner {
    let subject = Subject::new(name).expect("a valid subject");
    let namespace = fixture.store().namespace();
    let (term, lane) = (namespace.subject(&subject), namespace.lane_of(&subject));
    Owner { term, lane, field: namespace.subject_epoch(&subject) }
}

fn owned(fixture: &Fixture, owner: &Owner) -> NewRecord {
    let (subject, client) = (Some(owner.field), Some(fixture.client_epoch("shop")));
    let epochs = Epochs { subject, client, ..Epochs::default() };
    NewRecord { epochs, terms: vec![owner.term], ..session(fixture, owner.lane) }
}

async fn advance_owner(fixture: &Fixture, owner: &Owner) {
    let scope = EpochScope::Lane(owner.lane, owner.field);
    let listed = vec![owner.term];
    let advance = Advance { listed, ..Advance::new(scope, fixture.now()) };
    fixture.store().advance(fixture.operation(), advance).await.expect("advance succeeds");
}

/// The epoch of a subject counts each listed token as revoked that was still active.
pub(super) async fn revoking_a_subject_counts_its_listed_tokens(fixture: Fixture) {
    let (user, other) = (owner(&fixture, "user"), owner(&fixture, "other"));
    let mut ids = Vec::new();
    for n in 0..5 {
        let record = NewRecord { uses_left: (n == 1).then_some(1), ..owned(&fixture, &user) };
        ids.push(record.id);
        fixture.insert(record).await;
        fixture.insert(owned(&fixture, &other)).await;
    }
    fixture.revoke(ids[0]).await;
    consume(&fixture, ids[1]).await;
    assert_all(&fixture, [10, 1, 1], "before the advance").await;
    advance_owner(&fixture, &user).await;
    assert_all(&fixture, [10, 5, 0], "the other tokens of the subject are revoked").await;
    advance_owner(&fixture, &user).await;
    assert_all(&fixture, [10, 5, 0], "no token is counted twice").await;
    fixture.insert(owned(&fixture, &user)).await;
    advance_owner(&fixture, &user).await;
    assert_all(&fixture, [11, 6, 0], "the next advance revokes the later token").await;
    fixture.advance(EpochScope::EveryLane(fixture.client_epoch("shop"))).await;
    assert_all(&fixture, [11, 11, 0], "a client's epoch covers the same tokens").await;
    advance_owner(&fixture, &other).await;
    assert_all(&fixture, [11, 11, 0], "revoked tokens are not counted again").await;
}

/// A token that none of the named terms lists stays counted as active. Whether it is revoked does
/// not depend on counts.
pub(super) async fn an_unlisted_token_is_counted_as_active_until_it_ends(fixture: Fixture) {
    let user = owner(&fixture, "user");
    let record = NewRecord { terms: vec![], ..owned(&fixture, &user) };
    let id = record.id;
    fixture.insert(record).await;
    advance_owner(&fixture, &user).await;
    assert!(!fixture.loaded(id).await.is_clear(), "the token is revoked");
    assert_all(&fixture, [1, 0, 0], "the token is counted as active").await;
    fixture.advance(EpochScope::All).await;
    assert_all(&fixture, [1, 1, 0], "the epoch of everything counts it as revoked").await;
}

/// Of very many tokens, at least the newest are counted as revoked.
pub(super) async fn of_many_tokens_the_newest_are_counted_as_revoked(fixture: Fixture) {
    let user = owner(&fixture, "user");
    let min = BucketCounts::MIN_COUNTED_REVOKED as u64;
    for _ in 0..12 {
        fixture.insert_all((0..min / 10).map(|_| owned(&fixture, &user)).collect()).await;
    }
    let stored = 12 * (min / 10);
    assert_all(&fixture, [stored, 0, 0], "before the advance").await;
    advance_owner(&fixture, &user).await;
    let [_, revoked, _] = counts_of_ends(&fixture, |_| true).await;
    assert!((min..=stored).contains(&revoked), "{revoked} of {stored} were counted as revoked");
}

/// A cascade counts the listed descendants of the token as revoked, and the token itself once.
pub(super) async fn a_cascade_counts_descendants_as_revoked(fixture: Fixture) {
    let lane = fixture.lane(1);
    let root = session(&fixture, lane);
    let term = fixture.store().namespace().family(root.id);
    let field = fixture.ancestor_epoch(root.id);
    let seen = StampRule::Seen(fixture.stamp(lane).await);
    let descends = || {
        let epochs = Epochs { ancestors: vec![field], ..Epochs::default() };
        NewRecord { epochs, terms: vec![term], stamp: seen, ..session(&fixture, lane) }
    };
    // The epoch of a family also revokes its root, and the family lists the root.
    let (own, child, ended) = (descends(), descends(), descends());
    let root = NewRecord { epochs: own.epochs, terms: own.terms, ..root };
    let (id, ended_id) = (root.id, ended.id);
    let stranger = NewRecord { terms: vec![term], ..session(&fixture, lane) };
    fixture.insert_all(vec![root, child, ended, stranger]).await;
    fixture.revoke(ended_id).await;
    assert_all(&fixture, [4, 1, 0], "before the cascade").await;
    let revoke = || {
        let (cascade, listed) = (Some(field), vec![term]);
        Revoke { cascade, listed, ..fixture.revocation(id) }
    };
    fixture.store().revoke(fixture.operation(), revoke()).await.expect("the store answers");
    assert_all(&fixture, [4, 3, 0], "the root and the active descendant are revoked").await;
    fixture.store().revoke(fixture.operation(), revoke()).await.expect("the store answers");
    assert_all(&fixture, [4, 3, 0], "no token is counted twice").await;
}
