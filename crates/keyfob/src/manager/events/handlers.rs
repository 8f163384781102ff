//! Handlers at work: fed from the events by a cursor, on threads where they may block.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::Notify;
use tokio::task::JoinHandle;

use super::stream::{Delivery, LATEST, PAGE, SOONEST};
use crate::handler::{EventHandler, HandlerError};
use crate::manager::TokenManager;
use crate::store::Cursor;
use crate::time::Ttl;

/// A handler at work. It goes on until it is stopped; dropping this does not stop it.
#[derive(Debug)]
pub struct HandlerTask {
    task: JoinHandle<()>,
    stop: Arc<Stop>,
}

/// The wish that a handler be given nothing more.
#[derive(Debug, Default)]
struct Stop {
    wanted: AtomicBool,
    told: Notify,
}

impl Stop {
    fn is_wanted(&self) -> bool {
        self.wanted.load(Ordering::SeqCst)
    }
}

impl TokenManager {
    /// Hands the events from a cursor on to a handler, in order and one at a time, on threads where
    /// it may block. A handler that fails is given the same event again.
    pub fn attach(&self, handler: impl EventHandler, from: Cursor) -> HandlerTask {
        let stop = Arc::new(Stop::default());
        let task = tokio::spawn(feed(self.clone(), handler, from, stop.clone()));
        HandlerTask { task, stop }
    }
}

impl HandlerTask {
    /// Stops it, when it is done with the event that it has. What it has not been given stays in
    /// the feed.
    pub async fn stop(self) {
        self.stop.wanted.store(true, Ordering::SeqCst);
        self.stop.told.notify_one();
        let _ = self.task.await;
    }
}

async fn feed(
    manager: TokenManager,
    mut handler: impl EventHandler,
    mut cursor: Cursor,
    stop: Arc<Stop>,
) {
    let mut pause = SOONEST;
    let metrics = manager.inner.metrics.clone();
    let counts = &metrics.handles;
    while !stop.is_wanted() {
        let page = match manager.events(&cursor, PAGE).await {
            Ok(page) => page,
            Err(error) => {
                tracing::warn!(%error, "an event handler waits for the store");
                wait(&stop, tokio::time::sleep(LATEST)).await;
                continue;
            }
        };
        let (mut deliveries, after) = page.into_deliveries(&cursor);
        if deliveries.is_empty() {
            cursor = after;
            wait(&stop, manager.wait_for_events(pause)).await;
            pause = (pause * 2).min(LATEST);
            continue;
        }
        pause = SOONEST;
        while !deliveries.is_empty() && !stop.is_wanted() {
            let (stopped, handing) = (stop.clone(), manager.clone());
            let hand_over = move || hand_over(&handing, handler, deliveries, &stopped);
            let Ok((back, left, outcome)) = tokio::task::spawn_blocking(hand_over).await else {
                counts.event_handler_failures.increment(1);
                tracing::error!("an event handler panicked and is no longer fed");
                return;
            };
            handler = back;
            deliveries = left;
            if let Err(error) = outcome {
                counts.event_handler_failures.increment(1);
                tracing::warn!(%error, "an event is offered again");
                wait(&stop, tokio::time::sleep(LATEST)).await;
            }
        }
        cursor = after;
    }
}

impl TokenManager {
    fn count_delivery(&self, delivery: &Delivery) {
        let counts = &self.inner.metrics.handles;
        match delivery {
            Delivery::Event(event) => {
                let delay = self.now().since(event.at).map_or(0, Ttl::as_millis);
                counts.event_delay.record(delay as f64 / 1e3);
                counts.events_delivered.increment(1);
            }
            Delivery::Trimmed => counts.event_gaps.increment(1),
        }
    }
}

async fn wait(stop: &Stop, pause: impl Future<Output = ()>) {
    tokio::select! {
        () = stop.told.notified() => {}
        () = pause => {}
    }
}

type Deliveries = Vec<(Delivery, Cursor)>;

/// Gives a handler what there is until it fails or is to stop; what it did not take comes back.
fn hand_over<H: EventHandler>(
    manager: &TokenManager,
    mut handler: H,
    mut deliveries: Deliveries,
    stop: &Stop,
) -> (H, Deliveries, Result<(), HandlerError>) {
    let mut done = 0usize;
    let mut outcome = Ok(());
    for (delivery, _) in &deliveries {
        if stop.is_wanted() {
            break;
        }
        outcome = match delivery {
            Delivery::Event(event) => handler.handle(event),
            Delivery::Trimmed => handler.trimmed(),
        };
        if outcome.is_err() {
            break;
        }
        manager.count_delivery(delivery);
        done += 1;
    }
    let mut taken = done;
    if let Some((_, cursor)) = done.checked_sub(1).and_then(|last| deliveries.get(last)) {
        let checkpoint = handler.checkpoint(cursor);
        if checkpoint.is_err() && outcome.is_ok() {
            // It is tried again with the last of what was handled.
            taken = done - 1;
            outcome = checkpoint;
        }
    }
    deliveries.drain(..taken);
    (handler, deliveries, outcome)
}
