//! A task that hands events to a handler, tries again after a failure, and keeps the cursor.

use std::collections::VecDeque;
use std::error::Error as StdError;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::EventStream;
use super::stream::RETRY_DELAY;
use crate::handlers::audit::{AuditLog, TakeOver, Writer};
use crate::handlers::{Delivery, EventHandler, HandlerError};
use crate::manager::TokenManager;
use crate::manager::background::Phase;
use keyfob_core::time::Ttl;
use keyfob_store::Cursor;

/// A task that hands events to a handler. It runs until it is stopped or the manager is shut down;
/// dropping this does not stop it.
#[derive(Debug)]
pub struct HandlerTask {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
    cursor: watch::Receiver<Cursor>,
}

/// How long after the last event a handler's [`EventHandler::sync`] is called.
const SYNC_DELAY: Duration = Duration::from_secs(1);
/// How often an audit log that waits for its file tries to take it over.
const TAKE_OVER_INTERVAL: Duration = Duration::from_millis(250);

type Deliveries = VecDeque<(Delivery, Cursor)>;

/// # Events and observations
impl TokenManager {
    /// Spawns a task that hands the events after `cursor` to a handler, in order and one at a time,
    /// on threads where the handler may block.
    ///
    /// When the handler fails, the same event is delivered again a second later. A handler that
    /// panics is given no more events. At [`TokenManager::shutdown`] it is given what there is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use keyfob::{MemoryStore, TokenManager};
    /// use keyfob::handlers::{Delivery, JsonLines};
    ///
    /// # let manager = TokenManager::new(MemoryStore::new()?);
    /// let from = manager.latest_event().await?;
    /// manager.spawn_handler(JsonLines::new(std::io::stdout()), from.clone());
    /// manager.spawn_handler(
    ///     |delivery: &Delivery| {
    ///         if let Delivery::Event(event) = delivery {
    ///             println!("{}", event.what.as_str());
    ///         }
    ///         Ok(())
    ///     },
    ///     from,
    /// );
    /// # manager.shutdown().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn_handler(&self, handler: impl EventHandler, cursor: Cursor) -> HandlerTask {
        let manager = self.clone();
        let stream = self.events_from(cursor.clone());
        self.spawn_event_task(cursor, async move |control| {
            run(&manager, stream, OnThread::new(&manager, handler), control).await;
        })
    }

    /// Spawns a task that calls `handler` with each event after `cursor` and the cursor after that
    /// event, in order and one at a time. A handler that resumes after a restart keeps that cursor
    /// in the same transaction as its effect.
    ///
    /// When `handler` fails, the same event is delivered again a second later. A handler that
    /// panics is given no more events. At [`TokenManager::shutdown`] it is given what there is.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// use keyfob::store::Cursor;
    ///
    /// let task = manager.for_each_event(Cursor::start(), async |delivery, cursor| {
    ///     println!("{delivery:?}, resume from {cursor}");
    ///     Ok::<_, std::io::Error>(())
    /// });
    /// task.stop().await;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn for_each_event<F, Done, E>(&self, cursor: Cursor, handler: F) -> HandlerTask
    where
        F: FnMut(Delivery, Cursor) -> Done + Send + 'static,
        Done: Future<Output = Result<(), E>> + Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
    {
        let manager = self.clone();
        let stream = self.events_from(cursor.clone());
        self.spawn_event_task(cursor, async move |control| {
            run(&manager, stream, InTask { manager: manager.clone(), handler }, control).await;
        })
    }

    /// Spawns a task that writes events into an [`AuditLog`], from the cursor that the log keeps.
    ///
    /// A log that shares its file waits until no other instance writes to it.
    ///
    /// ```no_run
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let manager = keyfob::TokenManager::new(keyfob::MemoryStore::new()?);
    /// manager.spawn_audit_log(keyfob::AuditLog::open("/var/log/shop/tokens.jsonl")?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn_audit_log(&self, log: AuditLog) -> HandlerTask {
        let manager = self.clone();
        self.spawn_event_task(Cursor::start(), async move |mut control| {
            let Some((writer, cursor)) = take_over(&manager, log, &mut control).await else {
                return;
            };
            control.cursor.send_replace(cursor.clone());
            let stream = manager.events_from(cursor);
            run(&manager, stream, OnThread::new(&manager, writer), control).await;
        })
    }

    fn spawn_event_task<Task>(
        &self,
        cursor: Cursor,
        task: impl FnOnce(Control) -> Task,
    ) -> HandlerTask
    where
        Task: Future<Output = ()> + Send + 'static,
    {
        let (stop, stopped) = watch::channel(false);
        let (acknowledged, cursor) = watch::channel(cursor);
        let phase = self.inner.tasks.phase();
        let control = Control { _stop: stop.clone(), stopped, phase, cursor: acknowledged };
        let guard = self.inner.tasks.enter();
        let task = task(control);
        let task = tokio::spawn(async move {
            task.await;
            drop(guard);
        });
        HandlerTask { task, stop, cursor }
    }

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

    fn count_handler_failure(&self) {
        self.inner.metrics.handles.event_handler_failures.increment(1);
    }
}

