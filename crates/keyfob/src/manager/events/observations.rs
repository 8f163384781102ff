//! Observations: recorded within a rate, written in the background. A flood of refusals costs one
//! counter increment each.

use std::time::Duration;

use crate::codec;
use crate::manager::{Inner, TokenManager};
use keyfob_core::event::ObservationKind;
use keyfob_core::id::{Lane, TokenId};
use keyfob_core::time::Ttl;
use keyfob_metrics::ObservationOutcome;

/// How long observations wait to be written together.
const PAUSE: Duration = Duration::from_millis(500);

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
            observer.repeating.start(&self.inner.tasks, &self.inner, PAUSE, |inner| {
                Box::pin(inner.write_pending_observations())
            });
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
