//! The decision about a presented refresh token, as a function of values.

use super::{GracePeriod, Presenter, Rotation};
use crate::bearer::Generation;
use crate::bearer::ratchet::Proof;
use crate::time::Timestamp;
use crate::token::TokenState;

/// The part of a refresh token's record that the decision depends on.
#[derive(Clone, Copy, Debug)]
pub struct StoredFamily<'a> {
    /// The state of the token.
    pub state: TokenState,
    /// The current generation.
    pub generation: Generation,
    /// The rotations so far.
    pub rotation: &'a Rotation,
    /// The grace period of the family.
    pub grace_period: GracePeriod,
}

/// What to do about a presented refresh token.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Rotate to this generation.
    Rotate(Generation),
    /// Repeat the answer of the last rotation, which was at this time.
    Replay(Timestamp),
    /// Refuse without effect.
    RefuseInWindow,
    /// End the family.
    EndFamily(EndCause),
    /// Refuse, and keep the family: the store has lost a rotation.
    AheadOfStore,
    /// Refuse: the family has ended, or is not valid yet.
    FamilyEnded(TokenState),
    /// Refuse as unknown: the presenter never held a bearer token of the family.
    Unknown,
}

/// Why a family is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndCause {
    /// A generation was presented longer than a grace period after it was retired.
    Reuse,
    /// A holder of another generation forged a bearer token.
    Forgery,
    /// There is no further generation.
    LastGeneration,
}

/// Decides what a presented refresh token means for its family.
///
/// Decisions move a family forward only. A decision that rests on an older record than the store's
/// is one that the store refuses to carry out, or one that the newer record would have led to as
/// well. A family is ended for a generation that was retired long ago, and no later rotation changes
/// that.
pub fn decide(
    proof: Proof,
    stored: &StoredFamily<'_>,
    presented_by: Presenter,
    now: Timestamp,
) -> Decision {
    let presented = match proof {
        Proof::Unknown => return Decision::Unknown,
        _ if stored.state != TokenState::Active => return Decision::FamilyEnded(stored.state),
        Proof::Forged => return Decision::EndFamily(EndCause::Forgery),
        Proof::Proven(generation) => generation,
    };
    if presented > stored.generation {
        return Decision::AheadOfStore;
    }
    if presented == stored.generation {
        let next = presented.next();
        return next.map_or(Decision::EndFamily(EndCause::LastGeneration), Decision::Rotate);
    }
    let rotation = stored.rotation;
    let is_previous = presented.next() == Some(stored.generation);
    let retired_at = match (&rotation.retirements, is_previous) {
        (_, true) => rotation.at,
        (Some(retirements), false) => retirements.retired_at(presented),
        (None, false) => None,
    };
    let now = rotation.decision_time(now);
    match (retired_at, stored.grace_period.length()) {
        (Some(at), Some(grace_period)) if now < at + grace_period => {
            if is_previous && rotation.presented_by == Some(presented_by) {
                Decision::Replay(at)
            } else {
                Decision::RefuseInWindow
            }
        }
        _ => Decision::EndFamily(EndCause::Reuse),
    }
}

#[cfg(test)]
mod tests;
