//! Counts: each change of a token updates the counts exactly once, in the same step.

use keyfob::store::{
    BucketCounts, Consume, Consumed, CountedAs, EpochScope, Epochs, Insert, Lane, LastUse,
    NewRecord, RecordVersion, Replace, Replaced,
};
use keyfob::{Kind, Timestamp, TokenId, Ttl};
use tokio::task::JoinSet;

use super::fixture::{Fixture, same_local_bytes};

/// The numbers of stored, revoked and exhausted tokens.
pub(super) type CountTriple = [u64; 3];

fn counted(kind: Kind, ends_at: Timestamp) -> Option<CountedAs> {
    Some(CountedAs { kind, starts_at: None, ends_at })
}

/// A session that ends with its record.
pub(super) fn session(fixture: &Fixture, lane: Lane) -> NewRecord {
    let record = fixture.record(lane);
    NewRecord { counted: counted(Kind::Session, record.keep_until), ..record }
}

async fn counts(fixture: &Fixture) -> Vec<BucketCounts> {
    let now = fixture.now();
    let counts = fixture.store().tallies().await.expect("the store returns counts");
    assert_eq!(counts.missing, [], "every lane can be reached");
    counts.counts.into_iter().filter(|bucket| now < bucket.span.to()).collect()
}

/// Returns the sum of the counts of token ends that match.
pub(super) async fn counts_of_ends(
    fixture: &Fixture,
    matches: impl Fn(&BucketCounts) -> bool,
) -> CountTriple {
    sum(counts(fixture).await.iter().filter(|bucket| !bucket.span.is_start() && matches(bucket)))
}

fn sum<'a>(counts: impl Iterator<Item = &'a BucketCounts>) -> CountTriple {
    counts.fold([0; 3], |[stored, revoked, exhausted], bucket| {
        [stored + bucket.stored, revoked + bucket.revoked, exhausted + bucket.exhausted]
    })
}

#[track_caller]
pub(super) fn assert_numbers(found: CountTriple, expected: CountTriple, message: &str) {
    assert_eq!(found, expected, "stored, revoked, exhausted: {message}");
}

pub(super) async fn assert_all(fixture: &Fixture, expected: CountTriple, message: &str) {
    assert_numbers(counts_of_ends(fixture, |_| true).await, expected, message);
}

pub(super) async fn consume(fixture: &Fixture, id: TokenId) -> Consumed {
    fixture.store().consume(fixture.operation(), Consume { id }).await.expect("consume succeeds")
}

/// A record is counted by kind, client and the time bucket of its end. A record without `counted`
/// is not counted.
pub(super) async fn a_stored_record_is_counted_in_its_bucket(fixture: Fixture) {
    assert_eq!(counts(&fixture).await, [], "nothing is counted in an empty store");
    fixture.insert(fixture.record(fixture.lane(0))).await;
    assert_eq!(counts(&fixture).await, [], "a record that is not a token is not counted");

    let client = fixture.client_epoch("shop");
    let epochs = Epochs { client: Some(client), ..Epochs::default() };
    let ends_at = fixture.now() + Ttl::from_mins(30);
    for lane in 0..3 {
        let counted = counted(Kind::ApiKey, ends_at);
        let record = fixture.record(fixture.lane(lane));
        fixture.insert(NewRecord { counted, epochs: epochs.clone(), ..record }).await;
    }
    fixture.insert(session(&fixture, fixture.lane(1))).await;
    let found = counts(&fixture).await;
    assert_numbers(sum(found.iter()), [4, 0, 0], "the sum over all lanes");
    for bucket in found {
        let (kind, stored) =
            if bucket.client == Some(client) { (Kind::ApiKey, 3) } else { (Kind::Session, 1) };
        assert_eq!(
            (bucket.kind, bucket.stored),
            (kind, stored),
            "one count for each kind and client"
        );
        let ends_at = if stored == 3 { ends_at } else { fixture.now() + Ttl::from_hours(1) };
        let length = bucket.span.to().since(bucket.span.from()).expect("a bucket has a length");
        assert!(
            length <= Ttl::from_mins(8),
            "a bucket is at most an eighth of the remaining life: {length}"
        );
        assert!(!bucket.span.is_start(), "the bucket counts ends, not starts");
        assert!(bucket.span.from() <= ends_at, "the end is in the bucket");
        assert!(ends_at < bucket.span.to() + Ttl::from_secs(1), "the end is in the bucket");
    }
}

