//! Advancing epochs, in one lane or in all of them.
//!
//! An advance over all lanes has several steps. The first step, in the first lane, also records the
//! advance in a table of unfinished ones. Then come the other lanes, in any order. Then the advance is
//! removed from the table. If a node stops in between, the advance stays in the table, and any other node
//! finishes it. Each step has the operation of the advance, so a lane applies it once, however often it is
//! sent.

use futures_util::future::try_join_all;
use keyfob_store::{
    Advance, Advanced, EpochField, EpochScope, Invalidation, Lane, Operation, OperationId, Revoke,
    StoreError, Term, Timestamp,
};

use super::outcome::{Outcome, deadline_from, failure};
use super::recent_revocations::RecentRevocation;
use super::shared::Shared;
use crate::connections::{Call, CallFailed};
use crate::feed::signal;
use crate::protocol::arg::Arg;
use crate::protocol::constants::{count_out, lane, reply};
use crate::protocol::signatures::{advance, forget_advance, unfinished_advances};

/// What is the same in every lane that an epoch is advanced in. It is also what the table of unfinished
/// advances holds.
#[derive(Clone, Debug)]
pub(super) struct EpochAdvance {
    operation: OperationId,
    field: Option<EpochField>,
    at: Timestamp,
    note: Vec<u8>,
}

/// What belongs to the advance of an epoch in one lane only.
struct Step {
    deadline: Timestamp,
    events: Vec<Vec<u8>>,
    /// Whether this step records the advance as unfinished.
    records_advance: bool,
    /// The terms that list what is counted as revoked. `None`: all tokens of the client, or all tokens.
    listed: Option<Vec<Term>>,
}

impl EpochAdvance {
    pub(super) fn new(operation: OperationId, advance: &Advance) -> Self {
        let field = match advance.scope {
            EpochScope::Lane(_, field) | EpochScope::EveryLane(field) => Some(field),
            EpochScope::All => None,
        };
        Self { operation, field, at: advance.at, note: advance.note.clone() }
    }

    /// The field of the lane's hash.
    fn field(&self) -> Vec<u8> {
        match self.field {
            Some(field) => field.as_bytes().to_vec(),
            None => lane::EVERYTHING.as_bytes().to_vec(),
        }
    }

    /// The invalidation to report in each lane.
    fn change(&self) -> Invalidation {
        self.field.map_or(Invalidation::All, Invalidation::Field)
    }

    /// The time, the length of the field, the field, the note.
    fn to_bytes(&self) -> Vec<u8> {
        let field = self.field();
        let at = self.at.as_millis().to_be_bytes();
        [&at[..], &[field.len() as u8], &field, &self.note].concat()
    }

    fn from_bytes(operation: &[u8], bytes: &[u8]) -> Option<Self> {
        let operation = OperationId::from_bytes(operation.try_into().ok()?);
        let (at, rest) = bytes.split_first_chunk::<8>()?;
        let (length, rest) = rest.split_first()?;
        let (field, note) = rest.split_at_checked(usize::from(*length))?;
        let field = match field {
            field if field == lane::EVERYTHING.as_bytes() => None,
            field => Some(EpochField::from_bytes(field.try_into().ok()?)),
        };
        let at = Timestamp::from_millis(u64::from_be_bytes(*at));
        Some(Self { operation, field, at, note: note.to_vec() })
    }
}

impl PartialEq for EpochAdvance {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation
    }
}

