//! Observations: recorded within a rate, written in the background. A flood of refusals costs one
//! counter increment each.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::older_secrets::OlderSecretPace;
use crate::codec;
use crate::manager::background::Repeating;
use crate::manager::{Inner, TokenManager};
use keyfob_core::event::{Observation, ObservationKind};
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_metrics::ObservationOutcome;

/// How long observations wait to be written together.
const PAUSE: Duration = Duration::from_millis(500);
/// How many seconds' worth of observations may wait while the store does not accept them.
const MAX_SECONDS_WAITING: usize = 10;

#[derive(Debug)]
pub(in crate::manager) struct Observer {
    per_second: u32,
    sample_uses: u32,
    /// The second whose observations have reached the rate. It is read before a lock is taken or an
    /// observation is made, so that a flood costs little.
    full_in: AtomicU64,
    left_out: AtomicU64,
    waiting: Mutex<Waiting>,
    older_secrets: OlderSecretPace,
    repeating: Repeating,
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
    fn has_room(&self, at: Timestamp) -> bool {
        let has_room = self.full_in.load(Ordering::Relaxed) != at.as_secs();
        if !has_room {
            self.left_out.fetch_add(1, Ordering::Relaxed);
        }
        has_room
    }

    /// Queues an observation for the background task. Returns how many were left out before it.
    fn queue(&self, what: ObservationKind, at: Timestamp) -> u64 {
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

    fn take(&self) -> Vec<Observation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting.observations)
    }

    /// Whether the use with this number is one that is recorded.
    #[inline]
    fn is_sampled(&self, number: u64) -> bool {
        // Numbers begin at one, and no such number is a multiple of zero.
        number.is_multiple_of(u64::from(self.sample_uses))
    }
}

impl TokenManager {
    /// Records an observation, unless the rate is reached.
    pub(in crate::manager) fn record_observation(&self, what: impl FnOnce() -> ObservationKind) {
        let observer = &self.inner.observer;
        if observer.per_second == 0 {
            return;
        }
        let now = self.now();
        if observer.has_room(now) {
            let left_out = observer.queue(what(), now);
            let counts = &self.inner.metrics.handles.observations;
            counts.of(ObservationOutcome::LeftOut).increment(left_out);
            self.start_metrics_publisher();
            let repeating = &observer.repeating;
            repeating
                .start(&self.inner, PAUSE, |inner| Box::pin(inner.write_pending_observations()));
        }
    }

    /// Records that a key was used by its older secret, so that its owner sees when that secret is no
    /// longer used. One use of each key is recorded in the interval in which last uses are written. The
    /// uses of its newest secret do not matter.
    pub(in crate::manager) fn record_older_secret_use(
        &self,
        token: TokenId,
        idle_timeout: Option<Ttl>,
    ) {
        let interval = self.inner.last_use.interval(idle_timeout);
        if self.inner.observer.older_secrets.is_due(token, self.now(), interval) {
            self.record_observation(|| ObservationKind::OlderSecretUsed { token });
        }
    }

    /// Records the use with this number, if it is one that is recorded.
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
        // The observation of a token goes to the token's lane, every other one to the first lane.
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
                    tracing::warn!(%error, count, "observations are lost: the store does not accept them");
                    ObservationOutcome::Lost
                }
            };
            self.metrics.handles.observations.of(outcome).increment(count as u64);
        }
    }
}