/// The counts of a client contain one of its tokens, so that its name can be found.
pub(super) async fn the_count_of_a_client_names_a_sample_token(fixture: Fixture) {
    let mut ids = Vec::new();
    for name in ["shop", "shop", "bank"] {
        let epochs = Epochs { client: Some(fixture.client_epoch(name)), ..Epochs::default() };
        let record = NewRecord { epochs, ..session(&fixture, fixture.lane(0)) };
        ids.push((fixture.client_epoch(name), record.id));
        fixture.insert(record).await;
    }
    for bucket in counts(&fixture).await {
        let sample = bucket.sample.expect("the counts have a sample token");
        assert!(
            ids.contains(&(bucket.client.expect("the counts have a client"), sample)),
            "the sample is a token of this client"
        );
    }
}

/// A repeated operation is counted once, for every store method.
pub(super) async fn the_same_operation_counts_once(fixture: Fixture) {
    let lane = fixture.lane(0);
    let record = NewRecord { uses_left: Some(2), ..session(&fixture, lane) };
    let id = record.id;
    let insert = Insert { records: vec![record], events: vec![] };
    let operation = fixture.operation();
    for _ in 0..3 {
        fixture.store().insert(operation, insert.clone()).await.expect("the store answers");
    }
    assert_all(&fixture, [1, 0, 0], "a repeated insert is counted once").await;

    let operation = fixture.operation();
    let minted = vec![session(&fixture, lane)];
    let replace = Replace { minted, ..fixture.replacement(id, RecordVersion(1), b"two") };
    for _ in 0..3 {
        let replaced = fixture.store().replace(operation, replace.clone()).await;
        assert_eq!(replaced.expect("the store answers"), Replaced::Stored(RecordVersion(2)));
    }
    assert_all(&fixture, [2, 0, 0], "a repeated mint is counted once").await;

    consume(&fixture, id).await;
    let operation = fixture.operation();
    for _ in 0..3 {
        let spent =
            fixture.store().consume(operation, Consume { id }).await.expect("the store answers");
        assert_eq!(spent, Consumed::Left(0));
    }
    assert_eq!(consume(&fixture, id).await, Consumed::Exhausted);
    assert_all(&fixture, [2, 0, 1], "a repeated consume is counted once").await;

    let operation = fixture.operation();
    for _ in 0..3 {
        fixture.store().revoke(operation, fixture.revocation(id)).await.expect("the store answers");
    }
    assert_all(
        &fixture,
        [2, 1, 0],
        "after the revocation the token counts as revoked, not as exhausted",
    )
    .await;
}

/// A refused write is not counted.
pub(super) async fn a_refused_record_is_not_counted(fixture: Fixture) {
    let lane = fixture.lane(0);
    let first = session(&fixture, lane);
    fixture.insert(first.clone()).await;
    let twin = NewRecord { id: same_local_bytes(first.id), ..first.clone() };
    fixture.try_insert(vec![session(&fixture, lane), twin]).await.expect("the store answers");
    let past = fixture.now().saturating_sub(Ttl::from_secs(5));
    fixture.insert(NewRecord { keep_until: past, ..session(&fixture, lane) }).await;
    let minted = vec![session(&fixture, lane)];
    let replace = Replace { minted, ..fixture.replacement(first.id, RecordVersion(9), b"two") };
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    assert_all(&fixture, [1, 0, 0], "only the first insert is counted").await;
    fixture.revoke(fixture.id(lane)).await;
    consume(&fixture, first.id).await;
    assert_all(&fixture, [1, 0, 0], "refused writes are not counted").await;
}

/// Of concurrent revocations of one token, only the first is counted.
pub(super) async fn one_of_many_concurrent_revocations_is_counted(fixture: Fixture) {
    let record = session(&fixture, fixture.lane(1));
    let id = record.id;
    fixture.insert(record).await;
    fixture.insert(session(&fixture, fixture.lane(1))).await;
    let mut racers = JoinSet::new();
    for _ in 0..16 {
        let fixture = fixture.clone();
        racers.spawn(async move { fixture.revoke(id).await });
    }
    while let Some(racer) = racers.join_next().await {
        racer.expect("the task did not panic");
    }
    assert_all(&fixture, [2, 1, 0], "one token was revoked").await;
}

