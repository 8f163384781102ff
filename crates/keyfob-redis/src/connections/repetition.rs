//! Sends calls, and repeats them as long as that may help and their time allows.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::{MonotonicInstant, OperationId, StoreError};
use tokio::time::{Instant, sleep};

use super::Connections;
use super::call::Call;
use super::call_error::{CallError, Redirect};
use super::confirmation::Answerer;
use super::reply::Reply;
use crate::config::misconfigured;

/// The pause before the first repetition. Each further pause is twice as long.
const FIRST_RETRY_PAUSE: Duration = Duration::from_millis(5);
const MAX_RETRY_PAUSE: Duration = Duration::from_millis(200);

/// Makes an error of a call from the cause in words.
type AsError = fn(String) -> StoreError;

/// A call that got no answer.
#[derive(Debug)]
pub(crate) struct CallFailed {
    /// Whether the server may have executed it.
    pub(crate) maybe_done: bool,
    /// Whether it was refused because its keys are on two servers.
    pub(crate) is_split: bool,
    pub(crate) error: StoreError,
}

impl CallFailed {
    pub(crate) fn new(maybe_done: bool, error: StoreError) -> Self {
        Self { maybe_done, is_split: false, error }
    }

    /// Returns the error for the caller of a write.
    pub(crate) fn of(self, operation: OperationId) -> StoreError {
        if self.maybe_done { StoreError::OutcomeUnknown { operation } } else { self.error }
    }
}

impl Connections {
    /// Sends a call to the primary of a slot, and repeats it while that may help.
    pub(crate) async fn run(
        self: &Arc<Self>,
        slot: u16,
        call: &Call<'_>,
    ) -> Result<Reply, CallFailed> {
        self.run_with_address(slot, call).await.map(|(reply, _)| reply)
    }

    /// Does the same as [`run`](Self::run), and returns the server that answered too.
    pub(crate) async fn run_with_address(
        self: &Arc<Self>,
        slot: u16,
        call: &Call<'_>,
    ) -> Result<(Reply, Answerer), CallFailed> {
        let (begun, arrived) = (Instant::now(), MonotonicInstant::now());
        let (mut pause, mut maybe_done) = (FIRST_RETRY_PAUSE, false);
        let (mut ask_at, mut redirections) = (None, 0);
        let mut last_failure = None;
        loop {
            let mut as_error: AsError = |detail| StoreError::Unavailable { detail };
            if self.is_closed() {
                let error = StoreError::unavailable("the store was closed");
                return Err(CallFailed::new(maybe_done, error));
            }
            let admitted = self.admit(slot, arrived, Some(call)).await;
            admitted.map_err(|error| CallFailed::new(maybe_done, error))?;
            let time_left = self.budget.saturating_sub(begun.elapsed());
            let detail = match self.attempt(slot, call, ask_at.take(), time_left).await {
                Ok((value, answerer)) => return Ok((Reply(value), answerer)),
                Err(CallError::Final(error)) => return Err(CallFailed::new(maybe_done, error)),
                // The failure before says more.
                Err(late @ CallError::Late) => {
                    let (before, detail) =
                        last_failure.take().unwrap_or_else(|| (as_error, late.detail()));
                    as_error = before;
                    detail
                }
                Err(CallError::Split(detail)) if call.can_be_split => {
                    let failed = CallFailed::new(maybe_done, StoreError::unavailable(detail));
                    return Err(CallFailed { is_split: true, ..failed });
                }
                Err(
                    CallError::Refused(detail)
                    | CallError::Split(detail)
                    | CallError::NotServing(detail)
                    | CallError::Replica { detail, .. }
                    | CallError::CutOff(detail)
                    | CallError::NoScript(detail),
                ) => detail,
                Err(CallError::LoginRefused(detail)) => {
                    if !self.connector.may_log_in_later() {
                        return Err(CallFailed::new(maybe_done, misconfigured(detail)));
                    }
                    as_error = |detail| misconfigured(detail);
                    detail
                }
                Err(CallError::Unconfirmed(detail)) => {
                    maybe_done = true;
                    as_error = |detail| StoreError::AddressUnconfirmed { detail };
                    detail
                }
                Err(CallError::Lost(detail) | CallError::Unsafe(detail)) => {
                    maybe_done = true;
                    if !call.repeatable {
                        return Err(CallFailed::new(maybe_done, StoreError::unavailable(detail)));
                    }
                    detail
                }
                Err(CallError::Moved(to) | CallError::Ask(to)) if !self.router.is_cluster() => {
                    return Err(CallFailed::new(maybe_done, misconfigured(to.detail)));
                }
                Err(CallError::Moved(Redirect { to, detail, .. })) => {
                    self.router.invalidate(to);
                    detail
                }
                Err(CallError::Ask(Redirect { to, port, detail })) => {
                    let by_port = || self.router.node_with_port(port?, redirections);
                    ask_at = to.or_else(by_port);
                    redirections += 1;
                    detail
                }
            };
            if begun.elapsed() + pause >= self.budget {
                return Err(CallFailed::new(maybe_done, as_error(detail)));
            }
            tracing::debug!(script = call.script.name, slot, detail, "sending the call again");
            sleep(pause).await;
            self.metrics().call_resent();
            pause = (pause * 2).min(MAX_RETRY_PAUSE);
            last_failure = Some((as_error, detail));
        }
    }

    /// Sends a call for which it does not matter whether the server executed it.
    pub(crate) async fn read(
        self: &Arc<Self>,
        slot: u16,
        call: &Call<'_>,
    ) -> Result<Reply, StoreError> {
        self.run(slot, call).await.map_err(|failed| failed.error)
    }

    /// Does the same as [`read`](Self::read), and returns the server that answered too.
    pub(crate) async fn read_with_address(
        self: &Arc<Self>,
        slot: u16,
        call: &Call<'_>,
    ) -> Result<(Reply, Answerer), StoreError> {
        self.run_with_address(slot, call).await.map_err(|failed| failed.error)
    }
}
