//! The states of a token, as a pure function of values.
//!
//! ```text
//!                 not-before reached              last use taken
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
//! A stored token has no state field. The state follows from its [`StateInputs`] and the time. So a
//! token cannot be in two states, and no writer has to move it from one to the next. If several
//! final states apply, the state is the first of revoked, exhausted, expired.

use std::fmt;
use std::str::FromStr;

use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};
use crate::time::Timestamp;

/// The state of a token at one moment.
///
/// The enum is exhaustive on purpose: a program that matches on it should fail to compile when a
/// state is added.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum TokenState {
    /// The token becomes valid later (not-before).
    Pending,
    /// The token is active.
    Active,
    /// The token was revoked.
    Revoked,
    /// The token expired: its own end or its family's came, or it was unused for too long.
    Expired,
    /// All uses of the token were taken.
    Exhausted,
}

/// The values that the state of a token follows from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct StateInputs {
    /// Whether the token was revoked, by itself or with something that covers it.
    pub revoked: bool,
    /// The number of uses that are left, if uses are counted.
    pub uses_left: Option<u32>,
    /// When the token becomes valid.
    pub not_before: Option<Timestamp>,
    /// The earliest of its ends.
    pub ends_at: Option<Timestamp>,
}

impl StateInputs {
    /// Returns the state at `now`.
    pub fn state(&self, now: Timestamp) -> TokenState {
        self.state_between(now, now)
    }

    /// Returns the state for a true time anywhere from `earliest` to `latest`: not expired if
    /// `earliest` is before the end, and not pending if `latest` has reached not-before.
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

    /// Returns whether the state is final: no other state follows.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Revoked | Self::Expired | Self::Exhausted)
    }

    /// Returns the name on the wire and in filters.
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

impl serde::Serialize for TokenState {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for TokenState {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
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

    /// An arrow of the state diagram.
    #[derive(Clone, Copy, PartialEq, Eq, Debug)]
    enum Transition {
        NotBeforeReached,
        LifetimeEnded,
        LastUseConsumed,
        Revoked,
    }

    /// Returns the state that an arrow of the diagram leads to, or `None` if the state has no such
    /// arrow.
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
        /// In any order of changes, each change of state is a transition of the diagram, or two
        /// transitions if both times pass in one step.
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
