//! Runs the store contract on a sealed store: sealing is invisible to callers.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::seal::{KeyRing, NewKey, SealedStore};
use keyfob::store::LaneCount;
use keyfob::{MemoryStore, Timestamp};
use keyfob_testkit::contract::{Setup, Time};

/// Returns a ring with the maximum number of keys, so that each query reads three blinded forms of
/// its term.
fn ring() -> KeyRing {
    let random = SeededRandom::new(7);
    let mut ring = KeyRing::generate(Timestamp::default(), &random).unwrap().allowing_plaintext();
    let second = ring.add(NewKey::SealingAndTerms, Timestamp::default(), &random).unwrap();
    ring.activate(second).unwrap();
    ring
}

pub(crate) async fn sealed_memory() -> Setup {
    let clock = ManualClock::new("2026-11-24T08:30:00Z".parse().unwrap());
    let lanes = LaneCount::new(8).unwrap();
    let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &SeededRandom::new(1)).unwrap();
    let store = SealedStore::new(Arc::new(store), &ring());
    Setup::new(Arc::new(store), Time::Manual(clock))
}

keyfob_testkit::store_contract!(sealed_memory);

#[test]
fn the_model_agrees() {
    keyfob_testkit::model_test::store_matches_model(sealed_memory);
}
