//! Runs the store contract on a store with metrics.

use std::sync::Arc;

use keyfob::Metrics;
use keyfob::store::MeasuredStore;
use keyfob_testkit::contract::Setup;
use keyfob_testkit::recorder::MemoryRecorder;

async fn measured() -> Setup {
    let Setup { store, time, .. } = crate::contract_memory::memory().await;
    let store = MeasuredStore::new(store, Metrics::on(&MemoryRecorder::default()));
    Setup::new(Arc::new(store), time)
}

keyfob_testkit::store_contract!(measured);
