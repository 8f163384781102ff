//! Loads in progress: one at a time for each id, and a limited number in total.
//!
//! A request for an id that another request is loading waits, and then looks into the cache again. A
//! flood of unknown ids is limited to few loads at the same time, so that it cannot take the store away
//! from requests with valid bearer tokens.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Semaphore, SemaphorePermit};

use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;
use keyfob_metrics::Metrics;

/// Maximum number of loads at the same time.
const AT_ONCE: usize = 256;
/// Maximum number of loads at the same time during a flood of unknown ids.
const AT_ONCE_IN_A_FLOOD: usize = 16;
/// This number of unknown ids in a second is a flood.
const FLOOD: u64 = 1_000;

#[derive(Debug)]
pub(super) struct Flights {
    loading: Mutex<HashMap<TokenId, Arc<Semaphore>>>,
    room: Semaphore,
    room_in_a_flood: Semaphore,
    /// The present second, and the number of unknown ids in it.
    unknown: AtomicU64,
}

/// A load in progress. When it is dropped, the requests that wait for it continue.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    id: TokenId,
    landed: Arc<Semaphore>,
    _room: [Option<SemaphorePermit<'a>>; 2],
}

impl Default for Flights {
    fn default() -> Self {
        Self {
            loading: Mutex::default(),
            room: Semaphore::new(AT_ONCE),
            room_in_a_flood: Semaphore::new(AT_ONCE_IN_A_FLOOD),
            unknown: AtomicU64::new(0),
        }
    }
}

impl Flights {
    /// Starts to load an id as soon as there is room. If another request is loading the id, waits for it
    /// and returns `None`.
    pub(super) async fn board(
        &self,
        id: TokenId,
        now: Timestamp,
        metrics: &Metrics,
    ) -> Option<Flight<'_>> {
        let (landed, is_first) = {
            let mut loading = self.loading();
            let is_first = !loading.contains_key(&id);
            // Has no permits: waiting for it ends when it is closed at the end of the load.
            let landed = loading.entry(id).or_insert_with(|| Arc::new(Semaphore::new(0)));
            (Arc::clone(landed), is_first)
        };
        if !is_first {
            metrics.handles.cache_shared_loads.increment(1);
            let _closed = landed.acquire().await;
            return None;
        }
        let mut flight = Flight { flights: self, id, landed, _room: [None, None] };
        if self.is_flooded(now) {
            metrics.handles.cache_flood_holds.increment(1);
            flight._room[0] = self.room_in_a_flood.acquire().await.ok();
        }
        flight._room[1] = self.room.acquire().await.ok();
        Some(flight)
    }

    /// Counts an id that the store did not know.
    pub(super) fn count_unknown(&self, now: Timestamp) {
        let second = now.as_secs() << 32;
        let counted = |word: u64| if word >> 32 == second >> 32 { word + 1 } else { second + 1 };
        let _was =
            self.unknown.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |w| Some(counted(w)));
    }

    fn is_flooded(&self, now: Timestamp) -> bool {
        let word = self.unknown.load(Ordering::Relaxed);
        // A flood is assumed to last for a second.
        now.as_secs().saturating_sub(word >> 32) <= 1 && word & 0xffff_ffff >= FLOOD
    }

    fn loading(&self) -> std::sync::MutexGuard<'_, HashMap<TokenId, Arc<Semaphore>>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        self.flights.loading().remove(&self.id);
        self.landed.close();
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn board<'a>(
        flights: &'a Flights,
        number: u16,
        now: Timestamp,
    ) -> impl Future<Output = Option<Flight<'a>>> {
        let none = Metrics::none();
        async move { flights.board(id(number), now, &none).await }
    }

    const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

    fn id(number: u16) -> TokenId {
        let [a, b] = number.to_be_bytes();
        TokenId::from_bytes([a, b, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
    }

    #[tokio::test]
    async fn one_loads_and_the_others_wait_for_it_even_if_it_is_given_up() {
        let flights = Flights::default();
        let first = board(&flights, 1, NOW).await;
        let mut second = Box::pin(board(&flights, 1, NOW));
        assert!(first.is_some() && (&mut second).now_or_never().is_none());
        assert!(board(&flights, 2, NOW).await.is_some(), "another id does not wait");
        drop(first);
        assert!(second.await.is_none());
        assert!(board(&flights, 1, NOW).await.is_some());
    }

    #[tokio::test]
    async fn a_flood_of_unknown_ids_gets_little_room_and_ends() {
        let flights = Flights::default();
        for _ in 0..FLOOD {
            flights.count_unknown(NOW);
        }
        let mut aboard = Vec::new();
        for number in 0..AT_ONCE_IN_A_FLOOD as u16 {
            aboard.push(board(&flights, number, NOW).await);
        }
        assert!(board(&flights, 999, NOW).now_or_never().is_none());
        let later = NOW + keyfob_core::time::Ttl::from_secs(2);
        assert!(board(&flights, 1000, later).now_or_never().is_some());
    }
}
