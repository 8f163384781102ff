//! The contract suite on the store of `examples/custom_store.rs`.

#[allow(dead_code, unreachable_pub, reason = "the tests call no main function")]
#[path = "../examples/custom_store.rs"]
mod custom_store;

use std::sync::Arc;

use custom_store::TimedStore;
use keyfob::MemoryStore;
use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::store::LaneCount;
use keyfob_testkit::contract::{Setup, Time};

async fn timed_store() -> Setup {
    let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().expect("the time parses"));
    let lanes = LaneCount::new(8).expect("a number of lanes");
    let memory = MemoryStore::with(lanes, Arc::new(clock.clone()), &OsRandom).expect("randomness");
    Setup::new(Arc::new(TimedStore::new(memory)), Time::Manual(clock))
}

mod contract {
    keyfob_testkit::store_contract!(crate::timed_store);
    mod keys {
        keyfob_testkit::key_contract!(crate::timed_store);
    }
}
