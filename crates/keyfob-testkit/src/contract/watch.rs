//! Watch: whoever keeps what was loaded is told what ended it, before the verb that ended it
//! returns, and of nothing else.

use std::sync::Arc;
use std::time::Duration;

use keyfob::store::{
    Advance, Consume, EpochScope, Invalidation, InvalidationListener, InvalidationSlot, Lane,
    LastUse, LoadVersion, MonotonicInstant, NewRecord, Replaced, Revoke, Revoked,
};
use keyfob::{TokenId, Ttl};

use super::fixture::Fixture;

/// How long it may take until a watcher trusts a store: a second, and what a slow machine takes.
const PATIENCE: Duration = Duration::from_secs(5);

/// How often it is looked at that nothing more was told than had to be. A store may say that
/// anything may have changed at any time, though not at every time.
const LOOKS: usize = 3;

/// A watcher, and what it is told from a moment on.
struct Told {
    watcher: Arc<InvalidationListener>,
    before: LoadVersion,
}

impl Told {
    fn from_now(watcher: &Arc<InvalidationListener>) -> Self {
        Self { watcher: Arc::clone(watcher), before: watcher.load_version() }
    }

    fn of(&self, lane: Lane, change: Invalidation) -> bool {
        let cell = match change {
            Invalidation::Record(local) => Some(InvalidationSlot::of_record(local)),
            Invalidation::Field(field) => Some(InvalidationSlot::of_field(field)),
            Invalidation::All => None,
        };
        !self.watcher.is_current(lane, self.before, cell)
    }

    fn of_record(&self, id: TokenId) -> bool {
        self.of(id.lane(), Invalidation::of(id))
    }

    fn nothing(&self) -> bool {
        self.watcher.load_version() == self.before
    }
}

