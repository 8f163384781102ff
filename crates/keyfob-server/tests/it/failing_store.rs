//! A store that can be taken away.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use async_trait::async_trait;
use keyfob::store::*;
use keyfob::{MemoryStore, Store};

/// A store in memory that fails while it is down, and counts its reports.
#[derive(Debug)]
pub(crate) struct FailingStore {
    inner: MemoryStore,
    is_down: AtomicBool,
    reports: AtomicU64,
}

impl FailingStore {
    pub(crate) fn new() -> Self {
        Self {
            inner: MemoryStore::new().unwrap(),
            is_down: AtomicBool::new(false),
            reports: AtomicU64::new(0),
        }
    }

    pub(crate) fn reports(&self) -> u64 {
        self.reports.load(Ordering::SeqCst)
    }

    pub(crate) fn set_down(&self, is_down: bool) {
        self.is_down.store(is_down, Ordering::SeqCst);
    }
}

impl StoreWrapper for FailingStore {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        if method == StoreMethod::Report {
            self.reports.fetch_add(1, Ordering::SeqCst);
        }
        if self.is_down.load(Ordering::SeqCst) {
            let refused = StoreError::unavailable("connection refused by 10.9.8.7");
            return Box::pin(std::future::ready(Err(refused)));
        }
        call
    }
}

#[async_trait]
impl RecordStore for FailingStore {
    keyfob::store::forward_store! {
        namespace load insert replace consume touch revoke advance stamp time_of
    }
}

#[async_trait]
impl TermIndex for FailingStore {
    keyfob::store::forward_store! { query heads count }
}

#[async_trait]
impl EventLog for FailingStore {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for FailingStore {
    keyfob::store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for FailingStore {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for FailingStore {
    keyfob::store::forward_store! { read_document write_document list_documents }
}

#[async_trait]
impl Invalidations for FailingStore {
    keyfob::store::forward_store! { watch }
}

#[async_trait]
impl Maintenance for FailingStore {
    keyfob::store::forward_store! { report metrics close }
}
