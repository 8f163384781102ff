//! Advancing epochs, in one lane or in all of them.
//!
//! An advance over all lanes is a walk. Its first step, in the first lane, also records it; then
//! come the other lanes, in any order; then the record goes. A node that dies on the way leaves the
//! record behind, and any other finishes the walk. Each step bears the walk's operation, and is
//! done once in each lane however often it is sent.

use futures_util::future::try_join_all;
use keyfob_store::{
    Advance, Advanced, EpochField, EpochScope, Lane, Operation, OperationId, Revoke, StoreError,
    Term, Timestamp,
};

use super::Shared;
use super::recent::Done;
use super::write::{outcome, refusal, soon};
use crate::net::{Arg, Call, CallFailed};

/// A walk as it is recorded.
#[derive(Clone, Debug)]
pub(super) struct Walk {
    operation: OperationId,
    field: Option<EpochField>,
    at: Timestamp,
    note: Vec<u8>,
}

/// What a step is besides its epoch.
struct Step {
    deadline: Timestamp,
    events: Vec<Vec<u8>>,
    /// Whether it is the one that records the walk.
    records: bool,
    /// What it counts out: all of a walk's client, or what is listed under these terms.
    listed: Option<Vec<Term>>,
}

impl Walk {
    pub(super) fn of(operation: OperationId, advance: &Advance) -> Self {
        let field = match advance.scope {
            EpochScope::Lane(_, field) | EpochScope::EveryLane(field) => Some(field),
            EpochScope::All => None,
        };
        Self { operation, field, at: advance.at, note: advance.note.clone() }
    }

    fn field(&self) -> Vec<u8> {
        self.field.map_or_else(|| b"*".to_vec(), |field| field.as_bytes().to_vec())
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
            b"*" => None,
            field => Some(EpochField::from_bytes(field.try_into().ok()?)),
        };
        let at = Timestamp::from_millis(u64::from_be_bytes(*at));
        Some(Self { operation, field, at, note: note.to_vec() })
    }
}

impl Step {
    fn of(advance: &Advance, deadline: Timestamp) -> Self {
        let listed = match advance.scope {
            EpochScope::Lane(..) => Some(advance.listed.clone()),
            EpochScope::EveryLane(_) | EpochScope::All => None,
        };
        Self { deadline, events: advance.events.clone(), records: false, listed }
    }
}

impl Shared {
    pub(super) async fn advance(
        &self,
        operation: Operation,
        advance: Advance,
    ) -> Result<Advanced, StoreError> {
        Revoke::check_note(&advance.note)?;
        let walk = Walk::of(operation.id, &advance);
        let advanced = match advance.scope {
            EpochScope::Lane(lane, _) => self.advance_lane(&walk, lane, operation, &advance).await,
            EpochScope::EveryLane(_) | EpochScope::All => {
                self.advance_every(&walk, operation, &advance).await
            }
        }?;
        self.recent.remember(Done::Advanced(operation.id, advance));
        Ok(advanced)
    }

    async fn advance_lane(
        &self,
        walk: &Walk,
        lane: Lane,
        operation: Operation,
        advance: &Advance,
    ) -> Result<Advanced, StoreError> {
        let step = Step::of(advance, operation.deadline);
        let code = self.step(walk, lane, step).await.map_err(|failed| failed.of(operation.id))?;
        match code.as_str() {
            "now" => Ok(Advanced { lanes: 1 }),
            _ => Err(refusal(&code, operation, None, Vec::new().into_iter())),
        }
    }

    async fn advance_every(
        &self,
        walk: &Walk,
        operation: Operation,
        advance: &Advance,
    ) -> Result<Advanced, StoreError> {
        let step = Step { records: true, ..Step::of(advance, operation.deadline) };
        let first = self.step(walk, Lane::default(), step).await;
        let code = first.map_err(|failed| failed.of(operation.id))?;
        match code.as_str() {
            // It is recorded: whatever happens from here on, somebody will finish it.
            "now" => self
                .finish_walk(walk)
                .await
                .map_err(|_| StoreError::OutcomeUnknown { operation: operation.id })?,
            "done" => {}
            _ => return Err(refusal(&code, operation, None, Vec::new().into_iter())),
        }
        Ok(Advanced { lanes: self.namespace.lanes().get() })
    }

