//! Loads that concurrent requests for the same token share.
//!
//! A client may present one refresh token in several windows at the same time. Each request is judged by its
//! own presentation, but one load of the record is enough for all that wait for it.
//!
//! A request never gets the result of a load that began before the request: something may have been revoked
//! in between. So while a load runs, the requests that arrive wait for the next one.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use keyfob_core::id::TokenId;
use keyfob_store::{Loaded, StoreError};
use tokio::time::timeout;

/// How long a request waits for the load of another one. Then it loads by itself, so that a store that does
/// not answer costs it no more than this beyond its own load.
const MAX_WAIT: Duration = Duration::from_millis(50);

#[derive(Debug, Default)]
pub(super) struct SharedLoads(Mutex<HashMap<TokenId, Arc<Loads>>>);

/// The loads of one id, while there are requests for it.
#[derive(Debug, Default)]
struct Loads {
    /// The number of requests that have arrived.
    arrived: AtomicU64,
    /// The last load that succeeded. Locked while a load runs.
    last: tokio::sync::Mutex<Option<Load>>,
}

#[derive(Debug)]
struct Load {
    /// The number of requests that had arrived when it began.
    arrived: u64,
    found: Option<Loaded>,
}

/// One request for an id. Dropping the last one forgets the loads.
struct Request<'a> {
    shared: &'a SharedLoads,
    id: TokenId,
    loads: Arc<Loads>,
}

impl SharedLoads {
    /// Returns what `load` returns, or what another request got that began to load after this one arrived.
    /// An error is not shared.
    ///
    /// # Errors
    /// Those of `load`.
    pub(super) async fn load(
        &self,
        id: TokenId,
        load: impl Future<Output = Result<Option<Loaded>, StoreError>>,
    ) -> Result<Option<Loaded>, StoreError> {
        let request = self.request(id);
        let loads = &*request.loads;
        let number = loads.arrived.fetch_add(1, Ordering::AcqRel);
        let Ok(mut last) = timeout(MAX_WAIT, loads.last.lock()).await else { return load.await };
        if let Some(other) = &*last
            && number < other.arrived
        {
            return Ok(other.found.clone());
        }
        let arrived = loads.arrived.load(Ordering::Acquire);
        let found = load.await?;
        // Who arrives later needs a later load.
        if arrived > number + 1 {
            *last = Some(Load { arrived, found: found.clone() });
        }
        Ok(found)
    }

    fn request(&self, id: TokenId) -> Request<'_> {
        let loads = Arc::clone(self.all().entry(id).or_default());
        Request { shared: self, id, loads }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<TokenId, Arc<Loads>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Request<'_> {
    fn drop(&mut self) {
        let mut all = self.shared.all();
        // The map holds one, and this request holds the other.
        if Arc::strong_count(&self.loads) == 2 {
            all.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;
    use futures_util::future::{join_all, pending};
    use tokio::sync::oneshot;

    use super::*;

    const ID: TokenId = TokenId::from_bytes([1; 16]);

    fn unavailable() -> Result<Option<Loaded>, StoreError> {
        Err(StoreError::unavailable("away"))
    }

    #[tokio::test]
    async fn requests_share_a_load_that_began_after_they_arrived() {
        let (shared, count) = (SharedLoads::default(), AtomicU64::new(0));
        let (answer, answered) = oneshot::channel();
        let mut first = Box::pin(shared.load(ID, async {
            answered.await.ok();
            Ok(None)
        }));
        assert!((&mut first).now_or_never().is_none());
        let load = || async {
            count.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(None)
        };
        let mut others = Box::pin(join_all((0..10).map(|_| shared.load(ID, load()))));
        assert!((&mut others).now_or_never().is_none());
        answer.send(()).unwrap();
        assert!(first.await.is_ok());
        assert!(others.await.iter().all(Result::is_ok));
        assert_eq!(count.into_inner(), 1, "all but the first arrived before the second load began");
        assert!(shared.all().is_empty());
    }

    #[tokio::test]
    async fn an_error_or_a_request_that_is_given_up_is_not_shared() {
        let shared = SharedLoads::default();
        let failing = (0..3).map(|_| shared.load(ID, async { unavailable() }));
        let working = (0..3).map(|_| shared.load(ID, async { Ok(None) }));
        let (failed, worked) = tokio::join!(join_all(failing), join_all(working));
        assert!(failed.iter().all(Result::is_err) && worked.iter().all(Result::is_ok));
        let mut given_up = Box::pin(shared.load(ID, pending()));
        assert!((&mut given_up).now_or_never().is_none());
        let next = shared.load(ID, async { Ok(None) });
        drop(given_up);
        assert!(next.await.is_ok());
        assert!(shared.all().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_does_not_answer_delays_no_other_request_for_long() {
        let shared = SharedLoads::default();
        let mut stuck = Box::pin(shared.load(ID, pending()));
        assert!((&mut stuck).now_or_never().is_none());
        let begun = tokio::time::Instant::now();
        let loads = (0..64).map(|_| shared.load(ID, async { Ok(None) }));
        assert!(join_all(loads).await.iter().all(Result::is_ok));
        assert!(begun.elapsed() <= MAX_WAIT * 2);
    }
}
