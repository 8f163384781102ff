//! When the generations of a family were retired, as far back as its grace period reaches.

use minicbor::{Decode, Encode};

use super::GracePeriod;
use crate::bearer::Generation;
use crate::time::{Timestamp, Ttl};

/// The retirements within the grace period, the oldest first.
///
/// An older retirement needs no entry: the decision asks only whether it is longer ago than a grace
/// period.
///
/// The list is bounded. If more than 8 generations are retired within one grace period, those that
/// follow each other within an eighth of it count as retired with the first of them. So a family
/// that rotates that fast forgives its older generations for a little less than the grace period,
/// and never for more. The generation before the current one is not in the list: the record has its
/// exact time.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Retirements(#[n(0)] Vec<Retirement>);

/// The generations from `first` up to the next entry were retired at `at`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Retirement {
    #[n(0)]
    first: u32,
    #[n(1)]
    at: Timestamp,
}

impl Retirements {
    /// How many retirements within one grace period have an entry each.
    const EXACT: usize = 8;

    /// Returns when a generation was retired, or `None` if that is longer than a grace period ago.
    pub(super) fn retired_at(&self, generation: Generation) -> Option<Timestamp> {
        let last = self.0.iter().rfind(|entry| entry.first <= generation.number());
        last.map(|entry| entry.at)
    }

    /// Returns the list after `generation` is retired too.
    pub(super) fn with(
        &self,
        generation: Generation,
        now: Timestamp,
        grace_period: GracePeriod,
    ) -> Self {
        let Some(grace_period) = grace_period.length() else { return Self::default() };
        let is_within = |entry: &&Retirement| now < entry.at + grace_period;
        let mut kept: Vec<_> = self.0.iter().filter(is_within).copied().collect();
        let eighth = Ttl::saturating_from_millis(grace_period.as_millis() / 8);
        let is_close = kept.last().is_some_and(|last| now < last.at + eighth);
        if kept.len() < Self::EXACT || !is_close {
            kept.push(Retirement { first: generation.number(), at: now });
        }
        Self(kept)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WINDOW: u64 = 10_000;

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(1_000_000 + millis)
    }

    fn generation(number: usize) -> Generation {
        Generation::new(number as u32).unwrap()
    }

    proptest! {
        /// Compared with the list of all retirements, the grace period is never longer and at most
        /// an eighth shorter. It is exact if rotations are as far apart as those of people.
        #[test]
        fn retirements_forgive_as_long_as_the_whole_list_would(
            pauses in proptest::collection::vec(0u64..4_000, 1..80),
            wait in 0u64..12_000,
        ) {
            let window = GracePeriod::new(Ttl::from_millis(WINDOW).unwrap());
            let (mut now, mut retirements, mut all) = (0, Retirements::default(), Vec::new());
            for (number, pause) in pauses.iter().enumerate() {
                now += pause;
                retirements = retirements.with(generation(number), at(now), window);
                all.push(now);
                prop_assert!(retirements.0.len() <= 2 * Retirements::EXACT, "{retirements:?}");
            }
            now += wait;
            let forgives = |retired: Timestamp, window| at(now) < retired + window;
            for (number, retired) in all.iter().enumerate() {
                let found = retirements.retired_at(generation(number));
                let is_forgiven = found.is_some_and(|found| forgives(found, Ttl::from_millis(WINDOW).unwrap()));
                let within = all.iter().filter(|other| retired.abs_diff(**other) < WINDOW).count();
                if !forgives(at(*retired), Ttl::from_millis(WINDOW).unwrap()) {
                    prop_assert!(!is_forgiven, "{number} of {all:?} at {now}");
                } else if within < Retirements::EXACT || forgives(at(*retired), Ttl::from_millis(WINDOW * 7 / 8).unwrap()) {
                    prop_assert!(is_forgiven, "{number} of {all:?} at {now}");
                }
            }
        }
    }
}
