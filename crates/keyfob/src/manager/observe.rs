//! What was seen, written in the background and within a rate. A flood of refusals costs a count.

use std::cell::Cell;
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
    /// The second in which no more observations are taken. Looked at before anything is locked or
    /// written down, so that a flood costs no more than it must.
    full_in: AtomicU64,
    left_out: AtomicU64,
    waiting: Mutex<Waiting>,
    background: Background,
}

#[derive(Debug, Default)]
struct Waiting {
    second: u64,
    taken: u32,
    observations: Vec<Observation>,
}

thread_local! {
    /// How many uses this thread has seen. One count for all threads would be what they contend for.
    static USES: Cell<u64> = const { Cell::new(0) };
}

impl Observer {
    pub(super) fn new(per_second: u32, sampled_use: u32) -> Self {
        Self {
            per_second,
            sampled_use,
            full_in: AtomicU64::new(0),
            left_out: AtomicU64::new(0),
            waiting: Mutex::default(),
            background: Background::default(),
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

    fn put(&self, what: Sight, at: Timestamp) {
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
            return;
        }
        waiting.taken += 1;
        let left_out = self.left_out.swap(0, Ordering::Relaxed);
        waiting.observations.push(Observation { at, what, left_out });
    }

    fn take(&self) -> Vec<Observation> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut waiting.observations)
    }

    /// Whether this use is one of those that are told.
    fn is_sampled(&self) -> bool {
        let one_in = u64::from(self.sampled_use);
        one_in != 0
            && USES.with(|uses| {
                let number = uses.get() + 1;
                uses.set(number);
                number % one_in == 0
            })
    }
}

impl TokenManager {
    pub(super) fn observe(&self, what: impl FnOnce() -> Sight) {
        let observer = &self.inner.observer;
        if observer.per_second == 0 {
            return;
        }
        let now = self.now();
        if observer.has_room(now) {
            observer.put(what(), now);
            let background = &observer.background;
            background.ensure(&self.inner, PAUSE, |inner| Box::pin(inner.flush_observations()));
        }
    }

    #[inline]
    pub(super) fn observe_use(&self, token: impl FnOnce() -> TokenId) {
        if self.inner.observer.is_sampled() {
            self.observe(|| Sight::Used { token: token() });
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
