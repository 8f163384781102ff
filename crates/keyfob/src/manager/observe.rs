//! What was seen, written in the background and within a rate. A flood of refusals costs a count.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::background::Background;
use super::{Inner, TokenManager};
use crate::codec;
use crate::event::{Observation, Sight};
use crate::id::{Lane, TokenId};
use crate::time::Timestamp;

const PAUSE: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub(super) struct Observer {
    per_second: u32,
    sampled_use: u32,
    uses: AtomicU64,
    waiting: Mutex<Waiting>,
    background: Background,
}

#[derive(Debug, Default)]
struct Waiting {
    second: u64,
    taken: u32,
    left_out: u64,
    observations: Vec<Observation>,
}

impl Observer {
    pub(super) fn new(per_second: u32, sampled_use: u32) -> Self {
        Self {
            per_second,
            sampled_use,
            uses: AtomicU64::new(0),
            waiting: Mutex::default(),
            background: Background::default(),
        }
    }

    fn put(&self, what: Sight, at: Timestamp) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.second != at.as_secs() {
            waiting.second = at.as_secs();
            waiting.taken = 0;
        }
        // The second bound holds while the store is down and nothing drains the list.
        let most_waiting = (self.per_second as usize).saturating_mul(10);
        if waiting.taken >= self.per_second || waiting.observations.len() >= most_waiting {
            waiting.left_out += 1;
            return;
        }
        waiting.taken += 1;
        let left_out = std::mem::take(&mut waiting.left_out);
        waiting.observations.push(Observation { at, what, left_out });
    }

    fn take(&self) -> Vec<Observation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting.observations)
    }
}

impl TokenManager {
    pub(super) fn observe(&self, what: Sight) {
        let observer = &self.inner.observer;
        if observer.per_second == 0 {
            return;
        }
        observer.put(what, self.now());
        let background = &observer.background;
        background.ensure(&self.inner, PAUSE, |inner| Box::pin(inner.flush_observations()));
    }

    pub(super) fn observe_use(&self, token: TokenId) {
        let observer = &self.inner.observer;
        let one_in = u64::from(observer.sampled_use);
        if one_in != 0 && observer.uses.fetch_add(1, Ordering::Relaxed) % one_in == one_in - 1 {
            self.observe(Sight::Used { token });
        }
    }
}

impl Inner {
    pub(super) async fn flush_observations(&self) {
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
            if let Err(error) = self.store.observe(lane, entries).await {
                tracing::warn!(%error, count, "observations are lost: the store does not take them");
            }
        }
    }
}
