//! The manager of these tests: a memory store, a manual clock and seeded randomness.

use std::sync::Arc;

use keyfob::clock::ManualClock;
use keyfob::random::SeededRandom;
use keyfob::store::LaneCount;
use keyfob::{Grant, Kind, MemoryStore, Store, Timestamp, TokenManager, TokenManagerBuilder};

mod audit;
mod caching;
mod counting;
mod deriving;
mod events;
mod flood;
mod issue;
mod last_use;
mod once;
mod owning;
mod pairs;
mod reading;
pub(crate) mod refreshing;
mod relaying;
mod revoking;
mod rotating;
mod sealing;
mod secrets;
mod sessions;
mod shutdown;
mod stats;
mod thief;
mod trouble;
mod validating;

/// A manager with a manual clock.
pub(crate) struct Bench {
    pub(crate) manager: TokenManager,
    pub(crate) clock: ManualClock,
    store: Arc<dyn Store>,
}

impl Bench {
    /// Returns another manager on the same store.
    pub(crate) fn another(&self) -> TokenManager {
        let clock = self.clock.clone();
        TokenManager::builder(self.store.clone()).clock(clock).random(SeededRandom::new(3)).build()
    }
}

pub(crate) fn bench() -> Bench {
    bench_with(|builder| builder)
}

pub(crate) fn bench_with(set_up: impl FnOnce(TokenManagerBuilder) -> TokenManagerBuilder) -> Bench {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let lanes = LaneCount::new(8).unwrap();
    let store = MemoryStore::with(lanes, Arc::new(clock.clone()), &SeededRandom::new(1)).unwrap();
    let store: Arc<dyn Store> = Arc::new(store);
    let builder =
        TokenManager::builder(store.clone()).clock(clock.clone()).random(SeededRandom::new(2));
    Bench { manager: set_up(builder).build(), clock, store }
}

pub(crate) fn session(subject: &str) -> Grant {
    Grant::new(Kind::Session).subject(subject).client("web").scopes("read write")
}
