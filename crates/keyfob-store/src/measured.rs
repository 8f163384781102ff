//! A store around another store, that counts and times its calls.

use crate::{
    Counting, Documents, EventLog, Invalidations, Maintenance, RecordStore, Resealing, TermIndex,
};
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Call, MonotonicInstant, Store, StoreMethod, StoreWrapper};
use keyfob_metrics::{Metrics, StoreOutcome};

/// Counts and times the calls of a store. A manager puts its own store into one.
#[derive(Debug)]
pub struct MeasuredStore {
    inner: Arc<dyn Store>,
    metrics: Metrics,
}

impl MeasuredStore {
    /// Creates a store that measures `inner`.
    pub fn new(inner: Arc<dyn Store>, metrics: Metrics) -> Self {
        Self { inner, metrics }
    }
}

impl StoreWrapper for MeasuredStore {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn around<'a, T: Send + 'a>(&'a self, method: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        Box::pin(async move {
            let begun = MonotonicInstant::now();
            let outcome = call.await;
            let took = MonotonicInstant::now().as_nanos().saturating_sub(begun.as_nanos());
            let handles = &self.metrics.handles;
            handles.store_call_seconds.of(method).record(took as f64 / 1e9);
            let outcome_label =
                outcome.as_ref().map_or_else(StoreOutcome::from, |_| StoreOutcome::Ok);
            handles.store_calls.of(method).of(outcome_label).increment(1);
            outcome
        })
    }
}

#[async_trait]
impl RecordStore for MeasuredStore {
    crate::forward_store! { namespace insert load replace consume touch revoke advance stamp time_of }
}

#[async_trait]
impl TermIndex for MeasuredStore {
    crate::forward_store! { query heads count }
}

#[async_trait]
impl EventLog for MeasuredStore {
    crate::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for MeasuredStore {
    crate::forward_store! { tallies }
}

#[async_trait]
impl Resealing for MeasuredStore {
    crate::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for MeasuredStore {
    crate::forward_store! { read_document write_document list_documents }
}

#[async_trait]
impl Invalidations for MeasuredStore {
    crate::forward_store! { watch }
}

#[async_trait]
impl Maintenance for MeasuredStore {
    crate::forward_store! { report rollback accept_rollback metrics close }
}
