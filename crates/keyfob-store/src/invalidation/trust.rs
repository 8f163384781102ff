//! Which earlier reads are still current: plain atomics, without locks and without a clock.
//!
//! Every invalidation takes the next **version** and stores it as the *minimum version* of what it
//! invalidates. That is a lane, or a slot, into which records and epoch fields are hashed. A reader
//! takes the present version, its **load version**, before it sends a read to the store. The answer is
//! current as long as its load version is not below a minimum that covers it.
//!
//! So a read that was overtaken by an invalidation has a load version below the new minimum, whenever
//! its answer arrives. Nothing needs to be kept about reads in flight. Two records that share a slot
//! share their invalidations. That costs an extra read, and never a wrong answer.

use super::atomic::{AtomicU64, Ordering, zeroed};

/// The minimum versions, and until when each lane is trusted.
#[derive(Debug)]
pub(crate) struct Trust {
    version: AtomicU64,
    lanes: Box<[AtomicU64]>,
    slots: Box<[AtomicU64]>,
}

/// Words of a lane: until when it is trusted, and its minimum version.
const LANE: usize = 2;

impl Trust {
    /// Creates the state for this many lanes and slots. No lane is trusted yet.
    pub(crate) fn new(lanes: usize, slots: usize) -> Self {
        Self { version: AtomicU64::new(0), lanes: zeroed(lanes * LANE), slots: zeroed(slots) }
    }

    /// Returns the version for a read that is sent from now on.
    pub(crate) fn load_version(&self) -> u64 {
        self.version.load(Ordering::Acquire)
    }

    /// Returns until when an answer may be used that was read under `version`. Returns `None` if it was
    /// invalidated, or if there is no such lane. The caller must read the clock after this call.
    pub(crate) fn until(
        &self,
        lane: usize,
        version: u64,
        slots: impl IntoIterator<Item = usize>,
    ) -> Option<u64> {
        // The order matters. A grant covers every invalidation before it, so the minimum versions must
        // be read after the grant.
        let until = self.lanes.get(lane * LANE)?.load(Ordering::Acquire);
        let min_version = self.lanes.get(lane * LANE + 1)?.load(Ordering::Acquire);
        let is_current = |slot: usize| match self.slots.get(slot) {
            Some(min_version) => min_version.load(Ordering::Acquire) <= version,
            None => false,
        };
        (min_version <= version && slots.into_iter().all(is_current)).then_some(until)
    }

    /// Invalidates everything that was read under a slot before this call.
    pub(crate) fn invalidate(&self, slot: usize) {
        if let Some(min_version) = self.slots.get(slot) {
            self.raise(min_version);
        }
    }

    /// Invalidates everything that was read of a lane before this call.
    pub(crate) fn invalidate_lane(&self, lane: usize) {
        if let Some(min_version) = self.lanes.get(lane * LANE + 1) {
            self.raise(min_version);
        }
    }

    /// Trusts a lane until this instant and no longer. 0 ends the trust.
    pub(crate) fn grant(&self, lane: usize, until: u64) {
        if let Some(word) = self.lanes.get(lane * LANE) {
            word.store(until, Ordering::Release);
        }
    }

    fn raise(&self, min_version: &AtomicU64) {
        let version = self.version.fetch_add(1, Ordering::AcqRel) + 1;
        // Two invalidations may run at the same time, and the later version must win.
        min_version.fetch_max(version, Ordering::AcqRel);
    }
}
