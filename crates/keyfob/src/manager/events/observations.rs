//! What was seen, written in the background and within a rate. A flood of refusals costs a count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::codec;
use crate::event::{Observation, ObservationKind};
use crate::id::{Lane, TokenId};
use crate::manager::background::Repeating;
use crate::manager::{Inner, TokenManager};
use crate::metrics::ObservationOutcome;
use crate::time::Timestamp;

const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(in crate::manager) struct Observer {
    per_second: u32,
    sampled_use: u32,
    /// The second in which no more observations are taken. Looked at before anything is locked or
    /// written down, so that a flood costs no more than it must.
    full_in: AtomicU64,
    left_out: AtomicU64,
    waiting: Mutex<Waiting>,
    repeating: Repeating,
}

#[derive(Debug, Default)]
struct Waiting {
    second: u64,
    taken: u32,
    observations: Vec<Observation>,
}

impl Observer {
    pub(in crate::manager) fn new(per_second: u32, sampled_use: u32) -> Self {
        Self {
            per_second,
            sampled_use,
            full_in: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            waiting: Mutex::default(),
            repeating: Repeating::default(),
        }
    }

    /// Whether there is room for one more at this time; counts it as left out if not.
    fn has_room(&self, at: Timestamp) -> bool {
        let has_room = self.full_in.load(Ordering::Relaxed) != at.as_secs();
        if !has_room {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Puts an observation where the background task finds it, and gives how many were left out
    /// before it.
    fn put(&self, what: ObservationKind, at: Timestamp) -> u64 {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.second != at.as_secs() {
            waiting.second = at.as_secs();
            waiting.taken = 0;
        }
        // The second bound holds while the store is down and nothing drains the list.
        let most_waiting = (self.per_second as usize).saturating_mul(10);
        if waiting.taken >= self.per_second || waiting.observations.len() >= most_waiting {
            self.full_in.store(at.as_secs(), Ordering::Relaxed);
            self.left_out.fetch_add(1, Ordering::Relaxed);
            return 0;
        }
        waiting.taken += 1;
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        waiting.observations.push(Observation::new(at, what, left_out));
        left_out
    }

    fn take(&self) -> Vec<Observation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting.observations)
    }

    /// Whether the use with this number is one of those that are told.
    #[inline]
    fn is_sampled(&self, number: u64) -> bool {
        // Numbers begin at one, and no such number is a multiple of zero.
        number.is_multiple_of(u64::from(self.sampled_use))
    }
}

impl TokenManager {
    pub(in crate::manager) fn record_observation(&self, what: impl FnOnce() -> ObservationKind) {
        let observer = &self.inner.observer;
        if observer.per_second == 0 {
            return;
        }
        let now = self.now();
        if observer.has_room(now) {
            let left_out = observer.put(what(), now);
            let counts = &self.inner.metrics.handles.observations;
            counts.of(ObservationOutcome::LeftOut).increment(left_out);
            self.start_metrics_publisher();
            let repeating = &observer.repeating;
            repeating
                .start(&self.inner, PAUSE, |inner| Box::pin(inner.write_pending_observations()));
        }
    }

    /// Tells that a key was used by its older secret, so that its owner sees when that falls silent.
    pub(in crate::manager) fn record_older_secret_use(&self, token: TokenId) {
        self.record_observation(|| ObservationKind::OlderSecretUsed { token });
    }

    /// Observes the use with this number, if it is one of those that are.
    #[inline]
    pub(in crate::manager) fn record_sampled_use(
        &self,
        number: u64,
        token: impl FnOnce() -> TokenId,
    ) {
        if self.inner.observer.is_sampled(number) {
            self.record_observation(|| ObservationKind::Used { token: token() });
        }
    }
}

impl Inner {
    pub(in crate::manager) async fn write_pending_observations(&self) {
        let observations = self.observer.take();
        if observations.is_empty() {
            return;
        }
        // Whatever was seen of a token goes to the token's lane; the rest to the first.
        let mut by_lane = std::collections::BTreeMap::<Lane, Vec<Vec<u8>>>::new();
        for observation in &observations {
            let lane = observation.token().map_or(Lane::default(), TokenId::lane);
            by_lane.entry(lane).or_default().push(codec::encode(observation));
        }
        for (lane, entries) in by_lane {
            let count = entries.len();
            let outcome = match self.store.observe(lane, entries).await {
                Ok(()) => ObservationOutcome::Written,
                Err(error) => {
                    tracing::warn!(%error, count, "observations are lost: the store does not take them");
                    ObservationOutcome::Lost
                }
            };
            self.metrics.handles.observations.of(outcome).increment(count as u64);
        }
    }
}
