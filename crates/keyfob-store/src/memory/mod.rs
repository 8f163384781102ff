//! The store in memory: the plainest form of the contract, for tests and for single processes that may
//! forget everything when they stop.
//!
//! One lock guards all data. Every method does its work while it holds the lock, so that it is atomic,
//! and never waits while it holds the lock.

mod counts;
mod event_log;
mod index;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;

use crate::*;
use keyfob_core::KeyVersion;
use keyfob_core::clock::{Clock, SystemClock};
use keyfob_core::id::{Lane, LaneCount, TokenId};
use keyfob_core::namespace::{Namespace, NamespaceKey, Term};
use keyfob_core::random::{OsRandom, Random, RandomUnavailable};
use keyfob_core::time::Timestamp;

use state::State;

/// A store that exists as long as its process.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use keyfob::{Grant, Kind, MemoryStore, TokenManager};
///
/// let manager = TokenManager::new(MemoryStore::new()?);
/// let issued = manager.issue(Grant::new(Kind::Session).subject("user123")).await?;
/// assert!(manager.validate_active(issued.bearer.expose()).await.is_ok());
/// # Ok(())
/// # }
/// ```
pub struct MemoryStore {
    namespace: Namespace,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    watchers: InvalidationListeners,
}

impl std::fmt::Debug for MemoryStore {
    /// Shows none of the content, which may be large and is confidential.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").field("namespace", &self.namespace).finish_non_exhaustive()
    }
}

impl MemoryStore {
    /// Creates an empty store with one lane, on the system's clock.
    ///
    /// # Errors
    /// When there is no randomness to draw the namespace key from.
    pub fn new() -> Result<Self, RandomUnavailable> {
        Self::with(LaneCount::ONE, Arc::new(SystemClock), &OsRandom)
    }

    /// Creates an empty store with these lanes, this clock, and a namespace key drawn from `random`.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn with(
        lanes: LaneCount,
        clock: Arc<dyn Clock>,
        random: &dyn Random,
    ) -> Result<Self, RandomUnavailable> {
        let namespace = Namespace::new(lanes, NamespaceKey::draw(random)?).require_id_macs();
        let state = Mutex::new(State::new(lanes, clock.now()));
        Ok(Self { namespace, clock, state, watchers: InvalidationListeners::default() })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No method panics in the middle of a change, so the data is consistent.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl RecordStore for MemoryStore {
    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError> {
        self.state().insert(operation, insert, self.clock.now())
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        Ok(self.state().load(id, self.clock.now()))
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        let changes = replace.changes();
        let outcome = self.state().replace(operation, replace, self.clock.now());
        self.watchers.notify(changes);
        outcome
    }

    async fn consume(
        &self,
        operation: Operation,
        consume: Consume,
    ) -> Result<Consumed, StoreError> {
        self.state().consume(operation, consume.id, self.clock.now())
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.state().touch(uses, self.clock.now());
        Ok(())
    }

    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError> {
        let changes = revoke.changes();
        let outcome = self.state().revoke(operation, revoke, self.clock.now());
        self.watchers.notify(changes);
        outcome
    }

    async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        let changes = advance.changes(self.namespace.lanes());
        let outcome = self.state().advance(operation, advance, self.clock.now());
        self.watchers.notify(changes);
        outcome
    }

    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        Ok(self.state().stamp(lane))
    }

    async fn time_of(&self, _: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        Ok(at)
    }
}

#[async_trait]
impl TermIndex for MemoryStore {
    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        Ok(self.state().query(query, self.clock.now()))
    }

    async fn heads(&self, query: &Query) -> Result<RecordPage<RecordHead>, StoreError> {
        Ok(self.state().heads(query, self.clock.now()))
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        Ok(self.state().count(term, lane))
    }
}

#[async_trait]
impl EventLog for MemoryStore {
    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.state().observe(lane, entries, self.clock.now());
        Ok(())
    }

    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        Ok(self.state().entries(feed, after, limit))
    }

    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        Ok(self.state().latest(feed))
    }
}

#[async_trait]
impl Counting for MemoryStore {
    async fn tallies(&self) -> Result<Tallies, StoreError> {
        Ok(self.state().tallies().into())
    }
}

#[async_trait]
impl Resealing for MemoryStore {
    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        self.state().reseal(operation, reseal, self.clock.now())
    }

    async fn min_key_version(&self) -> Result<KeyVersion, StoreError> {
        Ok(self.state().min_key_version)
    }

    async fn raise_min_key_version(&self, floor: KeyVersion) -> Result<(), StoreError> {
        let mut state = self.state();
        state.min_key_version = state.min_key_version.max(floor);
        Ok(())
    }
}

#[async_trait]
impl Documents for MemoryStore {
    async fn read_document(&self, name: &DocumentName) -> Result<Option<Document>, StoreError> {
        Ok(self.state().read_document(name))
    }

    async fn write_document(
        &self,
        operation: Operation,
        write: WriteDocument,
    ) -> Result<DocumentWritten, StoreError> {
        self.state().write_document(operation, write, self.clock.now())
    }

    async fn list_documents(&self, list: &ListDocuments) -> Result<Vec<Document>, StoreError> {
        Ok(self.state().list_documents(list))
    }
}

#[async_trait]
impl Invalidations for MemoryStore {
    fn watch(&self, watcher: &Arc<InvalidationListener>) {
        self.watchers.add_trusted(watcher, self.namespace.lanes());
    }
}

#[async_trait]
impl Maintenance for MemoryStore {
    async fn report(&self) -> Result<StoreReport, StoreError> {
        let mut report = StoreReport::new("memory", self.clock.now());
        let advice =
            "all data is lost when this process stops: use a file or a Redis server to keep it";
        report.find(Severity::Warning, "durability", advice);
        Ok(report)
    }

    async fn close(&self) {}
}
