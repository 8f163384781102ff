//! A memory store that yields to other tasks before each store method.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob::store::*;
use keyfob::{MemoryStore, Store};

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

    /// Sets whether each store method yields to other tasks.
    pub(crate) fn interleave(&self, is_on: bool) {
        self.is_on.store(is_on, Ordering::Relaxed);
    }

    async fn yield_to_others(&self) {
        if self.is_on.load(Ordering::Relaxed) {
            shuttle::future::yield_now().await;
        }
    }
}

impl StoreWrapper for Interleaved {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }

    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        // Methods that do not influence a decision do not yield.
        let is_aside = matches!(
            method,
            StoreMethod::Observe
                | StoreMethod::Entries
                | StoreMethod::Latest
                | StoreMethod::Report
                | StoreMethod::TimeOf
        );
        if is_aside {
            return call;
        }
        Box::pin(async move {
            self.yield_to_others().await;
            call.await
        })
    }
}

#[async_trait]
impl RecordStore for Interleaved {
    keyfob::store::forward_store! { namespace insert load replace consume touch revoke advance stamp time_of }
}

#[async_trait]
impl TermIndex for Interleaved {
    keyfob::store::forward_store! { query heads count }
}

#[async_trait]
impl EventLog for Interleaved {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for Interleaved {
    keyfob::store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for Interleaved {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for Interleaved {
    keyfob::store::forward_store! { read_document write_document list_documents }
}

#[async_trait]
impl Invalidations for Interleaved {
    keyfob::store::forward_store! { watch }
}

#[async_trait]
impl Maintenance for Interleaved {
    keyfob::store::forward_store! { report close }
}