impl HandlerTask {
    /// Stops the task after the event that the handler has. What was not delivered stays in the
    /// feed.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        let _ = self.task.await;
    }

    /// The cursor after the last event that the handler took.
    pub fn cursor(&self) -> Cursor {
        self.cursor.borrow().clone()
    }

    /// Whether the task has ended: it was stopped, the manager was shut down, or the handler
    /// panicked.
    pub fn is_finished(&self) -> bool {
        self.task.is_finished()
    }
}

/// What a task is controlled by, and where it publishes its cursor.
#[derive(Clone)]
struct Control {
    /// Keeps the channel open when the [`HandlerTask`] is dropped.
    _stop: watch::Sender<bool>,
    stopped: watch::Receiver<bool>,
    phase: watch::Receiver<Phase>,
    cursor: watch::Sender<Cursor>,
}

impl Control {
    /// Whether no more events are delivered.
    fn is_stopped(&self) -> bool {
        *self.stopped.borrow() || *self.phase.borrow() == Phase::Stopped
    }

    /// Waits until no more events are delivered.
    async fn stopped(&mut self) {
        tokio::select! {
            _ = self.stopped.wait_for(|is_stopped| *is_stopped) => {}
            _ = self.phase.wait_for(|phase| *phase == Phase::Stopped) => {}
        }
    }

    /// Waits before the next attempt. Returns `false` if there is no next attempt.
    async fn wait_to_retry(&mut self, delay: Duration) -> bool {
        tokio::select! {
            _ = self.stopped.wait_for(|is_stopped| *is_stopped) => false,
            _ = self.phase.wait_for(|phase| *phase != Phase::Running) => false,
            () = tokio::time::sleep(delay) => true,
        }
    }
}

/// A handler panicked.
struct Panicked;

/// Runs a handler's calls where they may be run.
trait Runner: Send {
    /// Delivers until all is taken, the handler fails, or the task is stopped. What was taken is
    /// removed from `deliveries`.
    fn deliver(
        &mut self,
        deliveries: &mut Deliveries,
        control: &Control,
    ) -> impl Future<Output = Result<Result<(), HandlerError>, Panicked>> + Send;

    fn needs_sync(&self) -> bool {
        false
    }

    fn sync(&mut self) -> impl Future<Output = Result<Result<(), HandlerError>, Panicked>> + Send {
        std::future::ready(Ok(Ok(())))
    }
}

/// Hands the deliveries of `stream` to a handler until either ends.
async fn run(
    manager: &TokenManager,
    mut stream: EventStream,
    mut runner: impl Runner,
    mut control: Control,
) {
    if deliver_all(manager, &mut stream, &mut runner, &mut control).await.is_err() {
        manager.count_handler_failure();
        tracing::error!("an event handler panicked: it is given no more events");
        return;
    }
    if let Ok(Err(error)) = runner.sync().await {
        manager.count_handler_failure();
        tracing::warn!(%error, "an event handler ends without having written all");
    }
}

async fn deliver_all(
    manager: &TokenManager,
    stream: &mut EventStream,
    runner: &mut impl Runner,
    control: &mut Control,
) -> Result<(), Panicked> {
    loop {
        let batch = tokio::select! {
            biased;
            () = control.stopped() => return Ok(()),
            batch = stream.next_batch() => batch,
            () = tokio::time::sleep(SYNC_DELAY), if runner.needs_sync() => {
                if let Err(error) = runner.sync().await? {
                    manager.count_handler_failure();
                    tracing::warn!(%error, "an event handler could not write");
                }
                continue;
            }
        };
        let mut deliveries = match batch {
            None => return Ok(()),
            Some(Ok(deliveries)) => deliveries,
            Some(Err(error)) => {
                tracing::warn!(%error, "an event handler waits for the store");
                continue;
            }
        };
        while !deliveries.is_empty() {
            if control.is_stopped() {
                return Ok(());
            }
            if let Err(error) = runner.deliver(&mut deliveries, control).await? {
                manager.count_handler_failure();
                tracing::warn!(%error, "an event handler failed: the event is delivered again");
                if !control.wait_to_retry(RETRY_DELAY).await {
                    return Ok(());
                }
            }
        }
    }
}

