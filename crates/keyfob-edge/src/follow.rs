//! Asks the central server for beats, one after the other, as long as the cache exists.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyfob_client::{Client, RetryPolicy};
use keyfob_store::relay::{Follower, OtherNamespace, Trip};
use keyfob_store::{
    InvalidationListener, InvalidationSource, MonotonicInstant, Namespace, OsRandom, Random as _,
    StoreError,
};
use tokio::sync::watch;

use crate::failure::store_error;
use crate::wire;

/// The longest wait between two attempts.
const MAX_PAUSE: Duration = Duration::from_secs(1);

/// What the follower knows of the central server.
#[derive(Debug, Default)]
pub(crate) struct Central {
    /// It has another namespace now.
    pub(crate) is_other: AtomicBool,
}

/// Follows the feed for one listener.
pub(crate) struct Following {
    pub(crate) client: Client,
    pub(crate) namespace: Namespace,
    pub(crate) central: Arc<Central>,
    pub(crate) closed: watch::Receiver<bool>,
}

struct Link {
    listener: Weak<InvalidationListener>,
    source: InvalidationSource,
    follower: Follower,
    /// The time to the central server and back.
    round_trip: Duration,
}

impl Following {
    /// Starts to follow in the background. Dropping the listener, or closing the store, ends it.
    pub(crate) fn start(self, listener: &Arc<InvalidationListener>) {
        // Before the source is added: what is cached later is as new as this.
        let (now, suspended) = (MonotonicInstant::now(), MonotonicInstant::suspended());
        let lanes = self.namespace.lanes();
        let link = Link {
            source: listener.add_source(lanes.lanes()),
            listener: Arc::downgrade(listener),
            follower: Follower::new(self.namespace.fingerprint(), lanes, now, suspended),
            round_trip: Duration::ZERO,
        };
        let bound = listener.max_staleness();
        tokio::spawn(self.run(link, bound));
    }

    async fn run(self, mut link: Link, bound: Duration) {
        let client = self.client.with_retry(RetryPolicy::never());
        let mut closed = self.closed.clone();
        let mut failures = 0_u32;
        while link.source.has_listener() && !*closed.borrow() {
            let beat = tokio::select! {
                beat = link.beat(&client, bound) => beat,
                _ = closed.changed() => return,
            };
            match beat {
                Ok(Ok(())) => {
                    if failures > 0 {
                        tracing::info!(failures, "the central server answers again");
                    }
                    failures = 0;
                    self.central.is_other.store(false, Ordering::Relaxed);
                    continue;
                }
                Ok(Err(OtherNamespace)) => {
                    link.source.distrust();
                    if !self.central.is_other.swap(true, Ordering::Relaxed) {
                        tracing::error!("{OtherNamespace}");
                    }
                    failures += 1;
                }
                Err(error) => {
                    if failures == 0 {
                        tracing::warn!(
                            code = error.code(), %error,
                            "no beat: from the max staleness on, each check asks the central server"
                        );
                    }
                    failures += 1;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause(failures, bound, OsRandom.fraction())) => {}
                _ = closed.changed() => return,
            }
        }
    }
}

impl Link {
    /// Asks for one beat, and does what it says.
    async fn beat(
        &mut self,
        client: &Client,
        bound: Duration,
    ) -> Result<Result<(), OtherNamespace>, StoreError> {
        let hold = hold(bound, self.round_trip);
        let (sent, suspended_before) = (MonotonicInstant::now(), MonotonicInstant::suspended());
        let question = wire::question(&self.follower.since(sent), hold);
        // A connection that is half open is given up, and another one is made.
        let patience = hold + bound.max(Duration::from_millis(500));
        let answer = tokio::time::timeout(patience, client.edge_beat(&question)).await;
        let answer = answer.map_err(|_| StoreError::unavailable("no beat came in time"))?;
        let beat = wire::beat(&answer.map_err(|error| store_error(&error))?)?;
        let (received, suspended_after) = (MonotonicInstant::now(), MonotonicInstant::suspended());
        self.round_trip = received.since(sent).saturating_sub(beat.held);
        let trip = Trip { sent, received, suspended_before, suspended_after };
        let step = match self.follower.take(trip, &beat) {
            Ok(step) => step,
            Err(other) => return Ok(Err(other)),
        };
        let Some(listener) = self.listener.upgrade() else { return Ok(Ok(())) };
        for (lane, what) in step.invalidate {
            listener.invalidate(lane, what);
        }
        if let Some((confirmed, lanes)) = step.confirm {
            self.source.confirm_lanes(confirmed, &lanes);
        }
        Ok(Ok(()))
    }
}

/// Returns how long an answer may be held back: trust lasts from this question to the answer of the next one.
fn hold(bound: Duration, round_trip: Duration) -> Duration {
    (bound / 2).saturating_sub(2 * round_trip).min(bound / 4)
}

/// Returns how long to wait after this many failures. `random` is between 0 and 1.
fn pause(failures: u32, bound: Duration, random: f64) -> Duration {
    let longest = (bound / 8).saturating_mul(1 << failures.min(10)).min(MAX_PAUSE);
    longest.mul_f64(0.5 + random / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn an_answer_is_held_back_less_over_a_slow_network() {
        assert_eq!(hold(MS(240), MS(1)), MS(60));
        assert_eq!(hold(MS(240), MS(50)), MS(20));
        assert_eq!(hold(MS(240), MS(90)), MS(0));
    }

    #[test]
    fn pauses_grow_to_a_second() {
        assert_eq!(pause(1, MS(240), 1.0), MS(60));
        assert_eq!(pause(1, MS(240), 0.0), MS(30));
        assert_eq!(pause(3, MS(240), 1.0), MS(240));
        assert_eq!(pause(99, MS(240), 1.0), MS(1_000));
    }
}
