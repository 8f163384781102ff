//! The revocations of the last minute, of this node and of the others, and which server was the primary of
//! each lane. `store/resend.rs` uses both after a failover.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob_store::{Lane, MonotonicInstant, OperationId};

use super::revocation::Revocation;

/// For how long a revocation is remembered.
pub(crate) const RETENTION: Duration = Duration::from_secs(60);

/// The maximum number of revocations that are remembered. The oldest is dropped first.
const MAX_REMEMBERED: usize = 10_000;

/// The maximum of what they take together, in bytes, as far as it depends on their size.
const MAX_BYTES: usize = 16 * 1024 * 1024;

#[derive(Debug, Default)]
pub(crate) struct RecentRevocations {
    remembered: Mutex<Remembered>,
    primaries: Mutex<HashMap<Lane, SettledPrimary>>,
}

/// The primary of a lane.
#[derive(Debug)]
struct SettledPrimary {
    /// The server and its run.
    primary: Arc<str>,
    /// Since when it has all recent revocations.
    since: MonotonicInstant,
}

#[derive(Debug, Default)]
struct Remembered {
    /// The oldest first.
    all: VecDeque<(MonotonicInstant, Arc<Revocation>)>,
    operations: HashSet<OperationId>,
    bytes: usize,
}

impl Remembered {
    fn drop_oldest(&mut self) {
        if let Some((_, oldest)) = self.all.pop_front() {
            self.operations.remove(&oldest.operation());
            self.bytes -= oldest.size();
        }
    }
}

impl RecentRevocations {
    /// Remembers a revocation. The node that makes one hears of it too: it is remembered once.
    pub(crate) fn remember(&self, revocation: Revocation) {
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let now = MonotonicInstant::now();
        while remembered.all.front().is_some_and(|(at, _)| at.after(RETENTION) < now) {
            remembered.drop_oldest();
        }
        if !remembered.operations.insert(revocation.operation()) {
            return;
        }
        remembered.bytes += revocation.size();
        remembered.all.push_back((now, Arc::new(revocation)));
        while remembered.all.len() > MAX_REMEMBERED || remembered.bytes > MAX_BYTES {
            remembered.drop_oldest();
        }
    }

    /// Returns the recent revocations in a lane, the oldest first.
    pub(crate) fn of_lane(&self, lane: Lane) -> Vec<Arc<Revocation>> {
        let now = MonotonicInstant::now();
        let remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = |at: &MonotonicInstant| now <= at.after(RETENTION);
        let recent = remembered
            .all
            .iter()
            .filter(|(at, revocation)| is_recent(at) && revocation.concerns(lane));
        recent.map(|(_, revocation)| Arc::clone(revocation)).collect()
    }

    /// Whether this is the primary of a lane that has all recent revocations. A lane without a known primary
    /// gets this one.
    pub(crate) fn is_settled(&self, lane: Lane, primary: &Arc<str>) -> bool {
        self.was_settled(lane, primary, MonotonicInstant::now())
    }

    /// Whether that was so when a call was sent. If it was not, the call may have been executed before the
    /// revocations came, even if its answer is looked at later.
    pub(crate) fn was_settled(
        &self,
        lane: Lane,
        primary: &Arc<str>,
        sent: MonotonicInstant,
    ) -> bool {
        let mut known = self.primaries.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.entry(lane).or_insert_with(|| SettledPrimary {
            primary: Arc::clone(primary),
            since: MonotonicInstant::from_nanos(0),
        });
        let is_same = Arc::ptr_eq(&known.primary, primary) || known.primary == *primary;
        is_same && known.since <= sent
    }

    /// Notes that the primary of a lane has all recent revocations, from now on.
    pub(crate) fn settle(&self, lane: Lane, primary: Arc<str>) {
        let mut known = self.primaries.lock().unwrap_or_else(PoisonError::into_inner);
        known.insert(lane, SettledPrimary { primary, since: MonotonicInstant::now() });
    }

    /// Notes that the primary of a lane may lack recent revocations.
    pub(crate) fn unsettle(&self, lane: Lane) {
        self.settle(lane, Arc::from(""));
    }
}

#[cfg(test)]
mod tests {
    use keyfob_store::{Advance, EpochField, EpochScope, Timestamp};

    use super::*;

    fn advanced(number: usize, scope: EpochScope) -> Revocation {
        let mut operation = [0; 16];
        operation[..8].copy_from_slice(&number.to_be_bytes());
        let advance = Advance::new(scope, Timestamp::from_millis(1));
        Revocation::Advanced(OperationId::from_bytes(operation), advance)
    }

    #[test]
    fn each_lane_gets_what_concerns_it_and_the_oldest_is_dropped_first() {
        let recent = RecentRevocations::default();
        let (one, two) = (Lane::new(1), Lane::new(2));
        recent.remember(advanced(0, EpochScope::All));
        let field = EpochField::from_bytes([1; 8]);
        recent.remember(advanced(1, EpochScope::Lane(two, field)));
        assert_eq!((recent.of_lane(one).len(), recent.of_lane(two).len()), (1, 2));
        for number in 0..MAX_REMEMBERED {
            recent.remember(advanced(2 + number, EpochScope::Lane(one, field)));
        }
        assert_eq!((recent.of_lane(one).len(), recent.of_lane(two).len()), (MAX_REMEMBERED, 0));
    }

    #[test]
    fn an_operation_is_remembered_once_and_large_ones_take_a_limited_space() {
        let recent = RecentRevocations::default();
        for _ in 0..3 {
            recent.remember(advanced(7, EpochScope::All));
        }
        assert_eq!(recent.of_lane(Lane::new(1)).len(), 1);
        for number in 0..100 {
            let mut large = advanced(number, EpochScope::All);
            if let Revocation::Advanced(_, advance) = &mut large {
                advance.events = vec![vec![0; MAX_BYTES / 10]];
            }
            recent.remember(large);
        }
        assert_eq!(recent.of_lane(Lane::new(1)).len(), 10);
    }

    #[test]
    fn a_primary_is_new_until_it_is_settled() {
        let recent = RecentRevocations::default();
        let lane = Lane::new(1);
        let [first, second] = ["a 1", "a 2"].map(Arc::from);
        assert!(recent.is_settled(lane, &first), "the first one is not a change");
        for _ in 0..2 {
            assert!(!recent.is_settled(lane, &second));
        }
        recent.settle(lane, Arc::clone(&second));
        assert!(recent.is_settled(lane, &second));
        recent.unsettle(lane);
        assert!(!recent.is_settled(lane, &second));
    }

    #[test]
    fn a_call_that_was_sent_before_a_primary_was_settled_does_not_count() {
        let recent = RecentRevocations::default();
        let lane = Lane::new(1);
        let [first, second] = ["a 1", "a 2"].map(Arc::from);
        let before = MonotonicInstant::now();
        assert!(
            recent.was_settled(lane, &first, before),
            "nothing has to be sent to the first one"
        );
        recent.settle(lane, Arc::clone(&second));
        assert!(!recent.was_settled(lane, &second, before));
        assert!(recent.was_settled(lane, &second, MonotonicInstant::now()));
    }
}