/// A handler that is called on threads for blocking work.
struct OnThread<H> {
    manager: TokenManager,
    /// Missing while a thread has it, and after it has panicked.
    handler: Option<H>,
}

impl<H: EventHandler> OnThread<H> {
    fn new(manager: &TokenManager, handler: H) -> Self {
        Self { manager: manager.clone(), handler: Some(handler) }
    }

    async fn call<T: Send + 'static>(
        &mut self,
        call: impl FnOnce(&mut H) -> T + Send + 'static,
    ) -> Result<T, Panicked> {
        let mut handler = self.handler.take().ok_or(Panicked)?;
        let call = move || {
            let result = call(&mut handler);
            (handler, result)
        };
        let (handler, result) = tokio::task::spawn_blocking(call).await.map_err(|_| Panicked)?;
        self.handler = Some(handler);
        Ok(result)
    }
}

impl<H: EventHandler> Runner for OnThread<H> {
    async fn deliver(
        &mut self,
        deliveries: &mut Deliveries,
        control: &Control,
    ) -> Result<Result<(), HandlerError>, Panicked> {
        let (manager, control) = (self.manager.clone(), control.clone());
        let batch = std::mem::take(deliveries);
        let (left, outcome) =
            self.call(move |handler| deliver_batch(&manager, handler, batch, &control)).await?;
        *deliveries = left;
        Ok(outcome)
    }

    fn needs_sync(&self) -> bool {
        self.handler.as_ref().is_some_and(EventHandler::needs_sync)
    }

    async fn sync(&mut self) -> Result<Result<(), HandlerError>, Panicked> {
        self.call(EventHandler::sync).await
    }
}

/// Delivers until all is taken, the handler fails, or the task is stopped. Returns what is left.
fn deliver_batch(
    manager: &TokenManager,
    handler: &mut impl EventHandler,
    mut deliveries: Deliveries,
    control: &Control,
) -> (Deliveries, Result<(), HandlerError>) {
    let mut last = None;
    let mut outcome = Ok(());
    while let Some(delivery) = deliveries.front().filter(|_| !control.is_stopped()) {
        outcome = handler.handle(&delivery.0);
        if outcome.is_err() {
            break;
        }
        manager.count_delivery(&delivery.0);
        last = deliveries.pop_front();
    }
    if let Some(last) = last {
        match handler.commit(&last.1) {
            Ok(()) => drop(control.cursor.send_replace(last.1)),
            // The commit is tried again with the last delivery that was handled.
            Err(error) if outcome.is_ok() => {
                outcome = Err(error);
                deliveries.push_front(last);
            }
            Err(_) => {}
        }
    }
    (deliveries, outcome)
}

/// A handler that is a future, and is run in the task itself.
struct InTask<F> {
    manager: TokenManager,
    handler: F,
}

impl<F, Done, E> Runner for InTask<F>
where
    F: FnMut(Delivery, Cursor) -> Done + Send,
    Done: Future<Output = Result<(), E>> + Send,
    E: Into<Box<dyn StdError + Send + Sync>>,
{
    async fn deliver(
        &mut self,
        deliveries: &mut Deliveries,
        control: &Control,
    ) -> Result<Result<(), HandlerError>, Panicked> {
        while let Some((delivery, cursor)) = deliveries.front().filter(|_| !control.is_stopped()) {
            let (delivery, cursor) = (delivery.clone(), cursor.clone());
            let handled = AssertUnwindSafe(async { (self.handler)(delivery, cursor).await });
            let handled = handled.catch_unwind().await.map_err(|_| Panicked)?;
            if let Err(error) = handled.map_err(HandlerError::new) {
                return Ok(Err(error));
            }
            if let Some((delivery, cursor)) = deliveries.pop_front() {
                self.manager.count_delivery(&delivery);
                control.cursor.send_replace(cursor);
            }
        }
        Ok(Ok(()))
    }
}

/// Waits until the log's file is this instance's to write. Returns `None` if the task is to end.
async fn take_over(
    manager: &TokenManager,
    mut log: AuditLog,
    control: &mut Control,
) -> Option<(Writer, Cursor)> {
    loop {
        let attempt = tokio::task::spawn_blocking(move || log.take_over());
        log = match attempt.await.ok()? {
            TakeOver::Taken(writer, cursor) => return Some((writer, cursor)),
            TakeOver::Waiting(log) => log,
            TakeOver::Failed(log, error) => {
                manager.count_handler_failure();
                tracing::warn!(%error, "an audit log cannot be opened: it is tried again");
                log
            }
        };
        if !control.wait_to_retry(TAKE_OVER_INTERVAL).await {
            return None;
        }
    }
}
