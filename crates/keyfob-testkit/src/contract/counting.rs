//! Tallies: what is counted changes in the step that changes the token, and once.

use keyfob::store::{
    BucketCounts, Consume, Consumed, CountedAs, EpochScope, Epochs, Insert, Lane, LastUse,
    NewRecord, RecordVersion, Replace, Replaced,
};
use keyfob::{Kind, Timestamp, TokenId, Ttl};
use tokio::task::JoinSet;

use super::fixture::{Fixture, same_local_bytes};

/// How many are stored, revoked and exhausted.
pub(super) type Numbers = [u64; 3];

fn counted(kind: Kind, ends_at: Timestamp) -> Option<CountedAs> {
    Some(CountedAs { kind, starts_at: None, ends_at })
}

/// A session that ends with its record.
pub(super) fn session(fixture: &Fixture, lane: Lane) -> NewRecord {
    let record = fixture.record(lane);
    NewRecord { counted: counted(Kind::Session, record.keep_until), ..record }
}

async fn tallies(fixture: &Fixture) -> Vec<BucketCounts> {
    let now = fixture.now();
    let tallies = fixture.store().tallies().await.expect("tallies are answered");
    assert_eq!(tallies.missing, [], "every lane can be reached");
    tallies.counts.into_iter().filter(|tally| now < tally.span.to()).collect()
}

/// The sum of those ends that fit.
pub(super) async fn ends(fixture: &Fixture, fits: impl Fn(&BucketCounts) -> bool) -> Numbers {
    sum(tallies(fixture).await.iter().filter(|tally| !tally.span.is_start() && fits(tally)))
}

fn sum<'a>(tallies: impl Iterator<Item = &'a BucketCounts>) -> Numbers {
    tallies.fold([0; 3], |[stored, revoked, exhausted], tally| {
        [stored + tally.stored, revoked + tally.revoked, exhausted + tally.exhausted]
    })
}

#[track_caller]
pub(super) fn assert_numbers(found: Numbers, expected: Numbers, why: &str) {
    assert_eq!(found, expected, "stored, revoked, exhausted: {why}");
}

pub(super) async fn assert_all(fixture: &Fixture, expected: Numbers, why: &str) {
    assert_numbers(ends(fixture, |_| true).await, expected, why);
}

pub(super) async fn consume(fixture: &Fixture, id: TokenId) -> Consumed {
    fixture.store().consume(fixture.operation(), Consume { id }).await.expect("a spend is answered")
}

/// By kind, by client, and by a span that its end lies in; one that says nothing is not counted.
pub(super) async fn a_stored_record_is_counted_in_its_bucket(fixture: Fixture) {
    assert_eq!(tallies(&fixture).await, [], "nothing is counted in an empty store");
    fixture.insert(fixture.record(fixture.lane(0))).await;
    assert_eq!(tallies(&fixture).await, [], "what is no token's is not counted");

    let client = fixture.client_epoch("shop");
    let epochs = Epochs { client: Some(client), ..Epochs::default() };
    let ends_at = fixture.now() + Ttl::from_mins(30);
    for lane in 0..3 {
        let counted = counted(Kind::ApiKey, ends_at);
        let record = fixture.record(fixture.lane(lane));
        fixture.insert(NewRecord { counted, epochs: epochs.clone(), ..record }).await;
    }
    fixture.insert(session(&fixture, fixture.lane(1))).await;
    let found = tallies(&fixture).await;
    assert_numbers(sum(found.iter()), [4, 0, 0], "over all lanes");
    for tally in found {
        let (kind, of) =
            if tally.client == Some(client) { (Kind::ApiKey, 3) } else { (Kind::Session, 1) };
        assert_eq!((tally.kind, tally.stored), (kind, of), "a tally for each kind and client");
        let ends_at = if of == 3 { ends_at } else { fixture.now() + Ttl::from_hours(1) };
        let length = tally.span.to().since(tally.span.from()).expect("a span has a length");
        assert!(length <= Ttl::from_mins(8), "a span is an eighth of what is left: {length}");
        assert!(!tally.span.is_start(), "it has begun");
        assert!(tally.span.from() <= ends_at, "the end lies in the span");
        assert!(ends_at < tally.span.to() + Ttl::from_secs(1), "the end lies in the span");
    }
}

