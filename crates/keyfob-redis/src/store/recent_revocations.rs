//! What this store revoked in the last minute, and which server was the primary of each lane.
//! [`resend`](super::resend) uses both after a failover.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob_store::{Advance, EpochScope, Lane, MonotonicInstant, OperationId, Revoke};

/// For how long a revocation is remembered.
const RETENTION: Duration = Duration::from_secs(60);

/// The maximum number of revocations that are remembered. The oldest is dropped first.
const MAX_REMEMBERED: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct RecentRevocations {
    revocations: Mutex<VecDeque<(MonotonicInstant, Arc<RecentRevocation>)>>,
    /// The server and its run that was the primary of each lane.
    primaries: Mutex<HashMap<Lane, String>>,
}

/// A revocation that the server acknowledged.
#[derive(Debug)]
pub(super) enum RecentRevocation {
    Revoked(OperationId, Revoke),
    Advanced(OperationId, Advance),
}

impl RecentRevocations {
    pub(super) fn remember(&self, revocation: RecentRevocation) {
        let mut all = self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_REMEMBERED {
            all.pop_front();
        }
        all.push_back((MonotonicInstant::now(), Arc::new(revocation)));
        let now = MonotonicInstant::now();
        while all.front().is_some_and(|(at, _)| at.after(RETENTION) < now) {
            all.pop_front();
        }
    }

    /// Returns the recent revocations in a lane, the oldest first.
    pub(super) fn of_lane(&self, lane: Lane) -> Vec<Arc<RecentRevocation>> {
        let now = MonotonicInstant::now();
        let all = self.revocations.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &MonotonicInstant| now <= at.after(RETENTION);
        let recent =
            all.iter().filter(|(at, revocation)| is_recent(at) && revocation.concerns(lane));
        recent.map(|(_, revocation)| Arc::clone(revocation)).collect()
    }

    /// Returns the lanes that have another primary than before. A lane without a known primary gets
    /// this one and is not returned.
    pub(super) fn changed(&self, primaries: &[(Lane, String)]) -> Vec<(Lane, String)> {
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

    /// Notes that the primary of a lane has all recent revocations.
    pub(super) fn settle(&self, lane: Lane, primary: String) {
        let mut known = self.primaries.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(lane, primary);
    }
}

impl RecentRevocation {
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

#[cfg(test)]
mod tests {
    use keyfob_store::{EpochField, EpochScope, Timestamp};

    use super::*;

    fn advanced(scope: EpochScope) -> RecentRevocation {
        let advance = Advance::new(scope, Timestamp::from_millis(1));
        RecentRevocation::Advanced(OperationId::from_bytes([1; 16]), advance)
    }

    #[test]
    fn each_lane_gets_what_concerns_it_and_the_oldest_is_dropped_first() {
        let recent = RecentRevocations::default();
        let (one, two) = (Lane::new(1), Lane::new(2));
        recent.remember(advanced(EpochScope::All));
        let field = EpochField::from_bytes([1; 8]);
        recent.remember(advanced(EpochScope::Lane(two, field)));
        assert_eq!((recent.of_lane(one).len(), recent.of_lane(two).len()), (1, 2));
        for _ in 0..MAX_REMEMBERED {
            recent.remember(advanced(EpochScope::Lane(one, field)));
        }
        assert_eq!((recent.of_lane(one).len(), recent.of_lane(two).len()), (MAX_REMEMBERED, 0));
    }

    #[test]
    fn a_primary_is_new_until_it_is_settled() {
        let recent = RecentRevocations::default();
        let lane = Lane::new(1);
        let first = [(lane, "a 1".to_owned())];
        assert!(recent.changed(&first).is_empty(), "the first value is not a change");
        let second = [(lane, "a 2".to_owned())];
        for _ in 0..2 {
            assert_eq!(recent.changed(&second), second);
        }
        recent.settle(lane, "a 2".to_owned());
        assert!(recent.changed(&second).is_empty());
    }
}
