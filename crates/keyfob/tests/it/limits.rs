//! Limits: stores of what is owed, and the manager over them.

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

/// A store of tokens whose time is moved by hand.
pub(crate) fn memory(clock: &ManualClock) -> Arc<MemoryStore> {
    Arc::new(MemoryStore::with(LaneCount::ONE, Arc::new(clock.clone()), &OsRandom).unwrap())
}

/// A store of limits that counts how often it is asked, and fails when it is told to.
#[derive(Debug)]
pub(crate) struct Watched {
    store: Arc<dyn LimitStore>,
    calls: AtomicU64,
    down: AtomicBool,
    silent: AtomicBool,
}

impl Watched {
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
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

#[async_trait::async_trait]
impl LimitStore for Watched {
    async fn charge(&self, charges: &[Charge]) -> Result<Charged, StoreError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        // As if it were somewhere else.
        tokio::task::yield_now().await;
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
        match self.down.load(Ordering::Relaxed) {
            true => Err(StoreError::unavailable("it was told to fail")),
            false => self.store.charge(charges).await,
        }
    }
}
