//! Which primary each lane is assigned to, and how often that has changed.

use std::collections::HashMap;

use keyfob_store::Lane;

use crate::config::Address;

/// A lane and the number of its assignment. A lane that leaves a primary and returns to it has another
/// number then, so the listener of that primary takes it over again, even if it has not seen it leave.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct AssignedLane {
    pub(super) lane: Lane,
    pub(super) number: u64,
}

/// The present assignment of each lane.
#[derive(Debug, Default)]
pub(super) struct Assignments {
    of_lane: HashMap<Lane, (Address, u64)>,
}

impl Assignments {
    /// Assigns a lane to a primary. The number is another one only if the primary is another one.
    pub(super) fn assign(&mut self, lane: Lane, primary: &Address) -> AssignedLane {
        let assigned = self.of_lane.entry(lane).or_insert_with(|| (primary.clone(), 0));
        if assigned.0 != *primary {
            *assigned = (primary.clone(), assigned.1 + 1);
        }
        AssignedLane { lane, number: assigned.1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lane_that_returns_has_another_number() {
        let (here, there) = (Address::new("a", 1), Address::new("b", 1));
        let mut assignments = Assignments::default();
        let mut assign = |lane, primary| assignments.assign(Lane::new(lane), primary);
        let first = assign(0, &here);
        assert_eq!(assign(0, &here), first);
        let other_lane = assign(1, &here);
        assign(0, &there);
        let returned = assign(0, &here);
        assert_ne!(returned, first);
        assert_eq!(assign(0, &here), returned);
        assert_eq!(assign(1, &here), other_lane);
    }
}
