//! From serving to ended.

use tokio::sync::watch;

/// The phase of a server. It only moves forward.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Phase {
    /// It serves.
    Serving,
    /// It serves, and tells load balancers to turn away: `/readyz` is red, and answers of HTTP/1.1 close
    /// their connection.
    Leaving,
    /// It accepts no connections, ends streams of events, and lets requests finish.
    Draining,
    /// Connections that are left are cut.
    Ended,
}

/// The phase, with those who wait for the next one.
#[derive(Debug)]
pub(crate) struct Phases(watch::Sender<Phase>);

impl Phases {
    pub(crate) fn new() -> Self {
        Self(watch::Sender::new(Phase::Serving))
    }

    /// Moves to a phase, unless a later one has come.
    pub(crate) fn enter(&self, next: Phase) {
        self.0.send_if_modified(|phase| {
            let is_later = next > *phase;
            *phase = next.max(*phase);
            is_later
        });
    }

    /// Returns the phase.
    pub(crate) fn current(&self) -> Phase {
        *self.0.borrow()
    }

    /// Returns a receiver, for [`reached`].
    pub(crate) fn subscribe(&self) -> watch::Receiver<Phase> {
        self.0.subscribe()
    }
}

/// Waits until the phase is `at_least` or later.
pub(crate) async fn reached(phases: &mut watch::Receiver<Phase>, at_least: Phase) {
    if phases.wait_for(|phase| *phase >= at_least).await.is_err() {
        // The server is gone, so no phase follows.
        std::future::pending::<()>().await;
    }
}
