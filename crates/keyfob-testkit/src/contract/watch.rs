//! Invalidation: a listener is notified of each change before the store method returns, and of
//! nothing else.

use std::sync::Arc;
use std::time::Duration;

use keyfob::store::{
    Advance, Consume, EpochScope, Invalidation, InvalidationListener, InvalidationSlot, Lane,
    LastUse, LoadVersion, MonotonicInstant, NewRecord, Replaced, Revoke, Revoked,
};
use keyfob::{TokenId, Ttl};

use super::fixture::Fixture;

/// The maximum time until a listener trusts a store, with a margin for slow machines.
const TRUST_TIMEOUT: Duration = Duration::from_secs(5);

/// The number of attempts to see an exact notification. A store may sometimes report more changes
/// than happened, but not always.
const ATTEMPTS: usize = 3;

/// A listener and the notifications since a point in time.
struct Notifications {
    listener: Arc<InvalidationListener>,
    before: LoadVersion,
}

impl Notifications {
    fn from_now(listener: &Arc<InvalidationListener>) -> Self {
        Self { listener: Arc::clone(listener), before: listener.load_version() }
    }

    fn has(&self, lane: Lane, change: Invalidation) -> bool {
        let slot = match change {
            Invalidation::Record(local) => Some(InvalidationSlot::of_record(local)),
            Invalidation::Field(field) => Some(InvalidationSlot::of_field(field)),
            Invalidation::All => None,
        };
        !self.listener.is_current(lane, self.before, slot)
    }

    fn has_record(&self, id: TokenId) -> bool {
        self.has(id.lane(), Invalidation::of(id))
    }

    fn is_empty(&self) -> bool {
        self.listener.load_version() == self.before
    }
}

/// A listener that stays trusted for the whole scenario; `None` if the store has no feed.
async fn listener(fixture: &Fixture) -> Option<Arc<InvalidationListener>> {
    let store = fixture.store();
    let listener = InvalidationListener::new(store.namespace().lanes(), Ttl::from_mins(5));
    store.watch(&listener);
    let begun = MonotonicInstant::now();
    let all = || fixture.lanes().into_iter().all(|lane| listener.is_trusted(lane));
    if !fixture.has_invalidations() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let any = fixture.lanes().into_iter().any(|lane| listener.is_trusted(lane));
        assert!(!any, "a store without a feed is never trusted");
        return None;
    }
    while !all() {
        assert!(MonotonicInstant::now() < begun.after(TRUST_TIMEOUT), "every lane is trusted soon");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Some(listener)
}

async fn new_token(fixture: &Fixture, lane: Lane) -> TokenId {
    let record = fixture.record(lane);
    let id = record.id;
    fixture.insert(record).await;
    id
}

async fn revoke(fixture: &Fixture, revoke: Revoke) {
    let revoked =
        fixture.store().revoke(fixture.operation(), revoke).await.expect("the store answers");
    assert!(matches!(revoked, Revoked::Now), "the record was not revoked before: {revoked:?}");
}

async fn advance(fixture: &Fixture, scope: EpochScope) {
    let advance = Advance::new(scope, fixture.now());
    fixture.store().advance(fixture.operation(), advance).await.expect("advance succeeds");
}

/// A listener trusts every lane soon after it was registered.
pub(super) async fn a_new_listener_is_trusted_soon(fixture: Fixture) {
    listener(&fixture).await;
}

/// A revocation notifies of the record and of its descendants, and of no other token.
pub(super) async fn a_revocation_notifies_before_it_returns(fixture: Fixture) {
    let Some(listener) = listener(&fixture).await else { return };
    let mut exact = false;
    for attempt in 0..ATTEMPTS {
        let (id, other) = (
            new_token(&fixture, fixture.lane(0)).await,
            new_token(&fixture, fixture.lane(0)).await,
        );
        let cascade = (attempt % 2 == 0).then(|| fixture.ancestor_epoch(id));
        let notified = Notifications::from_now(&listener);
        revoke(&fixture, Revoke { cascade, ..fixture.revocation(id) }).await;
        assert!(notified.has_record(id), "the listener is notified of the record");
        if let Some(cascade) = cascade {
            assert!(
                notified.has(id.lane(), Invalidation::Field(cascade)),
                "the listener is notified of the descendants"
            );
        }
        exact |= !notified.has_record(other) && !notified.has(fixture.lane(0), Invalidation::All);
    }
    assert!(exact, "a token that is not revoked is never reported as unchanged");
}

