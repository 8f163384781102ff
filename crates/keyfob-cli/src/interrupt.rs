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
        tokio::spawn(async move {
            signal().await;
            sender.send_replace(true);
            signal().await;
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

#[cfg(unix)]
async fn signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = signal(SignalKind::terminate());
    match terminated {
        Ok(mut terminated) => tokio::select! {
            _ = tokio::signal::ctrl_c() => {}
            _ = terminated.recv() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn signal() {
    drop(tokio::signal::ctrl_c().await);
}
