//! When the generations of a family were retired, as far back as its window reaches.

use minicbor::{Decode, Encode};

use super::GracePeriod;
use crate::bearer::Generation;
use crate::time::{Timestamp, Ttl};

/// The retirements that lie within the window, the oldest first. What is older needs no entry: it
/// was retired longer than a window ago, and that is all that is asked.
///
/// It is bounded. Where more than [`Trail::EXACT`] generations were retired within one window,
/// those that follow each other within an eighth of it are told as retired with the first of them:
/// a family that rotates so fast forgives its older generations for a little less than the window,
/// and never for more. The generation before the present one is not among them: its time is kept
/// exactly.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
#[cbor(transparent)]
pub struct Trail(#[n(0)] Vec<Retirement>);

/// The generations from `first` up to the next entry were retired at `at`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
struct Retirement {
    #[n(0)]
    first: u32,
    #[n(1)]
    at: Timestamp,
}

impl Trail {
    /// How many retirements within one window are told exactly.
    const EXACT: usize = 8;

    /// When a generation was retired; `None` is longer than a window ago.
    pub(super) fn retired_at(&self, generation: Generation) -> Option<Timestamp> {
        let last = self.0.iter().rfind(|entry| entry.first <= generation.number());
        last.map(|entry| entry.at)
    }

    /// The trail once `generation` is retired too.
    pub(super) fn after(
        &self,
        generation: Generation,
        now: Timestamp,
        window: GracePeriod,
    ) -> Self {
        let Some(window) = window.length() else { return Self::default() };
        let is_within = |entry: &&Retirement| now < entry.at + window;
        let mut kept: Vec<_> = self.0.iter().filter(is_within).copied().collect();
        let eighth = Ttl::saturating_from_millis(window.as_millis() / 8);
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
        /// Against the list of all retirements: never kinder than it, and at most an eighth of a
        /// window less kind; exact where rotations are as far apart as people's are.
        #[test]
        fn a_trail_forgives_as_long_as_the_whole_list_would(
            pauses in proptest::collection::vec(0u64..4_000, 1..80),
            wait in 0u64..12_000,
        ) {
            let window = GracePeriod::new(Ttl::from_millis(WINDOW).unwrap());
            let (mut now, mut trail, mut all) = (0, Trail::default(), Vec::new());
            for (number, pause) in pauses.iter().enumerate() {
                now += pause;
                trail = trail.after(generation(number), at(now), window);
                all.push(now);
                prop_assert!(trail.0.len() <= 2 * Trail::EXACT, "{trail:?}");
            }
            now += wait;
            let forgives = |retired: Timestamp, window| at(now) < retired + window;
            for (number, retired) in all.iter().enumerate() {
                let told = trail.retired_at(generation(number));
                let is_forgiven = told.is_some_and(|told| forgives(told, Ttl::from_millis(WINDOW).unwrap()));
                let within = all.iter().filter(|other| retired.abs_diff(**other) < WINDOW).count();
                if !forgives(at(*retired), Ttl::from_millis(WINDOW).unwrap()) {
                    prop_assert!(!is_forgiven, "{number} of {all:?} at {now}");
                } else if within < Trail::EXACT || forgives(at(*retired), Ttl::from_millis(WINDOW * 7 / 8).unwrap()) {
                    prop_assert!(is_forgiven, "{number} of {all:?} at {now}");
                }
            }
        }
    }
}
