//! One attempt of a call, and the probes of shards that do not answer.

use std::sync::{Arc, Weak};
use std::time::Duration;

use keyfob_store::MonotonicInstant;
use redis::Value;
use tokio::runtime::Handle;
use tokio::time::timeout;

use super::breaker::{Caller, Failure, Probing, SilentShard};
use super::call_error::CallError;
use super::confirmation::{check_address, check_still_primary};
use super::node::Purpose;
use super::{Answerer, Call, Connections};
use crate::config::Address;
use crate::protocol::signatures::read_string;

/// A call waits for a probe for this part of the store's budget.
const WAIT_DIVISOR: u32 = 12;

tokio::task_local! {
    static IN_BACKGROUND: ();
}

/// Does work of the store's own. Its calls do not begin a silence.
pub(crate) async fn in_background<T>(work: impl Future<Output = T>) -> T {
    IN_BACKGROUND.scope((), work).await
}

/// An attempt that failed.
struct AttemptFailed {
    error: CallError,
    /// Whether nothing answered.
    is_silent: bool,
}

impl AttemptFailed {
    fn before_sending(error: CallError) -> Self {
        let is_silent = !matches!(error, CallError::Final(_) | CallError::LoginRefused(_));
        Self { error, is_silent }
    }

    fn after_sending(error: CallError) -> Self {
        let is_silent = error.is_no_answer();
        Self { error, is_silent }
    }
}

/// Notes a silence if the caller stops waiting before there is an answer. A limit, for example, waits no
/// longer than its own patience.
struct Unanswered<'a> {
    connections: &'a Arc<Connections>,
    slot: u16,
    key: &'a [u8],
    begun: MonotonicInstant,
    is_over: bool,
}

impl Drop for Unanswered<'_> {
    fn drop(&mut self) {
        let long = self.connections.response_timeout / 2;
        if !self.is_over && MonotonicInstant::now() >= self.begun.after(long) {
            let detail = "the caller stopped waiting for an answer".to_owned();
            let failure = Failure { detail, is_unconfirmed: false };
            self.connections.note_failure(self.slot, self.key, self.begun, failure);
        }
    }
}

impl Connections {
    /// Waits until a call to a slot may be sent.
    ///
    /// # Errors
    /// The last failure, if the slot's shard is away.
    pub(super) async fn admit(
        self: &Arc<Self>,
        slot: u16,
        arrived: MonotonicInstant,
        call: Option<&Call<'_>>,
    ) -> Result<(), keyfob_store::StoreError> {
        if self.breaker.is_quiet() {
            return Ok(());
        }
        // The probe of any shard may have ended with its runtime, also of one that no slot leads to by now.
        self.breaker.silent_shards().iter().for_each(|silent| self.ensure_probed(silent));
        let Some(silent) = self.breaker.find(&self.router.shard_of(slot)) else { return Ok(()) };
        let mut caller = Caller {
            arrived,
            tries_for: self.budget,
            waits_for: self.budget / WAIT_DIVISOR,
            probe_limit: self.probe_limit(),
        };
        if call.is_some_and(|call| call.fails_early) {
            caller.tries_for = self.budget.min(self.response_timeout);
            caller.waits_for = Duration::ZERO;
        }
        let admitted = silent.admit(caller).await;
        if admitted.is_err() {
            self.breaker.report_if_away(&silent);
            self.metrics().call_not_sent();
        }
        admitted
    }

    /// Sends a call once.
    pub(super) async fn attempt(
        self: &Arc<Self>,
        slot: u16,
        call: &Call<'_>,
        ask_at: Option<Address>,
        time_left: Duration,
    ) -> Result<(Value, Answerer), CallError> {
        let begun = MonotonicInstant::now();
        let key = call.keys.first().map(Vec::as_slice).unwrap_or_default();
        let mut unanswered = Unanswered { connections: self, slot, key, begun, is_over: false };
        let outcome = self.send_once(slot, call, ask_at, time_left).await;
        unanswered.is_over = true;
        match outcome {
            Err(AttemptFailed { error, is_silent: true }) => {
                self.note_failure(slot, key, begun, Failure::of(&error));
                Err(error)
            }
            outcome => {
                let error_of = |failed: AttemptFailed| failed.error;
                let is_redirection =
                    matches!(&outcome, Err(failed) if failed.error.is_redirection());
                if !self.breaker.is_quiet() && !is_redirection {
                    self.breaker.note_answer(&self.router.shard_of(slot));
                }
                outcome.map_err(error_of)
            }
        }
    }