/// If the end of a token moves, its count moves to the new bucket: by a replacement, and by the
/// latest use.
pub(super) async fn a_moved_end_moves_the_count(fixture: Fixture) {
    let client = fixture.client_epoch("shop");
    let now = fixture.now();
    let [soon, later, latest] = [2, 20, 50].map(|mins| now + Ttl::from_mins(mins));
    let record = NewRecord {
        counted: counted(Kind::Session, soon),
        epochs: Epochs { client: Some(client), ..Epochs::default() },
        ..fixture.record(fixture.lane(0))
    };
    let id = record.id;
    fixture.insert(record).await;
    let within = async |end: Timestamp, message: &str| {
        let found =
            counts_of_ends(&fixture, |bucket| bucket.span.from() <= end && end < bucket.span.to())
                .await;
        assert_numbers(found, [1, 0, 0], message);
        assert_all(&fixture, [1, 0, 0], message).await;
    };
    within(soon, "the count is in the bucket of the stored end").await;
    let replace =
        Replace { ends_at: Some(later), ..fixture.replacement(id, RecordVersion(1), b"two") };
    fixture.store().replace(fixture.operation(), replace).await.expect("the store answers");
    within(later, "a replacement moves the count").await;
    let touch = async |secs, ends_at| {
        let last = LastUse { ends_at, ..LastUse::new(id, now + Ttl::from_secs(secs)) };
        fixture.store().touch(&[last]).await.expect("the store answers");
    };
    touch(5, Some(latest)).await;
    within(latest, "a use moves the count").await;
    touch(4, Some(soon)).await;
    within(latest, "an earlier use has no effect").await;
    touch(6, None).await;
    within(latest, "a use without a new end does not move the count").await;
    let sampled = counts(&fixture).await.iter().any(|bucket| bucket.sample == Some(id));
    assert!(sampled, "the client can still be named");

    fixture.revoke(id).await;
    touch(7, Some(soon)).await;
    let found = counts_of_ends(&fixture, |bucket| latest < bucket.span.to()).await;
    assert_numbers(found, [1, 1, 0], "the count of a revoked token does not move");
    assert_all(&fixture, [1, 1, 0], "the token is counted in one bucket only").await;
}

/// The count of an exhausted token stays in its bucket.
pub(super) async fn an_exhausted_record_keeps_its_bucket(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(1), ..session(&fixture, fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    consume(&fixture, id).await;
    let before = counts(&fixture).await;
    let ends_at = Some(fixture.now() + Ttl::from_mins(5));
    let last = LastUse { ends_at, ..LastUse::new(id, fixture.now()) };
    fixture.store().touch(&[last]).await.expect("the store answers");
    assert_eq!(counts(&fixture).await, before, "a use does not move the count");
}

/// A pending token is counted by its start and by its end. A revocation changes both counts.
pub(super) async fn the_start_of_a_token_is_counted_too(fixture: Fixture) {
    let starts_at = Some(fixture.now() + Ttl::from_mins(20));
    let record = |starts_at| {
        let record = session(&fixture, fixture.lane(0));
        let counted = record.counted.map(|counted| CountedAs { starts_at, ..counted });
        NewRecord { counted, ..record }
    };
    let (pending, begun) = (record(starts_at), record(Some(fixture.now())));
    let id = pending.id;
    fixture.insert_all(vec![pending, record(starts_at), begun]).await;
    let begins = async || {
        let all = counts(&fixture).await;
        sum(all.iter().filter(|bucket| bucket.span.is_start()))
    };
    assert_numbers(begins().await, [2, 0, 0], "two tokens are pending");
    assert_all(&fixture, [3, 0, 0], "all three tokens are counted by their end").await;
    fixture.revoke(id).await;
    assert_numbers(begins().await, [2, 1, 0], "one pending token is revoked");
    assert_all(&fixture, [3, 1, 0], "the revocation is in both counts").await;
    fixture.advance(EpochScope::All).await;
    assert_numbers(begins().await, [2, 2, 0], "all pending tokens are revoked");
    let live: u64 = counts(&fixture).await.iter().map(BucketCounts::live).sum();
    assert_eq!(live, 0, "no live token is counted");
}

/// After the end of its bucket, a token is not counted. Later writes do not change that.
pub(super) async fn an_ended_token_is_not_counted(fixture: Fixture) {
    let ends_at = fixture.now() + fixture.brief();
    let record = NewRecord {
        counted: counted(Kind::Session, ends_at),
        keep_until: ends_at + Ttl::from_hours(1),
        ..fixture.record(fixture.lane(0))
    };
    let id = record.id;
    fixture.insert(record).await;
    let over = counts(&fixture).await.iter().map(|bucket| bucket.span.to()).max();
    fixture.wait_until(over.expect("one bucket is counted")).await;
    assert_eq!(counts(&fixture).await, [], "the bucket has ended");
    fixture.revoke(id).await;
    assert_eq!(counts(&fixture).await, [], "a token that has ended is not counted again");
    fixture.insert(session(&fixture, fixture.lane(0))).await;
    assert_all(&fixture, [1, 0, 0], "a token that has not ended is counted").await;
}
