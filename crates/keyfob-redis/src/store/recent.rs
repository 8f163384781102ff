//! What this store revoked in the last minute, to be done again where it may have been lost.
//!
//! Replication is asynchronous: a primary that takes over may lack the last writes of the one before,
//! and one that was restarted may have lost what was not on disk. So whatever this store revoked and
//! was acknowledged is sent again to a primary that is new for its lane, under the same operation
//! and a new deadline. Where it was not lost, it is there already and nothing happens.
//!
//! It may kill too much, never too little: an epoch that was lost, or that another has followed
//! since, is advanced a second time, and covers what was issued in between.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use keyfob_store::{
    Advance, EpochScope, Lane, MonotonicInstant, Operation, OperationId, Revoke, StoreError,
};

use super::Shared;
use super::walk::Walk;
use super::write::soon;

/// For how long it is kept.
const KEPT: Duration = Duration::from_secs(60);

/// How much is kept at most; the oldest gives way.
const MOST: usize = 10_000;

/// How many are sent at a time.
const TOGETHER: usize = 64;

#[derive(Debug, Default)]
pub(super) struct Recent {
    done: Mutex<VecDeque<(MonotonicInstant, Arc<Done>)>>,
    /// Which run of which server was the primary of each lane.
    primaries: Mutex<HashMap<Lane, String>>,
}

/// Something that was done and acknowledged.
#[derive(Debug)]
pub(super) enum Done {
    Revoked(OperationId, Revoke),
    Advanced(OperationId, Advance),
}

impl Recent {
    pub(super) fn remember(&self, done: Done) {
        let mut all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST {
            all.pop_front();
        }
        all.push_back((MonotonicInstant::now(), Arc::new(done)));
        let now = MonotonicInstant::now();
        while all.front().is_some_and(|(at, _)| at.after(KEPT) < now) {
            all.pop_front();
        }
    }

    /// What is to be done again in a lane, in order.
    fn of_lane(&self, lane: Lane) -> Vec<Arc<Done>> {
        let now = MonotonicInstant::now();
        let all = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let recent = all.iter().filter(|(at, done)| now <= at.after(KEPT) && done.concerns(lane));
        recent.map(|(_, done)| Arc::clone(done)).collect()
    }

    /// The lanes whose primary is another than before; those of which nothing was known are noted.
    fn changed(&self, primaries: &[(Lane, String)]) -> Vec<(Lane, String)> {
        let mut known = self.primaries.lock().unwrap_or_else(PoisonError::into_inner);
        let mut changed = Vec::new();
        for (lane, primary) in primaries {
            let before = known.entry(*lane).or_insert_with(|| primary.clone());
            if before != primary {
                changed.push((*lane, primary.clone()));
            }
        }
        changed
    }

    fn settled(&self, lane: Lane, primary: String) {
        let mut known = self.primaries.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(lane, primary);
    }
}

impl Done {
    fn concerns(&self, lane: Lane) -> bool {
        match self {
            Self::Revoked(_, revoke) => revoke.id.lane() == lane,
            Self::Advanced(_, advance) => match advance.scope {
                EpochScope::Lane(own, _) => own == lane,
                EpochScope::EveryLane(_) | EpochScope::All => true,
            },
        }
    }
}

impl Shared {
    /// Looks whether any lane has another primary than before, and does again there what may have
    /// been lost. What cannot be done now is tried the next time.
    pub(super) async fn do_again_where_lost(&self) {
        let lanes: Vec<_> = self.namespace.lanes().lanes().collect();
        let slots: Vec<_> = lanes.iter().map(|lane| self.keys.slot(*lane)).collect();
        let Ok(owners) = self.net.owners(&slots).await else { return };
        let (mut runs, mut primaries) = (HashMap::new(), Vec::new());
        for (lane, owner) in lanes.into_iter().zip(owners) {
            if !runs.contains_key(&owner) {
                let run = self.net.run_of(&owner).await;
                runs.insert(owner.clone(), run.ok().map(|run| format!("{owner} {run}")));
            }
            let run = runs.get(&owner).cloned().flatten();
            primaries.extend(run.map(|run| (lane, run)));
        }
        for (lane, primary) in self.recent.changed(&primaries) {
            let lost = self.recent.of_lane(lane);
            let count = lost.len();
            let outcomes = stream::iter(lost.into_iter().map(|done| self.do_again(lane, done)));
            let outcomes: Vec<_> = outcomes.buffer_unordered(TOGETHER).collect().await;
            match outcomes.into_iter().find_map(Result::err) {
                None => {
                    tracing::debug!(?lane, count, "a new primary has what was revoked recently");
                    self.recent.settled(lane, primary);
                }
                Some(error) => {
                    tracing::warn!(?lane, %error, "a new primary may lack recent revocations");
                }
            }
        }
    }

    async fn do_again(&self, lane: Lane, done: Arc<Done>) -> Result<(), StoreError> {
        let outcome = match &*done {
            Done::Revoked(id, revoke) => {
                let operation = Operation { id: *id, deadline: soon(self.now()) };
                self.revoke_in_its_lane(operation, revoke.clone()).await.map(drop)
            }
            Done::Advanced(id, advance) => {
                self.step_again(&Walk::of(*id, advance), lane, advance).await
            }
        };
        match outcome {
            Err(error @ (StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. })) => {
                Err(error)
            }
            // What cannot be done at all cannot be done by trying again.
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use keyfob_store::EpochScope;
    use keyfob_store::{EpochField, Timestamp};

    use super::*;

    fn advanced(scope: EpochScope) -> Done {
        let advance = Advance::new(scope, Timestamp::from_millis(1));
        Done::Advanced(OperationId::from_bytes([1; 16]), advance)
    }

    #[test]
    fn each_lane_gets_what_concerns_it_and_the_oldest_gives_way() {
        let recent = Recent::default();
        let (one, two) = (Lane::new(1), Lane::new(2));
        recent.remember(advanced(EpochScope::All));
        let field = EpochField::from_bytes([1; 8]);
        recent.remember(advanced(EpochScope::Lane(two, field)));
        assert_eq!((recent.of_lane(one).len(), recent.of_lane(two).len()), (1, 2));
        for _ in 0..MOST {
            recent.remember(advanced(EpochScope::Lane(one, field)));
        }
        assert_eq!((recent.of_lane(one).len(), recent.of_lane(two).len()), (MOST, 0));
    }

    #[test]
    fn a_primary_is_new_until_it_has_been_settled() {
        let recent = Recent::default();
        let lane = Lane::new(1);
        let first = [(lane, "a 1".to_owned())];
        assert!(recent.changed(&first).is_empty(), "the first is no change");
        let second = [(lane, "a 2".to_owned())];
        for _ in 0..2 {
            assert_eq!(recent.changed(&second), second);
        }
        recent.settled(lane, "a 2".to_owned());
        assert!(recent.changed(&second).is_empty());
    }
}
