//! Tells systemd how the service is (`sd_notify`). Without systemd, nothing is said to anybody.

use sd_notify::NotifyState;

/// Says that the service is ready.
pub(crate) fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says that the service reads its configuration again. [`ready`] follows.
pub(crate) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => notify(&[NotifyState::Reloading, now]),
        Err(error) => tracing::debug!(%error, "the time of the machine is not available"),
    }
}

/// Says that the service stops.
pub(crate) fn stopping() {
    notify(&[NotifyState::Stopping]);
}

fn notify(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::debug!(%error, "systemd could not be notified");
    }
}
