//! The tasks that a manager has spawned, and the phase that they are in.

use std::time::Duration;

use tokio::sync::watch;

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
