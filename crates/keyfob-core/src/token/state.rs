//! The states of a token and how one follows from another, as pure functions of values.
//!
//! ```text
//!                 not-before reached              last use spent
//!      ┌─────────┐ ───────────────▶ ┌────────┐ ───────────────▶ ┌───────────┐
//!      │ pending │                  │ active │                  │ exhausted │
//!      └────┬────┘                  └─┬────┬─┘                  └───────────┘
//!           │        lifetime ended   │    │   revoked
//!           ├───────────────────────┬─┘    └──┬──────────────────────┐
//!           │                       ▼         ▼                      │
//!           │                  ┌─────────┐ ┌─────────┐               │
//!           └─────────────────▶│ expired │ │ revoked │◀──────────────┘
//!              lifetime ended  └─────────┘ └─────────┘   revoked while pending
//! ```
//!
//! Expired, revoked and exhausted are final: nothing leads out of them.
//!
//! A stored token has no state of its own. The state is read off its [`StateInputs`] and the time, so a
//! token cannot be in two states, and no writer has to move it from one to the next. Where several
//! final states would fit, the first of revoked, exhausted, expired is the answer.

use std::fmt;
use std::str::FromStr;

use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::time::Timestamp;

/// What a token can be.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TokenState {
    /// Its not-before lies ahead.
    Pending,
    /// Good.
    Active,
    /// Taken back.
    Revoked,
    /// Its time is over: its own, its family's, or it went unused for too long.
    Expired,
    /// Its uses are spent.
    Exhausted,
}

/// What the state of a token follows from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateInputs {
    /// Whether it was revoked, itself or through something else.
    pub revoked: bool,
    /// How many uses are left, where they are counted.
    pub uses_left: Option<u32>,
    /// When it starts to be good.
    pub not_before: Option<Timestamp>,
    /// When it ends, whichever end comes first.
    pub ends_at: Option<Timestamp>,
}

impl StateInputs {
    /// The state at `now`.
    pub fn state(&self, now: Timestamp) -> TokenState {
        self.state_between(now, now)
    }

    /// The state for a reader who allows that the true time is anywhere from `earliest` to
    /// `latest`: not yet expired if `earliest` is before the end, no longer pending if `latest`
    /// has reached not-before.
    pub fn state_between(&self, earliest: Timestamp, latest: Timestamp) -> TokenState {
        if self.revoked {
            TokenState::Revoked
        } else if self.uses_left == Some(0) {
            TokenState::Exhausted
        } else if self.ends_at.is_some_and(|end| earliest >= end) {
            TokenState::Expired
        } else if self.not_before.is_some_and(|start| latest < start) {
            TokenState::Pending
        } else {
            TokenState::Active
        }
    }
}

impl TokenState {
    /// Every state.
    pub const ALL: [Self; 5] =
        [Self::Pending, Self::Active, Self::Revoked, Self::Expired, Self::Exhausted];

    /// Whether nothing leads out of this state.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Revoked | Self::Expired | Self::Exhausted)
    }

    /// The name on the wire and in filters.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Active => "active",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
        }
    }
}

impl fmt::Display for TokenState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for TokenState {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let expected = "pending, active, revoked, expired or exhausted";
        let known = Self::ALL.into_iter().find(|state| state.as_str() == text);
        known.ok_or_else(|| InvalidValue::new(Field::State, InvalidReason::Malformed { expected }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// An arrow of the picture.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Transition {
        NotBeforeReached,
        LifetimeEnded,
        LastUseConsumed,
        Revoked,
    }

    /// The state that an arrow of the picture leads to; `None` where the state has no such arrow.
    fn follow(from: TokenState, transition: Transition) -> Option<TokenState> {
        match (from, transition) {
            (TokenState::Pending, Transition::NotBeforeReached) => Some(TokenState::Active),
            (TokenState::Pending | TokenState::Active, Transition::LifetimeEnded) => {
                Some(TokenState::Expired)
            }
            (TokenState::Pending | TokenState::Active, Transition::Revoked) => {
                Some(TokenState::Revoked)
            }
            (TokenState::Active, Transition::LastUseConsumed) => Some(TokenState::Exhausted),
            _ => None,
        }
    }

    fn at(millis: u64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    #[test]
    fn final_states_have_no_way_out() {
        use Transition::*;
        for state in TokenState::ALL.into_iter().filter(|state| state.is_final()) {
            for by in [NotBeforeReached, LifetimeEnded, LastUseConsumed, Revoked] {
                assert_eq!(follow(state, by), None);
            }
        }
    }

    #[test]
    fn the_end_is_exclusive_and_the_start_inclusive() {
        let inputs = StateInputs {
            revoked: false,
            uses_left: None,
            not_before: Some(at(10)),
            ends_at: Some(at(20)),
        };
        let states = [9, 10, 19, 20].map(|now| inputs.state(at(now)));
        use TokenState::*;
        assert_eq!(states, [Pending, Active, Active, Expired]);
    }

    #[test]
    fn an_allowance_applies_to_both_ends_alike() {
        let inputs = StateInputs {
            revoked: false,
            uses_left: None,
            not_before: Some(at(10)),
            ends_at: Some(at(20)),
        };
        let with_5 = |now: u64| inputs.state_between(at(now - 5), at(now + 5));
        use TokenState::*;
        assert_eq!([5, 24, 25].map(with_5), [Active, Active, Expired]);
        assert_eq!(inputs.state_between(at(0), at(9)), Pending);
    }

    /// A change of the inputs of a token.
    #[derive(Clone, Copy, Debug)]
    enum Step {
        Wait(u64),
        Consume,
        Revoke,
    }

    proptest! {
        /// Whatever happens in whatever order, each change of state is a transition of the
        /// picture, or a pair of them when time passes both ends at once.
        #[test]
        fn inputs_move_only_along_the_picture(
            not_before in proptest::option::of(0u64..50),
            ends_at in proptest::option::of(0u64..100),
            uses in proptest::option::of(1u32..4),
            steps in proptest::collection::vec(
                prop_oneof![
                    (0u64..30).prop_map(Step::Wait),
                    Just(Step::Consume),
                    Just(Step::Revoke),
                ],
                0..20,
            ),
        ) {
            let mut now = at(0);
            let mut inputs = StateInputs {
                revoked: false,
                uses_left: uses,
                not_before: not_before.map(at),
                ends_at: ends_at.map(at),
            };
            let mut state = inputs.state(now);
            for step in steps {
                match step {
                    Step::Wait(millis) => now = at(now.as_millis() + millis),
                    Step::Revoke => inputs.revoked |= !state.is_final(),
                    Step::Consume if state == TokenState::Active => {
                        inputs.uses_left = inputs.uses_left.map(|left| left - 1);
                    }
                    Step::Consume => {}
                }
                let next = inputs.state(now);
                if next != state {
                    use Transition::*;
                    let direct = [NotBeforeReached, LifetimeEnded, LastUseConsumed, Revoked]
                        .into_iter()
                        .any(|by| follow(state, by) == Some(next));
                    prop_assert!(direct, "{state} to {next}");
                }
                state = next;
            }
        }
    }
}
