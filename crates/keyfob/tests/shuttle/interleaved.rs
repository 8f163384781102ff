//! A store in memory that lets whoever is ready go first, before each of its verbs.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keyfob::store::*;
use keyfob::{
    KeyNumber, Lane, LaneCount, ManualClock, MemoryStore, Namespace, SeededRandom, Store, Term,
    Timestamp, TokenId,
};

#[derive(Debug)]
pub(crate) struct Interleaved {
    inner: MemoryStore,
    is_on: AtomicBool,
}

impl Interleaved {
    pub(crate) fn new(clock: ManualClock) -> Self {
        let random = SeededRandom::new(3);
        let inner = MemoryStore::with(LaneCount::ONE, Arc::new(clock), &random).unwrap();
        Self { inner, is_on: AtomicBool::new(false) }
    }

    /// Whether others are let go first.
    pub(crate) fn interleave(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    async fn let_others_go(&self) {
        if self.is_on.load(Ordering::Relaxed) {
            shuttle::future::yield_now().await;
        }
    }
}

#[async_trait]
impl Store for Interleaved {
    fn namespace(&self) -> &Namespace {
        self.inner.namespace()
    }

    async fn insert(&self, operation: Operation, insert: Insert) -> Result<Inserted, StoreError> {
        self.let_others_go().await;
        self.inner.insert(operation, insert).await
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        self.let_others_go().await;
        self.inner.load(id).await
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        self.let_others_go().await;
        self.inner.replace(operation, replace).await
    }

    async fn reseal(&self, operation: Operation, reseal: Reseal) -> Result<Resealed, StoreError> {
        self.let_others_go().await;
        self.inner.reseal(operation, reseal).await
    }

    async fn key_floor(&self) -> Result<KeyNumber, StoreError> {
        self.inner.key_floor().await
    }

    async fn raise_key_floor(&self, floor: KeyNumber) -> Result<(), StoreError> {
        self.inner.raise_key_floor(floor).await
    }

    async fn spend(&self, operation: Operation, spend: Spend) -> Result<Spent, StoreError> {
        self.let_others_go().await;
        self.inner.spend(operation, spend).await
    }

    async fn touch(&self, uses: &[LastUse]) -> Result<(), StoreError> {
        self.let_others_go().await;
        self.inner.touch(uses).await
    }

    async fn revoke(&self, operation: Operation, revoke: Revoke) -> Result<Revoked, StoreError> {
        self.let_others_go().await;
        self.inner.revoke(operation, revoke).await
    }

    async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        self.let_others_go().await;
        self.inner.advance(operation, advance).await
    }

    async fn stamp(&self, lane: Lane) -> Result<Stamp, StoreError> {
        self.let_others_go().await;
        self.inner.stamp(lane).await
    }

    async fn time_of(&self, lane: Lane, at: Timestamp) -> Result<Timestamp, StoreError> {
        self.inner.time_of(lane, at).await
    }

    async fn query(&self, query: &Query) -> Result<RecordPage, StoreError> {
        self.let_others_go().await;
        self.inner.query(query).await
    }

    async fn count(&self, term: Term, lane: Option<Lane>) -> Result<u64, StoreError> {
        self.let_others_go().await;
        self.inner.count(term, lane).await
    }

    async fn observe(&self, lane: Lane, entries: Vec<Vec<u8>>) -> Result<(), StoreError> {
        self.inner.observe(lane, entries).await
    }

    async fn entries(
        &self,
        feed: Feed,
        after: &Cursor,
        limit: usize,
    ) -> Result<EntryPage, StoreError> {
        self.inner.entries(feed, after, limit).await
    }

    async fn latest(&self, feed: Feed) -> Result<Cursor, StoreError> {
        self.inner.latest(feed).await
    }

    async fn tallies(&self) -> Result<Vec<Tally>, StoreError> {
        self.let_others_go().await;
        self.inner.tallies().await
    }

    fn watch(&self, watcher: &Arc<Watcher>) {
        self.inner.watch(watcher);
    }

    async fn report(&self) -> Result<StoreReport, StoreError> {
        self.inner.report().await
    }

    async fn close(&self) {
        self.inner.close().await;
    }
}
