//! Advancing epochs, in one lane or in all of them.
//!
//! An advance over all lanes is one step in each lane, all sent at the same time. Each step also records
//! the advance in its lane's table of unfinished advances. When all lanes have answered, the advance is
//! removed from the tables. If lanes cannot be reached, or a node stops in between, the advance stays in
//! the tables of the lanes that have it, and any other node finishes it. Each step has the operation of the
//! advance, so a lane applies it once, however often it is sent.

use futures_util::future::join_all;
use keyfob_store::{
    Advance, Advanced, EpochScope, Lane, Operation, OperationId, Revoke, StoreError, Term,
    Timestamp, Ttl,
};

use super::epoch_advance::EpochAdvance;
use super::outcome::{Outcome, deadline_from, failure};
use super::shared::Shared;
use crate::connections::{Call, CallFailed};
use crate::feed::recent_revocations::RETENTION;
use crate::feed::revocation::{self, Revocation};
use crate::feed::signal;
use crate::protocol::arg::Arg;
use crate::protocol::constants::{count_out, reply};
use crate::protocol::signatures::{advance, forget_advance, unfinished_advances};

/// How long a lane remembers an advance over all lanes after its deadline, so that it is not applied again
/// where one table was cleared and another was not.
const MEMORY_OF_FINISHED: Ttl = Ttl::from_days(1);

/// How long a lane remembers an advance of its own after its deadline. Nodes send it again for so long after a
/// failover, and it must not be applied a second time if another one of the same epoch has followed it.
const MEMORY_OF_ADVANCE: Ttl = Ttl::from_secs(2 * RETENTION.as_secs());

/// What belongs to the advance of an epoch in one lane only.
struct Step {
    deadline: Timestamp,
    events: Vec<Vec<u8>>,
    /// Whether this step records the advance as unfinished.
    records_advance: bool,
    /// The terms that list what is counted as revoked. `None`: all tokens of the client, or all tokens.
    listed: Option<Vec<Term>>,
    /// The whole advance, for the other nodes.
    revocation: Vec<u8>,
    /// The number of replicas to wait for.
    wait: u32,
}

/// What the lanes answered to the steps of one advance.
#[derive(Default)]
struct StepOutcomes {
    applied: u16,
    /// The lanes that have not applied it, as far as is known.
    pending: Vec<Lane>,
    /// Whether a lane may have applied it that did not answer.
    maybe_applied: bool,
    first_error: Option<StoreError>,
}

impl Step {
    fn new(operation: OperationId, advance: &Advance, deadline: Timestamp, wait: u32) -> Self {
        let revocation = revocation::of_advance(operation, advance);
        let listed = match advance.scope {
            EpochScope::Lane(..) => Some(advance.listed.clone()),
            EpochScope::EveryLane(_) | EpochScope::All => None,
        };
        let events = advance.events.clone();
        Self { deadline, events, records_advance: false, listed, revocation, wait }
    }
}

impl StepOutcomes {
    fn add(&mut self, lane: Lane, outcome: Result<Outcome, CallFailed>, operation: Operation) {
        let error = match outcome {
            Ok(outcome) if outcome.code() == reply::APPLIED => {
                self.applied += 1;
                return;
            }
            Ok(outcome) => failure(outcome, operation, None),
            Err(failed) => failed.of(operation.id),
        };
        self.maybe_applied |= matches!(error, StoreError::OutcomeUnknown { .. });
        self.pending.push(lane);
        self.first_error.get_or_insert(error);
    }

    /// Returns an error unless all lanes have applied it.
    fn check(self, operation: OperationId) -> Result<(), StoreError> {
        let Self { applied, pending, maybe_applied, first_error } = self;
        match first_error {
            None => Ok(()),
            Some(_) if applied > 0 => {
                Err(StoreError::PartlyApplied { operation, applied, pending })
            }
            Some(_) if maybe_applied => Err(StoreError::OutcomeUnknown { operation }),
            Some(error) => Err(error),
        }
    }
}