/// One token of each client is told, by which it can be named.
pub(super) async fn the_count_of_a_client_names_a_sample_token(fixture: Fixture) {
    let mut ids = Vec::new();
    for name in ["shop", "shop", "bank"] {
        let epochs = Epochs { client: Some(fixture.client_epoch(name)), ..Epochs::default() };
        let record = NewRecord { epochs, ..session(&fixture, fixture.lane(0)) };
        ids.push((fixture.client_epoch(name), record.id));
        fixture.insert(record).await;
    }
    for tally in tallies(&fixture).await {
        let sample = tally.sample.expect("a sample");
        assert!(ids.contains(&(tally.client.expect("a client"), sample)), "it is one of them");
    }
}

/// What is sent again is counted once, whichever verb it is.
pub(super) async fn the_same_operation_counts_once(fixture: Fixture) {
    let lane = fixture.lane(0);
    let record = NewRecord { uses_left: Some(2), ..session(&fixture, lane) };
    let id = record.id;
    let insert = Insert { records: vec![record], events: vec![] };
    let operation = fixture.operation();
    for _ in 0..3 {
        fixture.store().insert(operation, insert.clone()).await.expect("an answer");
    }
    assert_all(&fixture, [1, 0, 0], "an insert").await;

    let operation = fixture.operation();
    let minted = vec![session(&fixture, lane)];
    let replace = Replace { minted, ..fixture.replacement(id, RecordVersion(1), b"two") };
    for _ in 0..3 {
        let replaced = fixture.store().replace(operation, replace.clone()).await;
        assert_eq!(replaced.expect("an answer"), Replaced::Stored(RecordVersion(2)));
    }
    assert_all(&fixture, [2, 0, 0], "a mint").await;

    consume(&fixture, id).await;
    let operation = fixture.operation();
    for _ in 0..3 {
        let spent = fixture.store().consume(operation, Consume { id }).await.expect("an answer");
        assert_eq!(spent, Consumed::Left(0));
    }
    assert_eq!(consume(&fixture, id).await, Consumed::Exhausted);
    assert_all(&fixture, [2, 0, 1], "a spend").await;

    let operation = fixture.operation();
    for _ in 0..3 {
        fixture.store().revoke(operation, fixture.revocation(id)).await.expect("an answer");
    }
    assert_all(&fixture, [2, 1, 0], "a revocation; what was exhausted is revoked now").await;
}

/// What is refused is not counted.
pub(super) async fn a_refused_record_is_not_counted(fixture: Fixture) {
    let lane = fixture.lane(0);
    let first = session(&fixture, lane);
    fixture.insert(first.clone()).await;
    let twin = NewRecord { id: same_local_bytes(first.id), ..first.clone() };
    fixture.try_insert(vec![session(&fixture, lane), twin]).await.expect("an answer");
    let past = fixture.now().saturating_sub(Ttl::from_secs(5));
    fixture.insert(NewRecord { keep_until: past, ..session(&fixture, lane) }).await;
    let minted = vec![session(&fixture, lane)];
    let replace = Replace { minted, ..fixture.replacement(first.id, RecordVersion(9), b"two") };
    fixture.store().replace(fixture.operation(), replace).await.expect("an answer");
    assert_all(&fixture, [1, 0, 0], "one was stored").await;
    fixture.revoke(fixture.id(lane)).await;
    consume(&fixture, first.id).await;
    assert_all(&fixture, [1, 0, 0], "nothing ended").await;
}

/// The first revocation alone is counted.
pub(super) async fn one_of_many_concurrent_inserts_is_counted(fixture: Fixture) {
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
        racer.expect("a racer");
    }
    assert_all(&fixture, [2, 1, 0], "one token was revoked").await;
}