impl Step {
    fn new(advance: &Advance, deadline: Timestamp) -> Self {
        let listed = match advance.scope {
            EpochScope::Lane(..) => Some(advance.listed.clone()),
            EpochScope::EveryLane(_) | EpochScope::All => None,
        };
        Self { deadline, events: advance.events.clone(), records_advance: false, listed }
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
                self.advance_every_lane(&epoch, operation, &advance).await
            }
        }?;
        self.recent.remember(RecentRevocation::Advanced(operation.id, advance));
        Ok(advanced)
    }

    async fn advance_lane(
        &self,
        epoch: &EpochAdvance,
        lane: Lane,
        operation: Operation,
        advance: &Advance,
    ) -> Result<Advanced, StoreError> {
        let step = Step::new(advance, operation.deadline);
        let sent = self.send_step(epoch, lane, step).await;
        let outcome = sent.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            reply::APPLIED => Ok(Advanced { lanes: 1 }),
            _ => Err(failure(outcome, operation, None)),
        }
    }

    async fn advance_every_lane(
        &self,
        epoch: &EpochAdvance,
        operation: Operation,
        advance: &Advance,
    ) -> Result<Advanced, StoreError> {
        let step = Step { records_advance: true, ..Step::new(advance, operation.deadline) };
        let first = self.send_step(epoch, Lane::default(), step).await;
        let outcome = first.map_err(|failed| failed.of(operation.id))?;
        match outcome.code() {
            // It is recorded. Whatever happens from here on, a node will finish it.
            reply::APPLIED => self
                .finish_advance(epoch)
                .await
                .map_err(|_| StoreError::OutcomeUnknown { operation: operation.id })?,
            reply::FINISHED => {}
            _ => return Err(failure(outcome, operation, None)),
        }
        Ok(Advanced { lanes: self.namespace.lanes().get() })
    }

    /// Sends one step again, to a lane that may have lost it.
    pub(super) async fn resend_advance(
        &self,
        operation: OperationId,
        lane: Lane,
        advance: &Advance,
    ) -> Result<(), StoreError> {
        let mut step = Step::new(advance, deadline_from(self.now()));
        // The events of an advance over all lanes are in the first lane.
        if step.listed.is_none() && lane != Lane::default() {
            step.events.clear();
        }
        let epoch = EpochAdvance::new(operation, advance);
        self.send_step(&epoch, lane, step).await.map(drop).map_err(|failed| failed.error)
    }

    /// Sends what is left of a recorded advance, and removes it from the table.
    pub(super) async fn finish_advance(&self, epoch: &EpochAdvance) -> Result<(), StoreError> {
        // Each step has a deadline of its own. One that was delayed must not be applied after others have
        // finished the advance and new tokens were issued.
        let deadline = deadline_from(self.now());
        let step = |lane| {
            let (events, listed) = (Vec::new(), None);
            self.send_step(epoch, lane, Step { deadline, events, records_advance: false, listed })
        };
        let outcomes = try_join_all(self.namespace.lanes().lanes().skip(1).map(step)).await;
        let outcomes = outcomes.map_err(|failed| failed.error)?;
        if outcomes.iter().any(|outcome| outcome.code() != reply::APPLIED) {
            return Err(StoreError::unavailable(
                "a step of an advance over all lanes came after its deadline",
            ));
        }
        let keys = forget_advance::Keys { unfinished: self.keys.unfinished_advances() };
        let args = forget_advance::Args { operation: epoch.operation.as_bytes()[..].into() };
        let call = Call::new(&self.scripts.forget_advance, keys, args);
        self.connections.read(self.keys.slot(Lane::default()), &call).await.map(drop)
    }

    /// Returns some of the advances that are recorded as unfinished.
    pub(super) async fn unfinished_advances(&self) -> Result<Vec<EpochAdvance>, StoreError> {
        let keys = unfinished_advances::Keys { unfinished: self.keys.unfinished_advances() };
        let call = Call::new(&self.scripts.unfinished_advances, keys, []);
        let found = self.connections.read(self.keys.slot(Lane::default()), &call).await?.array()?;
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
            signal: self.keys.signal(lane, &signal::write([epoch.change()])),
            count_directory: self.keys.count_directory(lane),
        });
        if step.records_advance {
            keys.push(self.keys.unfinished_advances());
        }
        let listed = step.listed.iter().flatten();
        keys.extend(listed.flat_map(|term| self.keys.heads(lane, *term)));
        let counted_out = match (&step.listed, epoch.field) {
            (Some(_), _) => count_out::LISTED,
            (None, Some(_)) => count_out::CLIENT,
            (None, None) => count_out::ALL,
        };
        let unfinished = if step.records_advance { epoch.to_bytes() } else { Vec::new() };
        let mut args = Vec::from(advance::Args {
            namespace: self.lane_tag(),
            create_lane_until: self.create_lane_until(),
            deadline: Arg::Local(step.deadline),
            answer_expires_at: Arg::Local(deadline_from(step.deadline)),
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
        self.wait_for_replicas(&mut call, lane);
        self.write(lane, &mut call).await
    }
}
