//! The contract suite on a store that implements only what every store must: records, the index,
//! events, and a report. Counting, resealing and invalidations have their defaults.

use std::sync::Arc;

use async_trait::async_trait;
use keyfob::MemoryStore;
use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::store::*;
use keyfob_testkit::contract::{Setup, Time};

#[derive(Debug)]
struct MinimalStore(MemoryStore);

impl StoreWrapper for MinimalStore {
    fn inner(&self) -> &dyn Store {
        &self.0
    }
}

#[async_trait]
impl RecordStore for MinimalStore {
    forward_store! { namespace insert load replace consume touch revoke advance stamp time_of }
}

#[async_trait]
impl TermIndex for MinimalStore {
    forward_store! { query count }
}

#[async_trait]
impl EventLog for MinimalStore {
    forward_store! { observe entries latest }
}

#[async_trait]
impl Maintenance for MinimalStore {
    forward_store! { report }
}

impl Counting for MinimalStore {}
impl Resealing for MinimalStore {}
impl Documents for MinimalStore {}
impl Invalidations for MinimalStore {}

async fn minimal_store() -> Setup {
    let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().expect("the time parses"));
    let lanes = LaneCount::new(8).expect("a number of lanes");
    let memory = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).expect("randomness");
    Setup::new(Arc::new(MinimalStore(memory)), Time::Manual(clock))
        .without_counting()
        .without_invalidations()
        .without_resealing()
        .without_documents()
}

mod contract {
    keyfob_testkit::store_contract!(crate::minimal_store);
}

/// A skipped scenario checks nothing. So the setup may leave out only what the store does not have.
#[tokio::test]
async fn the_store_has_none_of_what_the_setup_leaves_out() {
    let store = minimal_store().await.store;
    assert_eq!(store.tallies().await.unwrap_err().code(), "unsupported");
    let raised = store.raise_min_key_version(KeyVersion::default()).await;
    assert_eq!(raised.unwrap_err().code(), "unsupported");
}
