//! The counters of the cached path. They are added to the metrics once a second.

use std::sync::{Mutex, PoisonError};

use super::stripes::Stripes;
use super::{CacheLookup, Handles, MaybeKind, ValidationOutcome};
use keyfob_core::token::Kind;

/// The counters of the cached path, and of events that come in floods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tallied {
    /// A token of this kind was found active in the cache.
    Hit(Kind),
    /// A token of this kind was found active in the store.
    Loaded(Kind),
    /// The cache knows that there is no such token.
    UnknownHit,
    /// The cache has nothing that is current.
    Miss,
    /// The id is not of this namespace, so the store was not asked.
    ForeignId,
    /// The text is not a bearer token.
    Malformed,
}

const KINDS: usize = Kind::ALL.len();
const COUNTS: usize = 2 * KINDS + 4;

/// Counters of the cached path: sharded by thread, and published once a second.
pub struct HotCounters {
    counts: Stripes<COUNTS>,
    published: Mutex<[u64; COUNTS]>,
}

impl Tallied {
    #[inline]
    fn place(self) -> usize {
        match self {
            Self::Hit(kind) => kind as usize,
            Self::Loaded(kind) => KINDS + kind as usize,
            Self::UnknownHit => 2 * KINDS,
            Self::Miss => 2 * KINDS + 1,
            Self::Malformed => 2 * KINDS + 2,
            Self::ForeignId => 2 * KINDS + 3,
        }
    }
}

impl Default for HotCounters {
    fn default() -> Self {
        Self::new()
    }
}

impl HotCounters {
    /// Creates counters that are all zero.
    pub fn new() -> Self {
        Self { counts: Stripes::new(), published: Mutex::new([0; COUNTS]) }
    }

    /// Adds one. Returns how often this thread has counted the same.
    #[inline]
    pub fn count(&self, what: Tallied) -> u64 {
        self.counts.add(what.place())
    }

    /// Returns the cache hits and the cache misses.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        let sums = self.counts.sums();
        let hits = Kind::ALL.iter().map(|kind| sums[Tallied::Hit(*kind).place()]).sum();
        (hits, sums[Tallied::Miss.place()])
    }

    /// Adds what was counted since the last call to the metrics.
    pub fn publish(&self, to: &Handles) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        // Read while the lock is held, so that nothing is published twice.
        let sums = self.counts.sums();
        let new = |what: Tallied| sums[what.place()].saturating_sub(published[what.place()]);
        for kind in Kind::ALL {
            let hits = new(Tallied::Hit(kind));
            let active = to.validations.of(ValidationOutcome::Active);
            active.of(Some(kind).into()).increment(hits + new(Tallied::Loaded(kind)));
            to.cache_lookups.of(CacheLookup::Hit).increment(hits);
        }
        to.cache_lookups.of(CacheLookup::UnknownHit).increment(new(Tallied::UnknownHit));
        to.cache_lookups.of(CacheLookup::Miss).increment(new(Tallied::Miss));
        to.cache_foreign_ids.increment(new(Tallied::ForeignId));
        let malformed = to.validations.of(ValidationOutcome::Malformed);
        malformed.of(MaybeKind::Unknown).increment(new(Tallied::Malformed));
        *published = sums;
    }
}

impl std::fmt::Debug for HotCounters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HotCounters")
    }
}
