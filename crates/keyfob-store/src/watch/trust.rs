//! What may still be believed of what was read before: pure atomics, without locks, and without a
//! clock of its own.
//!
//! Every invalidation takes the next **tick** and leaves it as the floor of what it invalidates: a
//! lane, or a cell, into which records and epoch fields are hashed. Whoever reads from the store
//! takes the present tick as a **ticket** before the read is sent. What was read is current as long
//! as its ticket is not below a floor of its. A read that was overtaken by an invalidation has a
//! ticket below it, whenever it is answered; nothing needs to be kept about reads that are under
//! way. Two that share a cell share their invalidations, which costs a read and never the truth.

use super::atomic::{AtomicU64, Ordering, zeroed};

/// The floors, and until when each lane is trusted.
#[derive(Debug)]
pub struct Trust {
    tick: AtomicU64,
    lanes: Box<[AtomicU64]>,
    cells: Box<[AtomicU64]>,
}

/// How many words a lane has: until when it is trusted, and its floor.
const LANE: usize = 2;

impl Trust {
    /// For so many lanes, none of which is trusted, with so many cells.
    pub fn new(lanes: usize, cells: usize) -> Self {
        Self { tick: AtomicU64::new(0), lanes: zeroed(lanes * LANE), cells: zeroed(cells) }
    }

    /// What a read that is sent from now on may be kept under.
    pub fn ticket(&self) -> u64 {
        self.tick.load(Ordering::Acquire)
    }

    /// Until when what was read under `ticket` may be believed; `None` if it may not at all, or if
    /// there is no such lane. Whoever asks looks at the clock afterwards, not before.
    pub fn until(
        &self,
        lane: usize,
        ticket: u64,
        cells: impl IntoIterator<Item = usize>,
    ) -> Option<u64> {
        // The order matters: a moment that is granted covers what was invalidated before it was,
        // so the floors are read after it.
        let until = self.lanes.get(lane * LANE)?.load(Ordering::Acquire);
        let floor = self.lanes.get(lane * LANE + 1)?.load(Ordering::Acquire);
        let is_current = |cell: usize| match self.cells.get(cell) {
            Some(floor) => floor.load(Ordering::Acquire) <= ticket,
            None => false,
        };
        (floor <= ticket && cells.into_iter().all(is_current)).then_some(until)
    }

    /// Nothing of a cell that was read before now is current.
    pub fn invalidate(&self, cell: usize) {
        if let Some(floor) = self.cells.get(cell) {
            self.raise(floor);
        }
    }

    /// Nothing of a lane that was read before now is current.
    pub fn empty(&self, lane: usize) {
        if let Some(floor) = self.lanes.get(lane * LANE + 1) {
            self.raise(floor);
        }
    }

    /// Trusts a lane until a moment, and no longer: 0 is not at all.
    pub fn grant(&self, lane: usize, until: u64) {
        if let Some(word) = self.lanes.get(lane * LANE) {
            word.store(until, Ordering::Release);
        }
    }

    fn raise(&self, floor: &AtomicU64) {
        let tick = self.tick.fetch_add(1, Ordering::AcqRel) + 1;
        // Two may come at once, and the later tick must stand.
        floor.fetch_max(tick, Ordering::AcqRel);
    }
}
