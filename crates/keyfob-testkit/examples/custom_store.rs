//! A custom store: it wraps another store and records how long each store method takes.
//!
//! `tests/custom_store.rs` runs the contract suite on it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use keyfob::store::*;
use keyfob::{Grant, Kind, MemoryStore, TokenManager};

/// A store that records each call of a wrapped store.
#[derive(Debug)]
pub struct TimedStore {
    inner: MemoryStore,
    calls: Mutex<Vec<(StoreMethod, Duration)>>,
}

impl TimedStore {
    /// Wraps `inner`.
    pub fn new(inner: MemoryStore) -> Self {
        Self { inner, calls: Mutex::default() }
    }

    /// Returns the finished calls, oldest first, and removes them.
    pub fn take_calls(&self) -> Vec<(StoreMethod, Duration)> {
        std::mem::take(&mut *self.calls.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl StoreWrapper for TimedStore {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    /// Runs around every method that `forward_store!` generates.
    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        Box::pin(async move {
            let start = Instant::now();
            let result = call.await;
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            calls.push((method, start.elapsed()));
            result
        })
    }
}

// Each trait of the contract. A store of your own has method bodies here instead of
// `forward_store!`; it may also forward some methods and implement others.

#[async_trait]
impl RecordStore for TimedStore {
    forward_store! { namespace insert load replace consume touch revoke advance stamp time_of }
}

#[async_trait]
impl TermIndex for TimedStore {
    forward_store! { query heads count }
}

#[async_trait]
impl EventLog for TimedStore {
    forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for TimedStore {
    forward_store! { tallies }
}

#[async_trait]
impl Resealing for TimedStore {
    forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for TimedStore {
    forward_store! { read_document write_document list_documents }
}

#[async_trait]
impl Invalidations for TimedStore {
    forward_store! { watch }
}

#[async_trait]
impl Maintenance for TimedStore {
    forward_store! { report metrics close }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let store = Arc::new(TimedStore::new(MemoryStore::new()?));
    let manager = TokenManager::builder(Arc::clone(&store)).build();
    let issued = manager.issue(Grant::new(Kind::ApiKey).subject("alice")).await?;
    manager.validate_active(&issued.bearer).await?;
    manager.shutdown().await;
    let mut calls = store.take_calls();
    calls.sort_by_key(|(_, duration)| std::cmp::Reverse(*duration));
    let slowest = calls.first().ok_or("the store was not called")?;
    let report = format!("{} calls, the slowest: {slowest:?}\n", calls.len());
    std::io::Write::write_all(&mut std::io::stdout(), report.as_bytes())?;
    Ok(())
}
