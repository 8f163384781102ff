//! Background tasks of the manager: periodic work, and the shutdown order.
//!
//! | module | what |
//! |---|---|
//! | `last_use` | when tokens were last used: gathered in memory, written together |
//! | `metrics` | counts and gauges that are published once a second |
//! | `shutdown` | ends everything in order |

pub(in crate::manager) mod last_use;
pub(in crate::manager) mod metrics;
mod shutdown;

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::sync::watch;

use crate::manager::Inner;

/// The phase of the manager's background tasks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::manager) enum Phase {
    /// The tasks run.
    Running,
    /// The tasks finish pending work, then end.
    Draining,
    /// The tasks end after their current step.
    Stopped,
}

/// The tasks that a manager has spawned.
#[derive(Debug)]
pub(in crate::manager) struct Tasks {
    phase: watch::Sender<Phase>,
    running: watch::Sender<usize>,
}

/// Counts a task as running until it is dropped.
#[derive(Debug)]
pub(in crate::manager) struct TaskGuard(watch::Sender<usize>);

impl Tasks {
    pub(in crate::manager) fn new() -> Self {
        Self { phase: watch::Sender::new(Phase::Running), running: watch::Sender::new(0) }
    }

    /// Returns a receiver of the current phase and of its changes.
    pub(in crate::manager) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Counts one more task as running. Call it before the task is spawned, so that a shutdown
    /// waits for it.
    pub(in crate::manager) fn enter(&self) -> TaskGuard {
        self.running.send_modify(|running| *running += 1);
        TaskGuard(self.running.clone())
    }

    /// Sets the phase to `phase`, unless the current phase is later. Waits at most `limit` for all
    /// tasks to end. Returns whether all tasks have ended.
    pub(in crate::manager) async fn end(&self, phase: Phase, limit: Duration) -> bool {
        self.phase.send_if_modified(|present| {
            let is_later = *present < phase;
            *present = phase.max(*present);
            is_later
        });
        let mut running = self.running.subscribe();
        let none_running = running.wait_for(|running| *running == 0);
        tokio::time::timeout(limit, none_running).await.is_ok()
    }
}

impl Drop for TaskGuard {
    fn drop(&mut self) {
        self.0.send_modify(|running| *running -= 1);
    }
}

/// Periodic work. The first caller starts it. It holds a weak reference to the manager, and ends
/// when the manager is dropped or shut down. If its runtime ends before, the next caller starts it again.
#[derive(Debug, Default)]
pub(in crate::manager) struct Repeating(Arc<AtomicBool>);

/// Says that the work has to be started again, if it is dropped before the work has ended.
struct RestartOnDrop(Option<Arc<AtomicBool>>);

impl Drop for RestartOnDrop {
    fn drop(&mut self) {
        if let Some(is_started) = &self.0 {
            is_started.store(false, Ordering::Relaxed);
        }
    }
}

/// The function that runs once per period.
pub(in crate::manager) type Round =
    for<'a> fn(&'a Inner) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Repeating {
    pub(in crate::manager) fn is_started(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts to run `round` after every `pause`, if it is not started yet. Does nothing outside a
    /// Tokio runtime; a later caller may be inside one.
    pub(in crate::manager) fn start(&self, manager: &Arc<Inner>, pause: Duration, round: Round) {
        if self.is_started() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let guard = manager.tasks.enter();
        let mut phase = manager.tasks.phase();
        let manager = Arc::downgrade(manager);
        let mut restart = RestartOnDrop(Some(Arc::clone(&self.0)));
        runtime.spawn(async move {
            let _guard = guard;
            // The task has this value also when its runtime drops it.
            let restart = &mut restart;
            loop {
                tokio::select! {
                    // This also completes when the manager, and with it the sender, is dropped.
                    _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
                    () = tokio::time::sleep(pause) => {}
                }
                match manager.upgrade() {
                    Some(inner) => round(&inner).await,
                    None => break,
                }
            }
            restart.0 = None;
        });
    }
}
