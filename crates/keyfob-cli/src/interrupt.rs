//! Ctrl-C and SIGTERM: the first asks a command to stop where nothing is lost, the second stops it.

use tokio::sync::watch;

use crate::failure::{Exit, Failure};

/// Whether the command was asked to stop.
#[derive(Clone, Debug)]
pub(crate) struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    /// Begins to listen.
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

    /// Waits until the command is asked to stop.
    pub(crate) async fn requested(&self) {
        if self.0.clone().wait_for(|asked| *asked).await.is_err() {
            // Nobody listens any more, so nobody will ask.
            std::future::pending::<()>().await;
        }
    }

    /// The work's outcome, unless it is interrupted: then it is dropped where it stands.
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

/// The signals that end a command; they are caught as soon as there is one of these.
#[cfg(unix)]
struct Signals([Option<tokio::signal::unix::Signal>; 2]);

#[cfg(unix)]
impl Signals {
    fn catch() -> Self {
        use tokio::signal::unix::{SignalKind, signal};
        // One that cannot be caught still ends the process, only less gently.
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
