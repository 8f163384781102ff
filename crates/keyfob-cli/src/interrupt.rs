//! Ctrl-C and SIGTERM. The first asks the command to stop without data loss. The second ends it.

use tokio::sync::watch;

use crate::failure::{Exit, Failure};

/// Whether the user has asked the command to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Starts to listen for signals.
    pub(crate) fn listen() -> Self {
        let (sender, receiver) = watch::channel(false);
        let mut signals = Signals::catch();
        tokio::spawn(async move {
            signals.next().await;
            sender.send_replace(true);
            signals.next().await;
            std::process::exit(Exit::Interrupted.number().into());
        });
        Self(receiver)
    }

    /// Waits until the user asks the command to stop.
    pub(crate) async fn requested(&self) {
        if self.0.clone().wait_for(|requested| *requested).await.is_err() {
            // The listener has ended, so no request can come.
            std::future::pending::<()>().await;
        }
    }

    /// Runs the work. Drops it and returns [`Failure::Interrupted`] on a request to stop.
    pub(crate) async fn or<T>(
        &self,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        tokio::select! {
            biased;
            () = self.requested() => Err(Failure::Interrupted),
            outcome = work => outcome,
        }
    }
}

/// The signals that end a command. Creating this catches them.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    fn catch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // A signal that cannot be caught ends the process immediately.
        Self([SignalKind::interrupt(), SignalKind::terminate()].map(|kind| signal(kind).ok()))
    }

    async fn next(&mut self) {
        let [interrupt, terminate] = &mut self.0;
        tokio::select! {
            () = received(interrupt) => {}
            () = received(terminate) => {}
        }
    }
}

#[cfg(unix)]
async fn received(signal: &mut Option<tokio::signal::unix::Signal>) {
    let received = match signal {
        Some(signal) => signal.recv().await,
        None => None,
    };
    if received.is_none() {
        std::future::pending::<()>().await;
    }
}

#[cfg(not(unix))]
struct Signals;

#[cfg(not(unix))]
impl Signals {
    fn catch() -> Self {
        Self
    }

    async fn next(&mut self) {
        drop(tokio::signal::ctrl_c().await);
    }
}
