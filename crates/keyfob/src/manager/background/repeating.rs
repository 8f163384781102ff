//! Work that repeats until its owner is gone.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::tasks::{Phase, Tasks};

/// Periodic work. The first caller starts it. It holds a weak reference to its owner, and ends
/// when the owner is dropped or its tasks are ended. If its runtime ends before, the next caller starts it again.
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

/// The function that runs once per period, on the owner of the work.
pub(in crate::manager) type Round<T> =
    for<'a> fn(&'a T) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Repeating {
    pub(in crate::manager) fn is_started(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Starts to run `round` after every `pause`, if it is not started yet. Does nothing outside a
    /// Tokio runtime; a later caller may be inside one.
    pub(in crate::manager) fn start<T: Send + Sync + 'static>(
        &self,
        tasks: &Tasks,
        owner: &Arc<T>,
        pause: Duration,
        round: Round<T>,
    ) {
        if self.is_started() {
            return;
        }
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        if self.0.swap(true, Ordering::Relaxed) {
            return;
        }
        let guard = tasks.enter();
        let mut phase = tasks.phase();
        let owner = Arc::downgrade(owner);
        let mut restart = RestartOnDrop(Some(Arc::clone(&self.0)));
        runtime.spawn(async move {
            let _guard = guard;
            // The task has this value also when its runtime drops it.
            let restart = &mut restart;
            loop {
                tokio::select! {
                    // This also completes when the sender is dropped.
                    _ = phase.wait_for(|phase| *phase != Phase::Running) => break,
                    () = tokio::time::sleep(pause) => {}
                }
                match owner.upgrade() {
                    Some(owner) => round(&owner).await,
                    None => break,
                }
            }
            restart.0 = None;
        });
    }
}
