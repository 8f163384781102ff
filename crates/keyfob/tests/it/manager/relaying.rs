//! What a manager tells the nodes that have no connection to the store.

use std::time::{Duration, Instant};

use keyfob::store::relay::{Follower, Since, Trip};
use keyfob::store::{
    Consumed, Invalidation, LastUse, MonotonicInstant, Operation, RecordVersion, Replaced,
};
use keyfob::token::SecretUsed;
use keyfob::{Grant, Kind, MemoryStore, RefreshRequest, RotateRequest, TokenManager};

const LONG: Duration = Duration::from_secs(5);

fn manager() -> TokenManager {
    TokenManager::new(MemoryStore::new().unwrap())
}

fn operation(manager: &TokenManager) -> Operation {
    Operation::begin(manager.now(), &keyfob::random::OsRandom).unwrap()
}

#[tokio::test]
async fn a_beat_is_held_back_until_something_ends() {
    let manager = manager();
    let relay = manager.relay();
    let issued = manager.issue(Grant::new(Kind::Session)).await.unwrap();
    let first = relay.beat(&Since::default(), LONG).await.unwrap();
    assert!(first.held < Duration::from_secs(1), "the first beat is answered at once");
    assert_eq!(first.distrusted, []);

    let since = Since { after: Some((first.journal, first.number)), ago: Duration::ZERO };
    let (id, clone) = (issued.token.id, manager.clone());
    let revoking = tokio::spawn(async move {
        tokio::time::sleep(Duration::from_millis(50)).await;
        clone.revoke(id, "test").await.unwrap();
    });
    let begun = Instant::now();
    let beat = relay.beat(&since, LONG).await.unwrap();
    assert!(begun.elapsed() < LONG / 2);
    assert!(beat.is_continuous && beat.held >= Duration::from_millis(30));
    // The token itself, and what descends from it.
    assert_eq!(beat.changes.len(), 2);
    assert!(beat.changes.contains(&(id.lane(), Invalidation::of(id))));
    revoking.await.unwrap();

    let since = Since { after: Some((beat.journal, beat.number)), ago: Duration::ZERO };
    let beat = relay.beat(&since, Duration::from_millis(20)).await.unwrap();
    assert!(beat.is_continuous && beat.changes.is_empty());
    let shutting_down = manager.clone();
    let (beat, ()) = tokio::join!(relay.beat(&since, LONG), shutting_down.shutdown());
    assert!(beat.unwrap().held < LONG / 2, "a shutdown does not wait for it");
}

#[tokio::test]
async fn a_follower_takes_the_beats_of_a_manager() {
    let manager = manager();
    let (relay, lanes) = (manager.relay(), manager.relay().namespace().lanes());
    let suspended = MonotonicInstant::suspended();
    let fingerprint = relay.namespace().fingerprint();
    let mut follower = Follower::new(fingerprint, lanes, MonotonicInstant::now(), suspended);
    for _ in 0..3 {
        let sent = MonotonicInstant::now();
        let beat = relay.beat(&follower.since(sent), Duration::from_millis(5)).await.unwrap();
        let received = MonotonicInstant::now();
        let trip = Trip { sent, received, suspended_before: suspended, suspended_after: suspended };
        let (confirmed, of) = follower.take(trip, &beat).unwrap().confirm.unwrap();
        assert_eq!(of.len(), usize::from(lanes.get()));
        assert!(confirmed <= received && received.since(confirmed) < Duration::from_secs(1));
    }
}

#[tokio::test]
async fn records_of_other_things_than_tokens_to_validate_are_not_handed_out() {
    let manager = manager();
    let relay = manager.relay();
    let grant = Grant::new(Kind::Refresh).subject("alice");
    let pair = manager.issue_pair(grant, RefreshRequest::new()).await.unwrap();
    assert!(relay.load(pair.access.token.id).await.unwrap().is_some());
    let refused = relay.load(pair.refresh.token.id).await.unwrap_err();
    assert_eq!(refused.code(), "not_at_edge");
    manager.refresh(pair.refresh.bearer.expose(), RefreshRequest::new()).await.unwrap();
    let subject = "bob".parse().unwrap();
    let index = relay.namespace().session_index_of(&subject, 0, manager.now());
    assert!(relay.load(index).await.unwrap().is_none());
}

#[tokio::test]
async fn a_use_is_consumed_once_for_each_operation() {
    let manager = manager();
    let relay = manager.relay();
    let issued = manager.issue(Grant::new(Kind::Access).uses(2)).await.unwrap();
    let one = operation(&manager);
    for _ in 0..2 {
        assert_eq!(relay.consume(one, issued.token.id).await.unwrap(), Consumed::Left(1));
    }
    let left = relay.consume(operation(&manager), issued.token.id).await.unwrap();
    assert_eq!(left, Consumed::Left(0));
}

#[tokio::test]
async fn an_edge_may_say_that_a_secret_was_used_and_nothing_else() {
    let manager = manager();
    let relay = manager.relay();
    let old = manager.issue(Grant::new(Kind::ApiKey).client("acme")).await.unwrap();
    manager.validate_active(&old.bearer).await.unwrap();
    let new = manager.rotate(old.token.id, RotateRequest::new()).await.unwrap();
    let id = new.token.id;
    let loaded = relay.load(id).await.unwrap().unwrap();
    let (read, body) = (loaded.version, loaded.body);

    let same = relay.write_first_use(operation(&manager), id, read, &body).await;
    assert_eq!(same.unwrap_err().code(), "invalid_value", "that is no use");
    let stale = relay.write_first_use(operation(&manager), id, RecordVersion(0), &body).await;
    assert_eq!(stale.unwrap(), Replaced::Stale);

    // What this very change looks like: the same store, with a first use.
    assert_eq!(manager.validate_active(&new.bearer).await.unwrap().secret, SecretUsed::Newest);
    let used = relay.load(id).await.unwrap().unwrap();
    assert_ne!(used.body, body);
    let again = relay.write_first_use(operation(&manager), id, used.version, &used.body).await;
    assert_eq!(again.unwrap_err().code(), "invalid_value", "it was used before");
}

#[tokio::test]
async fn uses_and_observations_are_checked_before_they_are_written() {
    let manager = manager();
    let relay = manager.relay();
    let issued = manager.issue(Grant::new(Kind::Session)).await.unwrap();
    let later = manager.now() + keyfob::Ttl::from_days(30);
    relay.touch(&[LastUse::new(issued.token.id, later)]).await.unwrap();
    let used = manager.get(issued.token.id).await.unwrap().last_used.unwrap();
    assert!(used <= manager.now(), "no use lies in the future");

    assert_eq!(relay.observe(vec![vec![1, 2, 3]]).await.unwrap_err().code(), "record_damaged");
    assert_eq!(relay.observe(vec![vec![1; 5_000]]).await.unwrap_err().code(), "too_large");
}
