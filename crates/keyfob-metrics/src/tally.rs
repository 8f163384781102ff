//! What the cached path counts. It is published now and then: see `manager/publish`.

use std::sync::{Mutex, PoisonError};

use super::stripes::Stripes;
use super::{CacheLookup, Handles, MaybeKind, ValidationOutcome};
use keyfob_core::token::Kind;

/// What is counted on the cached path, and for what comes in floods.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Tallied {
    /// A token of this kind that was found active in the cache.
    Hit(Kind),
    /// One that was found active in the store.
    Loaded(Kind),
    /// A bearer that the cache knows to be none of ours.
    UnknownHit,
    /// One for which the cache has nothing that may be believed.
    Miss,
    /// A text that is no bearer.
    Malformed,
}

const KINDS: usize = Kind::ALL.len();
const COUNTS: usize = 2 * KINDS + 3;

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
        }
    }
}

impl HotCounters {
    pub fn new() -> Self {
        Self { counts: Stripes::new(), published: Mutex::new([0; COUNTS]) }
    }

    /// Counts one, and gives how many of its sort this thread has counted.
    #[inline]
    pub fn count(&self, what: Tallied) -> u64 {
        self.counts.add(what.place())
    }

    /// How often the cache had the token, and how often nothing that may be believed.
    pub fn hits_and_misses(&self) -> (u64, u64) {
        let sums = self.counts.sums();
        let hits = Kind::ALL.iter().map(|kind| sums[Tallied::Hit(*kind).place()]).sum();
        (hits, sums[Tallied::Miss.place()])
    }

    /// Adds what was counted since the last time to the metrics.
    pub fn publish(&self, to: &Handles) {
        let mut published = self.published.lock().unwrap_or_else(PoisonError::into_inner);
        // Read with the lock held: nothing is published twice.
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
        let malformed = to.validations.of(ValidationOutcome::Malformed);
        malformed.of(MaybeKind::Unknown).increment(new(Tallied::Malformed));
        *published = sums;
    }
}

impl std::fmt::Debug for HotCounters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tally")
    }
}
