//! A store wrapper for tests. It counts loads and writes, and on request it delays loads, refuses
//! writes, or loses acknowledged replacements.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keyfob::store::*;
use keyfob::{Store, TokenId};

/// A wrapper around a store that counts calls and injects faults.
#[derive(Debug)]
pub struct InstrumentedStore {
    inner: Arc<dyn Store>,
    loads: AtomicU64,
    writes: AtomicU64,
    /// The number of further writes to accept.
    writes_left: AtomicU64,
    /// The number of replacements to lose.
    lost: AtomicU64,
    /// The delays of the next loads, in order.
    delay: Mutex<Vec<Duration>>,
    /// The time that every load takes, in microseconds.
    load_time: AtomicU64,
    /// Whether listeners are notified of changes.
    notifies: bool,
    namespace: Namespace,
}

impl InstrumentedStore {
    /// Wraps `inner`. Listeners are notified of changes.
    pub fn new(inner: Arc<dyn Store>) -> Self {
        let [loads, writes, writes_left, lost] = [0, 0, u64::MAX, 0].map(AtomicU64::new);
        let (delay, load_time) = (Mutex::default(), AtomicU64::default());
        let namespace = inner.namespace().clone();
        let notifies = true;
        Self { inner, loads, writes, writes_left, lost, delay, load_time, notifies, namespace }
    }

    /// Has the namespace of a store that was created by an older version: its ids may have no code.
    pub fn with_namespace_of_older_version(self) -> Self {
        let key = NamespaceKey::from_bytes(*self.namespace.key().as_bytes());
        Self { namespace: Namespace::new(self.namespace.lanes(), key), ..self }
    }

    /// Makes every load take this long, as if the store were at the end of a network.
    pub fn load_takes(&self, time: Duration) {
        self.load_time.store(time.as_micros() as u64, Ordering::SeqCst);
    }

    /// Stops notifying listeners of changes.
    pub fn without_invalidations(self) -> Self {
        Self { notifies: false, ..self }
    }

    /// Returns the number of loads.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// Returns the number of accepted writes, without those that run in the background (such as
    /// touches).
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Accepts this number of further writes and fails all others, as if the node had stopped.
    pub fn stop_after(&self, writes: u64) {
        self.writes_left.store(writes, Ordering::SeqCst);
    }

    /// Acknowledges the next replacements without storing them, as a fail-over may.
    pub fn lose_replacements(&self, lost: u64) {
        self.lost.store(lost, Ordering::SeqCst);
    }

    fn write(&self) -> Result<(), StoreError> {
        let decrement = |left: u64| left.checked_sub(1);
        let left = self.writes_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, decrement);
        left.map_err(|_| StoreError::unavailable("the test stopped the store"))?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Delays the answers of the next loads; later loads are answered without delay. The record is
    /// read before the delay.
    pub fn answer_late(&self, delay: impl IntoIterator<Item = Duration>) {
        let mut waiting = self.delay.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(delay);
    }
}

impl StoreWrapper for InstrumentedStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        match method {
            StoreMethod::Insert
            | StoreMethod::Consume
            | StoreMethod::Revoke
            | StoreMethod::Advance => Box::pin(async move {
                self.write()?;
                call.await
            }),
            _ => call,
        }
    }
}

#[async_trait]
impl RecordStore for InstrumentedStore {
    keyfob::store::forward_store! { insert consume touch revoke advance stamp time_of }

    fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn is_namespace_certain(&self) -> bool {
        self.inner.is_namespace_certain()
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let load_time = self.load_time.load(Ordering::SeqCst);
        if load_time > 0 {
            tokio::time::sleep(Duration::from_micros(load_time)).await;
        }
        let delay = {
            let mut delay = self.delay.lock().unwrap_or_else(PoisonError::into_inner);
            (!delay.is_empty()).then(|| delay.remove(0))
        };
        let loaded = self.inner.load(id).await?;
        if let Some(delay) = delay {
            tokio::time::sleep(delay).await;
        }
        Ok(loaded)
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        self.write()?;
        let lost = |left: u64| left.checked_sub(1);
        if self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lost).is_ok() {
            return Ok(Replaced::Stored(RecordVersion(replace.read.0 + 1)));
        }
        self.inner.replace(operation, replace).await
    }
}

#[async_trait]
impl TermIndex for InstrumentedStore {
    keyfob::store::forward_store! { query heads count }
}

#[async_trait]
impl EventLog for InstrumentedStore {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for InstrumentedStore {
    keyfob::store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for InstrumentedStore {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for InstrumentedStore {
    keyfob::store::forward_store! { read_document write_document list_documents }
}

#[async_trait]
impl Invalidations for InstrumentedStore {
    fn watch(&self, listener: &Arc<InvalidationListener>) {
        if self.notifies {
            self.inner.watch(listener);
        }
    }
}

#[async_trait]
impl Maintenance for InstrumentedStore {
    keyfob::store::forward_store! { report rollback accept_rollback metrics close }
}
