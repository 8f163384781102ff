//! Background work: rounds that repeat, and the order in which everything ends at shutdown.
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

/// Whether the manager's tasks are to go on.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(in crate::manager) enum Phase {
    /// They go on.
    Running,
    /// They finish the work that there is, and then end.
    Draining,
    /// They end after the step that they are in.
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

    /// The present phase and its changes.
    pub(in crate::manager) fn phase(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    /// Counts one more task as running. Call it before the task is spawned, so that a shutdown
    /// waits for it.
    pub(in crate::manager) fn enter(&self) -> TaskGuard {
        self.running.send_modify(|running| *running += 1);
        TaskGuard(self.running.clone())
    }

    /// Moves on to `phase`, unless a later one was reached, and waits at most `limit` until no task
    /// is running. Returns whether that is so.
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

/// Work that repeats. The first caller that needs it starts it. It holds the manager weakly, and
/// ends when the manager is dropped or shut down.
#[derive(Debug, Default)]
pub(in crate::manager) struct Repeating(AtomicBool);

/// One round of the work.
pub(in crate::manager) type Round =
    for<'a> fn(&'a Inner) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Repeating {
    pub(in crate::manager) fn is_started(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts to run `round` after every `pause`, unless that was done before. Outside a runtime
    /// nothing is started: the next caller may be within one.
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
        runtime.spawn(async move {
            let _guard = guard;
            loop {
                tokio::select! {
                    // Also when the manager is dropped, and the sender with it.
                    _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
                    () = tokio::time::sleep(pause) => {}
                }
                match manager.upgrade() {
                    Some(inner) => round(&inner).await,
                    None => break,
                }
            }
        });
    }
}
