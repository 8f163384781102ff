//! The observations that wait to be written, and how many are taken.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::older_secrets::OlderSecretPace;
use crate::manager::background::Repeating;
use keyfob_core::event::{Observation, ObservationKind};
use keyfob_core::time::Timestamp;

/// How many seconds' worth of observations may wait while the store does not accept them.
const MAX_SECONDS_WAITING: usize = 10;

#[derive(Debug)]
pub(in crate::manager) struct Observer {
    pub(super) per_second: u32,
    sample_uses: u32,
    /// The second whose observations have reached the rate. It is read before a lock is taken or an
    /// observation is made, so that a flood costs little.
    full_in: AtomicU64,
    left_out: AtomicU64,
    waiting: Mutex<Waiting>,
    pub(super) older_secrets: OlderSecretPace,
    pub(super) repeating: Repeating,
}

#[derive(Debug, Default)]
struct Waiting {
    second: u64,
    taken: u32,
    observations: Vec<Observation>,
}

impl Observer {
    pub(in crate::manager) fn new(per_second: u32, sample_uses: u32) -> Self {
        Self {
            per_second,
            sample_uses,
            full_in: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            waiting: Mutex::default(),
            older_secrets: OlderSecretPace::new(),
            repeating: Repeating::default(),
        }
    }

    /// Whether one more may be recorded at this time. If not, it is counted as left out.
    pub(super) fn has_room(&self, at: Timestamp) -> bool {
        let has_room = self.full_in.load(Ordering::Relaxed) != at.as_secs();
        if !has_room {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Queues an observation for the background task. Returns how many were left out before it.
    pub(super) fn queue(&self, what: ObservationKind, at: Timestamp) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.second != at.as_secs() {
            waiting.second = at.as_secs();
            waiting.taken = 0;
        }
        // The second limit holds while the store is down and the queue is not drained.
        let max_waiting = (self.per_second as usize).saturating_mul(MAX_SECONDS_WAITING);
        if waiting.taken >= self.per_second || waiting.observations.len() >= max_waiting {
            self.full_in.store(at.as_secs(), Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        waiting.taken += 1;
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        waiting.observations.push(Observation::new(at, what, left_out));
        left_out
    }

    pub(super) fn take(&self) -> Vec<Observation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting.observations)
    }

    /// Whether the use with this number is one that is recorded.
    #[inline]
    pub(super) fn is_sampled(&self, number: u64) -> bool {
        // Numbers begin at one, and no such number is a multiple of zero.
        number.is_multiple_of(u64::from(self.sample_uses))
    }
}