    /// Does one step again, in a lane that may have lost it.
    pub(super) async fn step_again(
        &self,
        walk: &Walk,
        lane: Lane,
        advance: &Advance,
    ) -> Result<(), StoreError> {
        let mut step = Step::of(advance, soon(self.now()));
        // The events of a walk lie in the first lane.
        if step.listed.is_none() && lane != Lane::default() {
            step.events.clear();
        }
        self.step(walk, lane, step).await.map(drop).map_err(|failed| failed.error)
    }

    /// Does what is left of a recorded walk, and removes the record.
    pub(super) async fn finish_walk(&self, walk: &Walk) -> Result<(), StoreError> {
        // A step has a deadline of its own: one that is stuck somewhere must not strike after
        // others have finished the walk and new tokens were issued.
        let deadline = soon(self.now());
        let step = |lane| {
            let (events, listed) = (Vec::new(), None);
            self.step(walk, lane, Step { deadline, events, records: false, listed })
        };
        let codes = try_join_all(self.namespace.lanes().lanes().skip(1).map(step)).await;
        let codes = codes.map_err(|failed| failed.error)?;
        if codes.iter().any(|code| code != "now") {
            return Err(StoreError::unavailable("a step of a walk over the lanes came too late"));
        }
        let args = vec![Arg::from(&walk.operation.as_bytes()[..])];
        let call = Call::new(&self.scripts.end_walk, vec![self.keys.walks()], args);
        self.net.read(self.keys.slot(Lane::default()), &call).await.map(drop)
    }

    /// Some of the walks that are recorded and not finished.
    pub(super) async fn unfinished_walks(&self) -> Result<Vec<Walk>, StoreError> {
        let call = Call::new(&self.scripts.walks, vec![self.keys.walks()], Vec::new());
        let found = self.net.read(self.keys.slot(Lane::default()), &call).await?.array()?;
        let mut found = found.into_iter();
        let mut walks = Vec::new();
        while let (Some(operation), Some(bytes)) = (found.next(), found.next()) {
            walks.extend(Walk::from_bytes(&operation.bytes()?, &bytes.bytes()?));
        }
        Ok(walks)
    }

    async fn step(&self, walk: &Walk, lane: Lane, step: Step) -> Result<String, CallFailed> {
        let mut names = vec![
            self.keys.lane(lane),
            self.keys.events(lane),
            self.keys.answer(lane, walk.operation),
            self.keys.signal(lane, &walk.field()),
            self.keys.cells(lane),
        ];
        if step.records {
            names.push(self.keys.walks());
        }
        let ends: &[u8] = match (&step.listed, walk.field) {
            (Some(_), _) => b"listed",
            (None, Some(_)) => b"client",
            (None, None) => b"all",
        };
        let listed = step.listed.iter().flatten();
        names.extend(listed.flat_map(|term| self.keys.heads(lane, *term)));
        let recorded = if step.records { walk.to_bytes() } else { Vec::new() };
        let first = [Arg::Local(step.deadline), Arg::Local(soon(step.deadline))];
        let mut args = self.with_events(first, step.events);
        args.extend([
            walk.operation.as_bytes()[..].into(),
            walk.at.as_millis().into(),
            walk.note.clone().into(),
            walk.field().into(),
            recorded.into(),
            self.keys.prefix('r', lane).into(),
            ends.into(),
        ]);
        let mut call = Call::new(&self.scripts.advance, names, args);
        self.wait_for_replicas(&mut call, lane);
        let reply = self.net.run(self.keys.slot(lane), &call).await?;
        let code = outcome(reply).map(|(code, _)| code);
        code.map_err(|error| CallFailed { maybe_done: true, error })
    }
}

impl PartialEq for Walk {
    fn eq(&self, other: &Self) -> bool {
        self.operation == other.operation
    }
}