impl Shared {
    pub(super) async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        Revoke::check_note(&advance.note)?;
        let epoch = EpochAdvance::new(operation.id, &advance);
        let advanced = match advance.scope {
            EpochScope::Lane(lane, _) => self.advance_lane(&epoch, lane, operation, &advance).await,
            EpochScope::EveryLane(_) | EpochScope::All => {
                self.advance_every_lane(&epoch, operation.deadline).await
            }
        };
        if matches!(advanced, Ok(_) | Err(StoreError::PartlyApplied { .. })) {
            self.feed.recent.remember(Revocation::Advanced(operation.id, advance));
        }
        advanced
    }

    async fn advance_lane(
        &self,
        epoch: &EpochAdvance,
        lane: Lane,
        operation: Operation,
        advance: &Advance,
    ) -> Result<Advanced, StoreError> {
        let step = Step::new(operation.id, advance, operation.deadline, self.config.wait);
        let sent = self.send_step(epoch, lane, step).await;
        let outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::APPLIED => Ok(Advanced { lanes: 1 }),
            _ => Err(failure(outcome, operation, None)),
        }
    }

    /// Sends the step of each lane, and clears the tables when all lanes have applied theirs.
    async fn advance_every_lane(
        &self,
        epoch: &EpochAdvance,
        deadline: Timestamp,
    ) -> Result<Advanced, StoreError> {
        let lanes = self.namespace.lanes();
        let whole = epoch.as_advance();
        let steps = lanes.lanes().map(async |lane| {
            let mut step = Step::new(epoch.operation, &whole, deadline, self.config.wait);
            (step.events, step.records_advance) = (epoch.events_in(lane), true);
            (lane, self.send_step(epoch, lane, step).await)
        });
        let (operation, mut outcomes) = (epoch.operation, StepOutcomes::default());
        for (lane, outcome) in join_all(steps).await {
            outcomes.add(lane, outcome, Operation { id: operation, deadline });
        }
        outcomes.check(operation)?;
        // Where this fails, a node will find the advance, see that all lanes have it, and try again.
        let cleared = lanes.lanes().map(|lane| self.forget_advance(operation, lane));
        if let Some(error) = join_all(cleared).await.into_iter().find_map(Result::err) {
            tracing::debug!(%error, %operation, "a finished advance is still recorded in a lane");
        }
        Ok(Advanced { lanes: lanes.get() })
    }

    /// Sends one step again, to a lane that may have lost it. Waits for no replica.
    pub(super) async fn resend_advance(
        &self,
        operation: OperationId,
        lane: Lane,
        advance: &Advance,
    ) -> Result<(), StoreError> {
        let epoch = EpochAdvance::new(operation, advance);
        let mut step = Step::new(operation, advance, deadline_from(self.now()), 0);
        if step.listed.is_none() {
            step.events = epoch.events_in(lane);
        }
        self.send_step(&epoch, lane, step).await.map(drop).map_err(|failed| failed.error)
    }

    /// Sends what is left of a recorded advance, and removes it from the tables.
    pub(super) async fn finish_advance(&self, epoch: &EpochAdvance) -> Result<(), StoreError> {
        // Each attempt has a deadline of its own. A step that was delayed must not be applied after others
        // have finished the advance and new tokens were issued.
        self.advance_every_lane(epoch, deadline_from(self.now())).await.map(drop)
    }

    async fn forget_advance(&self, operation: OperationId, lane: Lane) -> Result<(), StoreError> {
        let keys = forget_advance::Keys { unfinished: self.keys.unfinished_advances(lane) };
        let args = forget_advance::Args { operation: operation.as_bytes()[..].into() };
        let call = Call::new(&self.scripts.forget_advance, keys, args);
        self.connections.read(self.keys.slot(lane), &call).await.map(drop)
    }

    /// Returns some of the advances that these lanes have recorded as unfinished. Lanes that cannot be read
    /// are left out.
    pub(super) async fn unfinished_advances(&self, lanes: &[Lane]) -> Vec<EpochAdvance> {
        let mut advances: Vec<EpochAdvance> = Vec::new();
        for found in join_all(lanes.iter().map(|lane| self.unfinished_in(*lane))).await {
            match found {
                Ok(found) => {
                    for advance in found {
                        if advances.iter().all(|known| known.operation != advance.operation) {
                            advances.push(advance);
                        }
                    }
                }
                Err(error) => tracing::debug!(%error, "unfinished advances cannot be read"),
            }
        }
        advances
    }

    async fn unfinished_in(&self, lane: Lane) -> Result<Vec<EpochAdvance>, StoreError> {
        let keys = unfinished_advances::Keys { unfinished: self.keys.unfinished_advances(lane) };
        let call = Call::new(&self.scripts.unfinished_advances, keys, []);
        let found = self.connections.read(self.keys.slot(lane), &call).await?.array()?;
        let mut found = found.into_iter();
        let mut advances = Vec::new();
        while let (Some(operation), Some(bytes)) = (found.next(), found.next()) {
            advances.extend(EpochAdvance::from_bytes(&operation.bytes()?, &bytes.bytes()?));
        }
        Ok(advances)
    }

    async fn send_step(
        &self,
        epoch: &EpochAdvance,
        lane: Lane,
        step: Step,
    ) -> Result<Outcome, CallFailed> {
        let mut keys = Vec::from(advance::Keys {
            lane: self.keys.lane(lane),
            stream: self.keys.events(lane),
            answer: self.keys.answer(lane, epoch.operation),
            signal: self
                .keys
                .signal(lane, &signal::write_revocation([epoch.change()], &step.revocation)),
            count_directory: self.keys.count_directory(lane),
        });
        if step.records_advance {
            keys.push(self.keys.unfinished_advances(lane));
        }
        let listed = step.listed.iter().flatten();
        keys.extend(listed.flat_map(|term| self.keys.heads(lane, *term)));
        let counted_out = match (&step.listed, epoch.field) {
            (Some(_), _) => count_out::LISTED,
            (None, Some(_)) => count_out::CLIENT,
            (None, None) => count_out::ALL,
        };
        let unfinished = if step.records_advance { epoch.to_bytes() } else { Vec::new() };
        let memory = if step.listed.is_none() { MEMORY_OF_FINISHED } else { MEMORY_OF_ADVANCE };
        let answer_expires_at = deadline_from(step.deadline) + memory;
        let mut args = Vec::from(advance::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(step.deadline),
            answer_expires_at: Arg::Local(answer_expires_at),
            entry_cap: self.stream_cap().into(),
            stream_expires_at: self.stream_expires_at(),
            entry_count: step.events.len().into(),
            operation: epoch.operation.as_bytes()[..].into(),
            revoked_at: epoch.at.as_millis().into(),
            revocation_note: epoch.note.clone().into(),
            field: epoch.field().into(),
            unfinished_advance: unfinished.into(),
            record_prefix: self.keys.prefix('r', lane).into(),
            count_out: counted_out.as_bytes().into(),
        });
        args.extend(step.events.into_iter().map(Arg::from));
        let mut call = Call::new(&self.scripts.advance, keys, args);
        self.wait_for_replicas(&mut call, lane, step.wait);
        self.write(lane, &mut call).await
    }
}