/// An end that moves takes the count along: by a replacement, and by a use that is the latest.
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
    let within = async |end: Timestamp, why: &str| {
        let found = ends(&fixture, |tally| tally.span.from() <= end && end < tally.span.to()).await;
        assert_numbers(found, [1, 0, 0], why);
        assert_all(&fixture, [1, 0, 0], why).await;
    };
    within(soon, "as it was stored").await;
    let replace =
        Replace { ends_at: Some(later), ..fixture.replacement(id, RecordVersion(1), b"two") };
    fixture.store().replace(fixture.operation(), replace).await.expect("an answer");
    within(later, "replaced").await;
    let touch = async |secs, ends_at| {
        let last = LastUse { ends_at, ..LastUse::new(id, now + Ttl::from_secs(secs)) };
        fixture.store().touch(&[last]).await.expect("an answer");
    };
    touch(5, Some(latest)).await;
    within(latest, "used").await;
    touch(4, Some(soon)).await;
    within(latest, "an earlier use is not heard").await;
    touch(6, None).await;
    within(latest, "this use moves nothing").await;
    let sampled = tallies(&fixture).await.iter().any(|tally| tally.sample == Some(id));
    assert!(sampled, "the client can still be named");

    fixture.revoke(id).await;
    touch(7, Some(soon)).await;
    let found = ends(&fixture, |tally| latest < tally.span.to()).await;
    assert_numbers(found, [1, 1, 0], "what has ended stays where it is");
    assert_all(&fixture, [1, 1, 0], "and is counted there alone").await;
}

/// What has spent its uses stays where it is counted.
pub(super) async fn an_exhausted_record_keeps_its_bucket(fixture: Fixture) {
    let record = NewRecord { uses_left: Some(1), ..session(&fixture, fixture.lane(0)) };
    let id = record.id;
    fixture.insert(record).await;
    consume(&fixture, id).await;
    let before = tallies(&fixture).await;
    let ends_at = Some(fixture.now() + Ttl::from_mins(5));
    let last = LastUse { ends_at, ..LastUse::new(id, fixture.now()) };
    fixture.store().touch(&[last]).await.expect("an answer");
    assert_eq!(tallies(&fixture).await, before, "a use does not move it");
}

/// What has yet to begin is counted by its beginning too, and both follow it.
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
        let all = tallies(&fixture).await;
        sum(all.iter().filter(|tally| tally.span.is_start()))
    };
    assert_numbers(begins().await, [2, 0, 0], "two have yet to begin");
    assert_all(&fixture, [3, 0, 0], "and all three have an end").await;
    fixture.revoke(id).await;
    assert_numbers(begins().await, [2, 1, 0], "one of them is revoked");
    assert_all(&fixture, [3, 1, 0], "in both").await;
    fixture.advance(EpochScope::All).await;
    assert_numbers(begins().await, [2, 2, 0], "all of them");
    let live: u64 = tallies(&fixture).await.iter().map(BucketCounts::live).sum();
    assert_eq!(live, 0, "nothing lives");
}

/// Once its span is over, a token is not counted, whatever happens to it then.
pub(super) async fn an_ended_token_is_not_counted(fixture: Fixture) {
    let ends_at = fixture.now() + fixture.brief();
    let record = NewRecord {
        counted: counted(Kind::Session, ends_at),
        keep_until: ends_at + Ttl::from_hours(1),
        ..fixture.record(fixture.lane(0))
    };
    let id = record.id;
    fixture.insert(record).await;
    let over = tallies(&fixture).await.iter().map(|tally| tally.span.to()).max();
    fixture.wait_until(over.expect("a span")).await;
    assert_eq!(tallies(&fixture).await, [], "its time is over");
    fixture.revoke(id).await;
    assert_eq!(tallies(&fixture).await, [], "a token that has ended is not counted again");
    fixture.insert(session(&fixture, fixture.lane(0))).await;
    assert_all(&fixture, [1, 0, 0], "one that has not, is").await;
}
