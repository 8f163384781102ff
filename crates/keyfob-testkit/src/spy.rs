//! A store that is watched: it counts what is loaded and written, answers as late as it is told to,
//! and stops taking writes or loses them when it is told to.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use keyfob::store::*;
use keyfob::{Store, TokenId};

/// A store around another.
#[derive(Debug)]
pub struct Spy {
    inner: Arc<dyn Store>,
    loads: AtomicU64,
    writes: AtomicU64,
    /// How many more writes are taken.
    writes_left: AtomicU64,
    /// How many replacements will be lost.
    lost: AtomicU64,
    /// How late the next loads are answered, the first first.
    late: Mutex<Vec<Duration>>,
    /// Whether watchers hear of changes.
    is_heard: bool,
}

impl Spy {
    /// Around `inner`, whose watchers hear of changes.
    pub fn on(inner: Arc<dyn Store>) -> Self {
        let [loads, writes, writes_left, lost] = [0, 0, u64::MAX, 0].map(AtomicU64::new);
        Self { inner, loads, writes, writes_left, lost, late: Mutex::default(), is_heard: true }
    }

    /// The same without a feed.
    pub fn without_a_feed(self) -> Self {
        Self { is_heard: false, ..self }
    }

    /// How many loads there were.
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// How many writes were taken, apart from those that are gathered in the background.
    pub fn writes(&self) -> u64 {
        self.writes.load(Ordering::SeqCst)
    }

    /// Takes so many more writes and fails all others, as if the node had stopped after them.
    pub fn stop_after(&self, writes: u64) {
        self.writes_left.store(writes, Ordering::SeqCst);
    }

    /// Acknowledges the next replacements and loses them, as a fail-over may.
    pub fn lose_replacements(&self, lost: u64) {
        self.lost.store(lost, Ordering::SeqCst);
    }

    fn write(&self) -> Result<(), StoreError> {
        let taken = |left: u64| left.checked_sub(1);
        let left = self.writes_left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, taken);
        left.map_err(|_| StoreError::unavailable("it was told to take no more writes"))?;
        self.writes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Answers the next loads so late; what is after them in time again. What is answered was read
    /// at once.
    pub fn answer_late(&self, late: impl IntoIterator<Item = Duration>) {
        let mut waiting = self.late.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.extend(late);
    }
}

impl StoreWrapper for Spy {
    fn inner(&self) -> &dyn Store {
        &*self.inner
    }

    fn around<'a, T: Send + 'a>(&'a self, verb: StoreMethod, call: Call<'a, T>) -> Call<'a, T> {
        match verb {
            StoreMethod::Insert
            | StoreMethod::Consume
            | StoreMethod::Revoke
            | StoreMethod::Advance => Box::pin(async move {
                self.write()?;
                call.await
            }),
            _ => call,
        }
    }
}

#[async_trait]
impl RecordStore for Spy {
    keyfob::store::forward_store! { namespace insert consume touch revoke advance stamp time_of }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        self.loads.fetch_add(1, Ordering::SeqCst);
        let late = {
            let mut late = self.late.lock().unwrap_or_else(PoisonError::into_inner);
            (!late.is_empty()).then(|| late.remove(0))
        };
        let loaded = self.inner.load(id).await?;
        if let Some(late) = late {
            tokio::time::sleep(late).await;
        }
        Ok(loaded)
    }

    async fn replace(
        &self,
        operation: Operation,
        replace: Replace,
    ) -> Result<Replaced, StoreError> {
        self.write()?;
        let lost = |left: u64| left.checked_sub(1);
        if self.lost.fetch_update(Ordering::SeqCst, Ordering::SeqCst, lost).is_ok() {
            return Ok(Replaced::Stored(RecordVersion(replace.read.0 + 1)));
        }
        self.inner.replace(operation, replace).await
    }
}

#[async_trait]
impl TermIndex for Spy {
    keyfob::store::forward_store! { query count }
}

#[async_trait]
impl EventLog for Spy {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for Spy {
    keyfob::store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for Spy {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Invalidations for Spy {
    fn watch(&self, watcher: &Arc<InvalidationListener>) {
        if self.is_heard {
            self.inner.watch(watcher);
        }
    }
}

#[async_trait]
impl Maintenance for Spy {
    keyfob::store::forward_store! { report metrics close }
}
