//! Limits: limit stores and the manager that uses them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use keyfob::MemoryStore;
use keyfob::clock::ManualClock;
use keyfob::limit::{Charge, Charged, LimitStore};
use keyfob::random::OsRandom;
use keyfob::store::{LaneCount, StoreError};

mod admit;
mod leased;
mod local;
mod throttle;

/// Returns a token store with a manual clock.
pub(crate) fn memory(clock: &ManualClock) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with(LaneCount::ONE, Arc::new(clock.clone()), &OsRandom).unwrap())
}

/// A limit store that counts calls, and fails on request.
#[derive(Debug)]
pub(crate) struct CountedLimits {
    store: Arc<dyn LimitStore>,
    calls: AtomicU64,
    down: AtomicBool,
    silent: AtomicBool,
}

impl CountedLimits {
    pub(crate) fn over(store: impl LimitStore) -> Arc<Self> {
        let (calls, down, silent) = Default::default();
        Arc::new(Self { store: Arc::new(store), calls, down, silent })
    }

    pub(crate) fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    pub(crate) fn fail(&self, down: bool) {
        self.down.store(down, Ordering::Relaxed);
    }

    /// Never answers again.
    pub(crate) fn stop_answering(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl LimitStore for CountedLimits {
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        // Yields, like a remote store.
        tokio::task::yield_now().await;
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        match self.down.load(Ordering::Relaxed) {
            true => Err(StoreError::unavailable("the test lets the store fail")),
            false => self.store.charge(charges).await,
        }
    }
}
