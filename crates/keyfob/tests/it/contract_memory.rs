//! Runs the store contract on the memory store.

use std::sync::Arc;

use keyfob::MemoryStore;
use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob_testkit::contract::{Setup, Time};

pub(crate) async fn memory() -> Setup {
    with(LaneCount::new(8).expect("8 is a valid lane count"))
}

pub(crate) async fn memory_of_one_lane() -> Setup {
    with(LaneCount::ONE)
}

fn with(lanes: LaneCount) -> Setup {
    let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().expect("the time parses"));
    let random = SeededRandom::new(1);
    let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &random)
        .expect("the memory store can be created");
    Setup::new(Arc::new(store), Time::Manual(clock))
}

keyfob_testkit::store_contract!(memory);

mod keyed {
    keyfob_testkit::key_contract!(super::memory);
}

mod of_one_lane {
    keyfob_testkit::store_contract!(super::memory_of_one_lane);
}
