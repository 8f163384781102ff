//! Up to when the changes of the lanes were reported.

use keyfob_core::id::Lane;
use keyfob_core::monotonic::MonotonicInstant;

use super::owner::Owner;

/// Up to when the changes of the lanes were reported to a listener.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Coverage {
    /// Every change of a trusted lane that was acknowledged before this instant was reported.
    pub until: MonotonicInstant,
    /// The lanes that are not trusted: nothing is known about their changes.
    pub distrusted: Vec<Lane>,
}

impl Coverage {
    pub(super) fn of<'a>(owners: impl Iterator<Item = &'a Owner>, now: MonotonicInstant) -> Self {
        let (mut until, mut distrusted) = (now, Vec::new());
        for (number, owner) in owners.enumerate() {
            match owner.covered(now) {
                Some(covered) => until = until.min(covered),
                None => distrusted.extend(u16::try_from(number).map(Lane::new)),
            }
        }
        Self { until, distrusted }
    }
}