    async fn send_once(
        &self,
        slot: u16,
        call: &Call<'_>,
        ask_at: Option<Address>,
        time_left: Duration,
    ) -> Result<(Value, Answerer), AttemptFailed> {
        let asking = ask_at.is_some();
        let purpose = if call.wait > 0 { Purpose::Waits } else { Purpose::Calls };
        let found = timeout(time_left, self.find_connection(slot, purpose, ask_at)).await;
        let (node, connection) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(error)) => {
                self.router.invalidate(None);
                return Err(AttemptFailed::before_sending(error));
            }
            Err(_) => return Err(AttemptFailed::before_sending(CallError::Late)),
        };
        let outcome = call.send(&connection, asking, self.response_timeout).await;
        if let Err(error) = &outcome
            && error.ends_connection()
        {
            node.drop_connection(&connection);
            self.router.invalidate(None);
        }
        if let Err(CallError::CutOff(_)) = &outcome {
            self.router.ask_others_than(node.address());
        }
        let value = outcome.map_err(AttemptFailed::after_sending)?;
        let mut confirmed = MonotonicInstant::now();
        if call.repeatable && self.router.checks_address() {
            confirmed = check_address(&self.router, &self.connector, &node, &connection, time_left)
                .await
                .map_err(AttemptFailed::after_sending)?;
        } else if call.repeatable && self.uses_sentinels() {
            check_still_primary(&self.router, &self.connector, slot, node.address(), time_left)
                .await
                .map_err(AttemptFailed::after_sending)?;
            // An answer proves nothing about the time after its server was last confirmed.
            let last = self.router.last_confirmed(node.address(), None);
            confirmed = last.unwrap_or(MonotonicInstant::from_nanos(0));
        }
        let primary = (!asking).then(|| Arc::clone(connection.primary()));
        Ok((value, Answerer { address: node.address().clone(), confirmed, primary }))
    }

    fn note_failure(
        self: &Arc<Self>,
        slot: u16,
        key: &[u8],
        begun: MonotonicInstant,
        failure: Failure,
    ) {
        if IN_BACKGROUND.try_with(|()| ()).is_ok() {
            return;
        }
        let shard = self.router.shard_of(slot);
        let silent = self.breaker.note_failure(shard, begun, failure, (slot, key.to_vec()));
        self.ensure_probed(&silent);
    }

    /// How long a probe takes at most.
    fn probe_limit(&self) -> Duration {
        self.connector.connect_timeout() + self.response_timeout
    }

    /// Starts the task that probes a silent shard, unless it runs.
    fn ensure_probed(self: &Arc<Self>, silent: &Arc<SilentShard>) {
        let Ok(runtime) = Handle::try_current() else { return };
        if let Some(probing) = silent.begin_probing() {
            runtime.spawn(probe(Arc::downgrade(self), probing));
        }
    }
}

/// Probes a shard until it answers or the store is closed.
async fn probe(connections: Weak<Connections>, probing: Probing) {
    let silent = Arc::clone(probing.shard());
    while !silent.has_answered() {
        let Some(connections) = connections.upgrade().filter(|it| !it.is_closed()) else { return };
        silent.begin_probe();
        let keys = read_string::Keys { key: silent.key.clone() };
        let call = Call::new(&connections.connector.scripts().read_string, keys, []);
        let limit = connections.probe_limit();
        match connections.send_once(silent.slot, &call, None, limit).await {
            Err(failed) if failed.is_silent => silent.end_probe(Some(Failure::of(&failed.error))),
            Err(AttemptFailed { error: CallError::Moved(redirect), .. }) => {
                connections.router.invalidate(redirect.to);
                silent.end_probe(None);
            }
            // Whatever the server says, it answers.
            _ => return connections.breaker.note_answer(probing.name_of_shard()),
        }
        connections.breaker.report_if_away(&silent);
        drop(connections);
        silent.until_next_probe().await;
    }
}
