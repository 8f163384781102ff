//! Loads in progress: one at a time for each id.
//!
//! A request for an id that another request is loading waits, and then looks into the cache again.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Semaphore;

use keyfob_core::id::TokenId;
use keyfob_metrics::Metrics;

#[derive(Debug, Default)]
pub(super) struct Flights {
    loading: Mutex<HashMap<TokenId, Option<Landing>>>,
}

/// What the requests for an id wait for, if any do. It has no permits: waiting for it ends when it is
/// closed at the end of the load.
type Landing = Arc<Semaphore>;

/// A load in progress. When it is dropped, the requests that wait for it continue.
#[derive(Debug)]
pub(crate) struct Flight<'a> {
    flights: &'a Flights,
    id: TokenId,
}

impl Flights {
    /// Begins to load an id, unless another request is loading it.
    pub(super) fn begin(&self, id: TokenId) -> Option<Flight<'_>> {
        match self.loading().entry(id) {
            Entry::Occupied(_) => None,
            Entry::Vacant(place) => {
                place.insert(None);
                Some(Flight { flights: self, id })
            }
        }
    }

    /// Waits while another request is loading the id. Returns whether one was.
    pub(super) async fn wait(&self, id: TokenId, metrics: &Metrics) -> bool {
        let landed = match self.loading().get_mut(&id) {
            Some(landing) => Arc::clone(landing.get_or_insert_with(|| Arc::new(Semaphore::new(0)))),
            None => return false,
        };
        metrics.handles.cache_shared_loads.increment(1);
        let _closed = landed.acquire().await;
        true
    }

    fn loading(&self) -> std::sync::MutexGuard<'_, HashMap<TokenId, Option<Landing>>> {
        self.loading.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Flight<'_> {
    fn drop(&mut self) {
        let landing = self.flights.loading().remove(&self.id);
        if let Some(landed) = landing.flatten() {
            landed.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[tokio::test]
    async fn one_loads_and_the_others_wait_for_it_even_if_it_is_given_up() {
        let (flights, metrics) = (Flights::default(), Metrics::none());
        let (one, other) = (TokenId::from_bytes([1; 16]), TokenId::from_bytes([2; 16]));
        assert!(!flights.wait(one, &metrics).await, "there is no load to wait for");
        let first = flights.begin(one);
        assert!(first.is_some() && flights.begin(one).is_none());
        let mut second = Box::pin(flights.wait(one, &metrics));
        assert!((&mut second).now_or_never().is_none());
        assert!(flights.begin(other).is_some(), "another id does not wait");
        drop(first);
        assert!(second.await);
        assert!(flights.begin(one).is_some());
    }
}
