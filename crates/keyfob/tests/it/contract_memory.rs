//! The store in memory, held to the contract of every store.

use std::sync::Arc;

use keyfob::{LaneCount, ManualClock, MemoryStore, SeededRandom};
use keyfob_testkit::contract::{Setup, Time};

pub(crate) async fn memory() -> Setup {
    let clock = ManualClock::at("2026-11-24T08:30:00Z".parse().expect("a time"));
    let lanes = LaneCount::new(8).expect("a lane count");
    let random = SeededRandom::new(1);
    let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &random).expect("a store");
    Setup::new(Arc::new(store), Time::Manual(clock))
}

keyfob_testkit::store_contract!(memory);
