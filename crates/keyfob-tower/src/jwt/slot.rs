//! One document that is fetched, and kept for a while.
//!
//! Requests that need it at the same time share one fetch: who holds the lock `fetching` fetches, and the others wait for
//! it. If that request is cancelled, the next one fetches.

use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;

use super::fetch::FetchFailed;
use super::freshness::{Clocks, Freshness, Moment, Step, step};

/// Fetches a document.
#[async_trait]
pub(super) trait Source<T>: Send + Sync {
    /// Returns the document, and for how long it is used. Takes when the fetch began, and the document before.
    async fn fetch(
        &self,
        since: Moment,
        before: Option<Arc<T>>,
    ) -> Result<(T, Freshness), FetchFailed>;
}

#[derive(Debug)]
pub(super) struct Slot<T> {
    kept: Mutex<Kept<T>>,
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Debug)]
struct Kept<T> {
    document: Option<Document<T>>,
    /// When a fetch last ended, well or not.
    tried: Option<Moment>,
}

/// A document, and when the fetch of it began.
#[derive(Debug)]
struct Document<T> {
    value: Arc<T>,
    since: Moment,
    freshness: Freshness,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        let kept = Kept { document: None, tried: None };
        Self { kept: Mutex::new(kept), fetching: tokio::sync::Mutex::new(()) }
    }
}

impl<T> Slot<T> {
    /// Returns the document, fetched if it has to be. `None`: there is none that may be used.
    pub(super) async fn get(&self, clocks: &Clocks, source: &impl Source<T>) -> Option<Arc<T>> {
        match self.step(clocks.now()) {
            (Step::Use, value) => value,
            (Step::Refresh, value) => match self.fetching.try_lock() {
                Ok(_guard) => {
                    self.fetch(clocks, source).await;
                    self.usable(clocks.now())
                }
                Err(_) => value,
            },
            (Step::Fetch, _) => {
                let _guard = self.fetching.lock().await;
                // Another request may have fetched it while this one waited.
                if matches!(self.step(clocks.now()).0, Step::Fetch | Step::Refresh) {
                    self.fetch(clocks, source).await;
                }
                self.usable(clocks.now())
            }
            (Step::Missing, _) => None,
        }
    }

    /// Returns a document that is newer than the one that was of no help, if a fetch may be tried now.
    pub(super) async fn get_newer(
        &self,
        than: &Arc<T>,
        clocks: &Clocks,
        source: &impl Source<T>,
    ) -> Option<Arc<T>> {
        let _guard = self.fetching.lock().await;
        let is_newer = |value: &Arc<T>| !Arc::ptr_eq(value, than);
        if self.usable(clocks.now()).filter(is_newer).is_none() && self.may_try(clocks.now()) {
            self.fetch(clocks, source).await;
        }
        self.usable(clocks.now()).filter(is_newer)
    }

    async fn fetch(&self, clocks: &Clocks, source: &impl Source<T>) {
        let since = clocks.now();
        let before = self.lock().document.as_ref().map(|document| Arc::clone(&document.value));
        let fetched = source.fetch(since, before).await;
        let mut kept = self.lock();
        kept.tried = Some(clocks.now());
        match fetched {
            Ok((value, freshness)) => {
                kept.document = Some(Document { value: Arc::new(value), since, freshness });
            }
            Err(error) => tracing::warn!(%error, "what JWTs are checked by is not up to date"),
        }
    }

    fn step(&self, now: Moment) -> (Step, Option<Arc<T>>) {
        let kept = self.lock();
        let document = kept.document.as_ref();
        let of = document.map(|document| (now.since(document.since), document.freshness));
        let tried = kept.tried.map(|tried| now.since(tried));
        (step(of, tried), document.map(|document| Arc::clone(&document.value)))
    }

    /// Returns the document, if it may be used.
    fn usable(&self, now: Moment) -> Option<Arc<T>> {
        let kept = self.lock();
        let is_usable =
            |document: &&Document<T>| now.since(document.since) < document.freshness.useless_after;
        kept.document.as_ref().filter(is_usable).map(|document| Arc::clone(&document.value))
    }

    fn may_try(&self, now: Moment) -> bool {
        let tried = self.lock().tried.map(|tried| now.since(tried));
        tried.is_none_or(|ago| ago >= super::freshness::RETRY_AFTER)
    }

    /// No code panics while it holds the lock.
    fn lock(&self) -> std::sync::MutexGuard<'_, Kept<T>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
