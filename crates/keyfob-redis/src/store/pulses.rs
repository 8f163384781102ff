//! What this node knows of the pulses of lanes; see [`rollback`](super::rollback).

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use keyfob_store::{Lane, LaneCount, MonotonicInstant};

/// What this node knows of the pulses.
#[derive(Debug)]
pub(super) struct Pulses {
    /// The last pulse of each lane.
    known: Vec<AtomicU64>,
    /// The lanes whose older tokens are refused, as far as is known.
    rolled_back: Mutex<Vec<Lane>>,
    /// When this node renewed them the last time.
    pub(super) renewed: AtomicU64,
}

impl Pulses {
    pub(super) fn new(lanes: LaneCount) -> Self {
        Self {
            known: lanes.lanes().map(|_| AtomicU64::new(0)).collect(),
            rolled_back: Mutex::default(),
            renewed: AtomicU64::new(MonotonicInstant::now().as_nanos()),
        }
    }

    pub(super) fn known(&self, lane: Lane) -> u64 {
        let known = self.known.get(usize::from(lane.number()));
        known.map_or(0, |known| known.load(Ordering::Relaxed))
    }

    /// The last pulse of each lane.
    pub(super) fn all(&self) -> Vec<u64> {
        self.known.iter().map(|known| known.load(Ordering::Relaxed)).collect()
    }

    /// Notes a pulse that was known before this node started.
    pub(super) fn note_earlier(&self, lane: Lane, pulse: u64) {
        if let Some(known) = self.known.get(usize::from(lane.number())) {
            known.fetch_max(pulse, Ordering::Relaxed);
        }
    }

    /// Notes a pulse. Returns how many lanes are rolled back.
    pub(super) fn note(&self, lane: Lane, pulse: u64, is_rolled_back: bool) -> usize {
        self.note_earlier(lane, pulse);
        let mut lanes = self.rolled_back.lock().unwrap_or_else(PoisonError::into_inner);
        lanes.retain(|known| *known != lane);
        if is_rolled_back {
            lanes.push(lane);
        }
        lanes.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_pulse_never_decreases_and_lanes_are_counted_once() {
        let pulses = Pulses::new(LaneCount::new(3).unwrap());
        let [one, two] = [0, 2].map(Lane::new);
        assert_eq!(pulses.note(one, 50, false), 0);
        assert_eq!(pulses.note(one, 40, true), 1);
        assert_eq!((pulses.known(one), pulses.known(two)), (50, 0));
        assert_eq!(pulses.note(one, 60, true), 1);
        assert_eq!(pulses.note(two, 60, true), 2);
        assert_eq!(pulses.note(one, 70, false), 1);
    }
}