/// A replacement notifies of its record only.
pub(super) async fn a_replacement_notifies_before_it_returns(fixture: Fixture) {
    let Some(listener) = listener(&fixture).await else { return };
    let mut exact = false;
    for _ in 0..ATTEMPTS {
        let (id, other) = (
            new_token(&fixture, fixture.lane(0)).await,
            new_token(&fixture, fixture.lane(0)).await,
        );
        let version = fixture.loaded(id).await.version;
        let notified = Notifications::from_now(&listener);
        let replacement = fixture.replacement(id, version, b"new");
        let replaced = fixture.store().replace(fixture.operation(), replacement).await;
        assert!(matches!(replaced, Ok(Replaced::Stored(_))), "{replaced:?}");
        assert!(notified.has_record(id), "the listener is notified of the record");
        exact |= !notified.has_record(other) && !notified.has(fixture.lane(0), Invalidation::All);
    }
    assert!(exact, "a token that is not replaced is never reported as unchanged");
}

/// An advance notifies of its epoch in each advanced lane, and of no other epoch.
pub(super) async fn an_advance_notifies_before_it_returns(fixture: Fixture) {
    let Some(listener) = listener(&fixture).await else { return };
    let (own, other) = (fixture.subject_epoch("one"), fixture.subject_epoch("other"));
    let client = fixture.client_epoch("app");
    let (mut exact, lane) = (false, fixture.lane(1));
    for _ in 0..ATTEMPTS {
        let notified = Notifications::from_now(&listener);
        advance(&fixture, EpochScope::Lane(lane, own)).await;
        assert!(
            notified.has(lane, Invalidation::Field(own)),
            "the listener is notified of the epoch"
        );
        exact |= !notified.has(lane, Invalidation::Field(other))
            && !notified.has(lane, Invalidation::All);
        let notified = Notifications::from_now(&listener);
        advance(&fixture, EpochScope::EveryLane(client)).await;
        for lane in fixture.lanes() {
            assert!(
                notified.has(lane, Invalidation::Field(client)),
                "the listener is notified of the epoch in {lane:?}"
            );
        }
    }
    assert!(exact, "another epoch is never reported as unchanged");
    let notified = Notifications::from_now(&listener);
    advance(&fixture, EpochScope::All).await;
    for lane in fixture.lanes() {
        assert!(
            notified.has(lane, Invalidation::All),
            "the listener is notified of all records in {lane:?}"
        );
    }
}

/// Inserts, uses, loads and observations do not notify.
pub(super) async fn other_writes_do_not_notify(fixture: Fixture) {
    let Some(listener) = listener(&fixture).await else { return };
    let (store, lane) = (fixture.store(), fixture.lane(0));
    let mut silent = false;
    for _ in 0..ATTEMPTS {
        // Notifications of the new lanes may still arrive.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let notified = Notifications::from_now(&listener);
        let id = new_token(&fixture, lane).await;
        let counted = NewRecord { uses_left: Some(2), ..fixture.record(lane) };
        let spent = Consume { id: counted.id };
        fixture.insert(counted).await;
        store.consume(fixture.operation(), spent).await.expect("consume succeeds");
        let at = fixture.now();
        store.touch(&[LastUse::new(id, at)]).await.expect("touch succeeds");
        store.observe(lane, vec![b"seen".to_vec()]).await.expect("observe succeeds");
        fixture.loaded(id).await;
        fixture.stamp(lane).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        silent |= notified.is_empty();
    }
    assert!(silent, "a write without a change notifies every time");
}

/// Both of two listeners are notified. One stays registered when the other is dropped.
pub(super) async fn each_listener_is_notified(fixture: Fixture) {
    let (Some(one), Some(two)) = (listener(&fixture).await, listener(&fixture).await) else {
        return;
    };
    let id = new_token(&fixture, fixture.lane(0)).await;
    let notified = [Notifications::from_now(&one), Notifications::from_now(&two)];
    revoke(&fixture, fixture.revocation(id)).await;
    assert!(notified.iter().all(|notified| notified.has_record(id)), "both listeners are notified");
    drop((notified, one));
    let id = new_token(&fixture, fixture.lane(1)).await;
    let notified = Notifications::from_now(&two);
    assert!(!notified.has_record(id), "the remaining listener has not been notified yet");
    revoke(&fixture, fixture.revocation(id)).await;
    assert!(notified.has_record(id), "the remaining listener is notified");
}

/// The store does not keep a listener alive.
pub(super) async fn a_dropped_listener_is_released(fixture: Fixture) {
    let store = fixture.store();
    let listener = InvalidationListener::new(store.namespace().lanes(), Ttl::from_secs(1));
    store.watch(&listener);
    let id = new_token(&fixture, fixture.lane(0)).await;
    let left = Arc::downgrade(&listener);
    drop(listener);
    revoke(&fixture, fixture.revocation(id)).await;
    let begun = MonotonicInstant::now();
    while left.strong_count() > 0 {
        assert!(
            MonotonicInstant::now() < begun.after(TRUST_TIMEOUT),
            "the store must release the listener"
        );
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
