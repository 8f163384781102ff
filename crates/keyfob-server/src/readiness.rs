//! Whether this replica can do its work, asked once for many probes.
//!
//! The report of a store is not free: it may write, and it asks every server of a cluster. So an answer is
//! kept for a second, and probes that come at the same time wait for one report. A request that fails
//! because the store is away makes the next probe ask again at once.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use keyfob::TokenManager;
use tokio::sync::Mutex;

/// How long an answer is kept.
const MAX_AGE: Duration = Duration::from_secs(1);

/// What is known of the store.
#[derive(Debug, Default)]
pub(crate) struct StoreReadiness {
    /// The last answer. It is locked while the store is asked, so that it is asked once.
    kept: Mutex<Option<Kept>>,
    /// How often a request has found the store away.
    doubts: AtomicU64,
}

#[derive(Clone, Copy, Debug)]
struct Kept {
    is_ready: bool,
    /// When the store was asked.
    asked: Instant,
    /// The number of doubts at that time.
    doubts: u64,
}

impl Kept {
    /// Whether it is still the answer. A doubt ends the answer "ready" only: while the store is away, every
    /// request has doubts.
    fn is_current(self, now: Instant, doubts: u64) -> bool {
        let is_young = now.saturating_duration_since(self.asked) < MAX_AGE;
        is_young && (!self.is_ready || self.doubts == doubts)
    }
}

impl StoreReadiness {
    /// Says that a request has found the store away.
    pub(crate) fn doubt(&self) {
        self.doubts.fetch_add(1, Ordering::Relaxed);
    }

    /// Returns whether the store answers and has no fault.
    pub(crate) async fn of(&self, manager: &TokenManager) -> bool {
        self.get(Instant::now, || async {
            match manager.report().await {
                Ok(report) => report.is_ready(),
                Err(error) => {
                    tracing::warn!(code = error.code(), %error, "not ready");
                    false
                }
            }
        })
        .await
    }

    /// Returns the answer that is kept, or asks.
    async fn get<F: Future<Output = bool>>(
        &self,
        now: impl Fn() -> Instant,
        ask: impl FnOnce() -> F,
    ) -> bool {
        let mut kept = self.kept.lock().await;
        let (asked, doubts) = (now(), self.doubts.load(Ordering::Relaxed));
        if let Some(kept) = kept.filter(|kept| kept.is_current(asked, doubts)) {
            return kept.is_ready;
        }
        // If the probe goes away meanwhile, the next one asks.
        let is_ready = ask().await;
        *kept = Some(Kept { is_ready, asked, doubts });
        is_ready
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicBool;

    /// A store that counts how often it is asked, and a clock that is set.
    #[derive(Default)]
    struct Store {
        readiness: StoreReadiness,
        asked: AtomicU64,
        is_away: AtomicBool,
    }

    impl Store {
        async fn probe(&self, at: Instant) -> bool {
            let ask = || async {
                tokio::task::yield_now().await;
                self.asked.fetch_add(1, Ordering::Relaxed);
                !self.is_away.load(Ordering::Relaxed)
            };
            self.readiness.get(|| at, ask).await
        }

        fn asked(&self) -> u64 {
            self.asked.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn many_probes_ask_the_store_once_a_second() {
        let (store, start) = (Store::default(), Instant::now());
        let probes = (0..50).map(|_| store.probe(start));
        assert!(futures_util::future::join_all(probes).await.into_iter().all(|ready| ready));
        assert_eq!(store.asked(), 1);
        assert!(store.probe(start + MAX_AGE / 2).await);
        assert_eq!(store.asked(), 1);
        assert!(store.probe(start + MAX_AGE).await);
        assert_eq!(store.asked(), 2);
    }

    #[tokio::test]
    async fn a_store_that_a_request_found_away_is_asked_at_once() {
        let (store, start) = (Store::default(), Instant::now());
        assert!(store.probe(start).await);
        store.is_away.store(true, Ordering::Relaxed);
        store.readiness.doubt();
        assert!(!store.probe(start).await);
        // Requests that fail meanwhile do not make each probe ask.
        for _ in 0..10 {
            store.readiness.doubt();
            assert!(!store.probe(start).await);
        }
        assert_eq!(store.asked(), 2);
        store.is_away.store(false, Ordering::Relaxed);
        assert!(store.probe(start + MAX_AGE).await);
    }
}
