//! The shutdown of a manager: pending writes, ended tasks, and a repeated shutdown.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use keyfob::handlers::{Delivery, EventHandler, HandlerError};
use keyfob::store::{
    Counting, Cursor, Documents, EventLog, Invalidations, Maintenance, RecordStore, Resealing,
    StoreWrapper, TermIndex,
};
use keyfob::{MemoryStore, Store, TokenManager, Ttl};

use super::{bench, session};

/// Counts how often a store is closed.
#[derive(Debug)]
struct Closing {
    inner: MemoryStore,
    closed: AtomicU64,
}

impl StoreWrapper for Closing {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }
}

impl RecordStore for Closing {
    keyfob::store::forward_store! {
        namespace insert load replace consume touch revoke advance stamp time_of
    }
}

impl TermIndex for Closing {
    keyfob::store::forward_store! { query heads count }
}

impl EventLog for Closing {
    keyfob::store::forward_store! { observe entries latest }
}

impl Counting for Closing {}

impl Resealing for Closing {}

impl Documents for Closing {}

impl Invalidations for Closing {}

#[async_trait::async_trait]
impl Maintenance for Closing {
    keyfob::store::forward_store! { report }

    async fn close(&self) {
        self.closed.fetch_add(1, Ordering::SeqCst);
    }
}

/// A handler that is slow and records its calls.
struct Slow {
    taken: Arc<Mutex<Vec<&'static str>>>,
    pause: Duration,
}

impl EventHandler for Slow {
    fn handle(&mut self, _: &Delivery) -> Result<(), HandlerError> {
        std::thread::sleep(self.pause);
        self.taken.lock().unwrap().push("event");
        Ok(())
    }

    fn sync(&mut self) -> Result<(), HandlerError> {
        self.taken.lock().unwrap().push("sync");
        Ok(())
    }
}

#[tokio::test]
async fn a_shutdown_delivers_pending_events_and_ends_streams() {
    let bench = bench();
    let taken = Arc::new(Mutex::new(Vec::new()));
    let slow = Slow { taken: taken.clone(), pause: Duration::from_millis(1) };
    let task = bench.manager.spawn_handler(slow, Cursor::start());
    let mut events = bench.manager.events_from(Cursor::start());
    for n in 0..50 {
        bench.manager.issue(session(&format!("user{n}"))).await.unwrap();
    }
    bench.manager.shutdown().await;
    assert!(task.is_finished());
    let taken = taken.lock().unwrap().clone();
    assert_eq!(taken.iter().filter(|what| **what == "event").count(), 50);
    assert_eq!(taken.last(), Some(&"sync"), "the handler is synced at the end");
    let mut streamed = 0;
    while let Some(delivery) = events.next().await {
        delivery.unwrap();
        streamed += 1;
    }
    assert_eq!(streamed, 50);
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn a_shutdown_does_not_wait_for_a_handler_that_fails() {
    let bench = bench();
    bench.manager.issue(session("user123")).await.unwrap();
    let failing = |_: &Delivery| Err(HandlerError::new("never"));
    let task = bench.manager.spawn_handler(failing, Cursor::start());
    tokio::time::sleep(Duration::from_millis(20)).await;
    let begun = std::time::Instant::now();
    bench.manager.shutdown().await;
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert!(task.is_finished());
    assert_eq!(task.cursor(), Cursor::start(), "unhandled events stay in the feed");
}

#[tokio::test]
async fn a_shutdown_writes_pending_data_and_can_be_repeated() {
    let store = Arc::new(Closing { inner: MemoryStore::new().unwrap(), closed: AtomicU64::new(0) });
    let manager = TokenManager::builder(store.clone()).build();
    let issued = manager.issue(session("user123")).await.unwrap();
    manager.validate_active(&issued.bearer).await.unwrap();
    let revoked = manager.issue(session("user456")).await.unwrap();
    manager.revoke(revoked.token.id, keyfob::RevokeRequest::default()).await.unwrap();
    manager.validate_active(&revoked.bearer).await.unwrap_err();
    let clone = manager.clone();
    tokio::join!(manager.shutdown(), clone.shutdown());
    manager.shutdown().await;
    assert!(store.closed.load(Ordering::SeqCst) >= 1);
    assert!(manager.get(issued.token.id).await.unwrap().last_used.is_some());
    let observed = manager.observations(&Cursor::start(), 10).await.unwrap();
    assert_eq!(observed.observations.len(), 1);
}

#[tokio::test]
async fn last_uses_after_a_shutdown_are_written_by_the_next_shutdown() {
    let bench = bench();
    let issued = bench.manager.issue(session("user123")).await.unwrap();
    bench.manager.shutdown().await;
    bench.clock.advance(Ttl::from_mins(2));
    bench.manager.validate_active(&issued.bearer).await.unwrap();
    bench.manager.shutdown().await;
    assert!(bench.manager.get(issued.token.id).await.unwrap().last_used.is_some());
}