/// A watcher whose trust lasts for as long as any scenario; nothing where the store has no feed.
async fn watcher(fixture: &Fixture) -> Option<Arc<InvalidationListener>> {
    let store = fixture.store();
    let watcher = InvalidationListener::new(store.namespace().lanes(), Ttl::from_mins(5));
    store.watch(&watcher);
    let begun = MonotonicInstant::now();
    let all = || fixture.lanes().into_iter().all(|lane| watcher.is_trusted(lane));
    if !fixture.has_invalidations() {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let any = fixture.lanes().into_iter().any(|lane| watcher.is_trusted(lane));
        assert!(!any, "a store without a feed is never trusted");
        return None;
    }
    while !all() {
        assert!(MonotonicInstant::now() < begun.after(PATIENCE), "every lane is trusted soon");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    Some(watcher)
}

async fn new_token(fixture: &Fixture, lane: Lane) -> TokenId {
    let record = fixture.record(lane);
    let id = record.id;
    fixture.insert(record).await;
    id
}

async fn revoke(fixture: &Fixture, revoke: Revoke) {
    let revoked = fixture.store().revoke(fixture.operation(), revoke).await.expect("an answer");
    assert!(matches!(revoked, Revoked::Now), "it was not revoked before: {revoked:?}");
}

async fn advance(fixture: &Fixture, scope: EpochScope) {
    let advance = Advance::new(scope, fixture.now());
    fixture.store().advance(fixture.operation(), advance).await.expect("an advance is answered");
}

/// A watcher trusts every lane soon after it was registered.
pub(super) async fn a_new_listener_is_trusted_soon(fixture: Fixture) {
    watcher(&fixture).await;
}

/// A revocation is told with what it cascades to, and of no other token.
pub(super) async fn a_revocation_notifies_before_it_returns(fixture: Fixture) {
    let Some(watcher) = watcher(&fixture).await else { return };
    let mut exact = false;
    for look in 0..LOOKS {
        let (id, other) = (
            new_token(&fixture, fixture.lane(0)).await,
            new_token(&fixture, fixture.lane(0)).await,
        );
        let cascade = (look % 2 == 0).then(|| fixture.ancestor_epoch(id));
        let told = Told::from_now(&watcher);
        revoke(&fixture, Revoke { cascade, ..fixture.revocation(id) }).await;
        assert!(told.of_record(id), "its record has changed");
        if let Some(cascade) = cascade {
            assert!(told.of(id.lane(), Invalidation::Field(cascade)), "and what descends from it");
        }
        exact |= !told.of_record(other) && !told.of(fixture.lane(0), Invalidation::All);
    }
    assert!(exact, "a token that is not revoked is never kept");
}

/// A replacement is told, and of no other token.
pub(super) async fn a_replacement_notifies_before_it_returns(fixture: Fixture) {
    let Some(watcher) = watcher(&fixture).await else { return };
    let mut exact = false;
    for _ in 0..LOOKS {
        let (id, other) = (
            new_token(&fixture, fixture.lane(0)).await,
            new_token(&fixture, fixture.lane(0)).await,
        );
        let version = fixture.loaded(id).await.version;
        let told = Told::from_now(&watcher);
        let replacement = fixture.replacement(id, version, b"new");
        let replaced = fixture.store().replace(fixture.operation(), replacement).await;
        assert!(matches!(replaced, Ok(Replaced::Stored(_))), "{replaced:?}");
        assert!(told.of_record(id), "its record has changed");
        exact |= !told.of_record(other) && !told.of(fixture.lane(0), Invalidation::All);
    }
    assert!(exact, "a token that is not replaced is never kept");
}

/// An epoch is told in each lane that it is advanced in, and no other epoch is.
pub(super) async fn an_advance_notifies_before_it_returns(fixture: Fixture) {
    let Some(watcher) = watcher(&fixture).await else { return };
    let (own, other) = (fixture.subject_epoch("one"), fixture.subject_epoch("other"));
    let client = fixture.client_epoch("app");
    let (mut exact, lane) = (false, fixture.lane(1));
    for _ in 0..LOOKS {
        let told = Told::from_now(&watcher);
        advance(&fixture, EpochScope::Lane(lane, own)).await;
        assert!(told.of(lane, Invalidation::Field(own)), "it was advanced");
        exact |= !told.of(lane, Invalidation::Field(other)) && !told.of(lane, Invalidation::All);
        let told = Told::from_now(&watcher);
        advance(&fixture, EpochScope::EveryLane(client)).await;
        for lane in fixture.lanes() {
            assert!(told.of(lane, Invalidation::Field(client)), "it was advanced in {lane:?}");
        }
    }
    assert!(exact, "what another epoch covers is never kept");
    let told = Told::from_now(&watcher);
    advance(&fixture, EpochScope::All).await;
    for lane in fixture.lanes() {
        assert!(told.of(lane, Invalidation::All), "everything ended in {lane:?}");
    }
}

/// What is inserted, used, looked at or observed ends nothing, and is not told.
pub(super) async fn other_writes_do_not_notify(fixture: Fixture) {
    let Some(watcher) = watcher(&fixture).await else { return };
    let (store, lane) = (fixture.store(), fixture.lane(0));
    let mut silent = false;
    for _ in 0..LOOKS {
        // What was pushed when the lanes were new may still be on its way.
        tokio::time::sleep(Duration::from_millis(50)).await;
        let told = Told::from_now(&watcher);
        let id = new_token(&fixture, lane).await;
        let counted = NewRecord { uses_left: Some(2), ..fixture.record(lane) };
        let spent = Consume { id: counted.id };
        fixture.insert(counted).await;
        store.consume(fixture.operation(), spent).await.expect("a use is answered");
        let at = fixture.now();
        store.touch(&[LastUse::new(id, at)]).await.expect("a touch is answered");
        store.observe(lane, vec![b"seen".to_vec()]).await.expect("an entry is taken");
        fixture.loaded(id).await;
        fixture.stamp(lane).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        silent |= told.nothing();
    }
    assert!(silent, "something that ends nothing is told every time");
}

/// Each of two watchers is told, and one goes on when the other is gone.
pub(super) async fn each_listener_is_notified(fixture: Fixture) {
    let (Some(one), Some(two)) = (watcher(&fixture).await, watcher(&fixture).await) else { return };
    let id = new_token(&fixture, fixture.lane(0)).await;
    let told = [Told::from_now(&one), Told::from_now(&two)];
    revoke(&fixture, fixture.revocation(id)).await;
    assert!(told.iter().all(|told| told.of_record(id)), "both are told");
    drop((told, one));
    let id = new_token(&fixture, fixture.lane(1)).await;
    let told = Told::from_now(&two);
    assert!(!told.of_record(id), "and trusts as before");
    revoke(&fixture, fixture.revocation(id)).await;
    assert!(told.of_record(id), "the one that is left is told");
}

/// The store does not keep a watcher alive.
pub(super) async fn a_dropped_listener_is_released(fixture: Fixture) {
    let store = fixture.store();
    let watcher = InvalidationListener::new(store.namespace().lanes(), Ttl::from_secs(1));
    store.watch(&watcher);
    let id = new_token(&fixture, fixture.lane(0)).await;
    let left = Arc::downgrade(&watcher);
    drop(watcher);
    revoke(&fixture, fixture.revocation(id)).await;
    let begun = MonotonicInstant::now();
    while left.strong_count() > 0 {
        assert!(MonotonicInstant::now() < begun.after(PATIENCE), "the store keeps the watcher");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}
