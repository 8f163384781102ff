//! The decision: a function of values.

use super::{GracePeriod, Presenter, Rotation};
use crate::bearer::Generation;
use crate::bearer::ratchet::Proof;
use crate::time::Timestamp;
use crate::token::TokenState;

/// What a record says, as far as the decision goes.
#[derive(Clone, Copy, Debug)]
pub struct Held<'a> {
    pub state: TokenState,
    pub generation: Generation,
    pub rotation: &'a Rotation,
    pub window: GracePeriod,
}

/// What is to be done.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Decision {
    /// Go on to this generation.
    Rotate(Generation),
    /// Give the answer again that the last rotation, at this time, gave.
    Replay(Timestamp),
    /// Refuse, without effect.
    RefuseInWindow,
    /// End the family.
    End(Cause),
    /// Refuse as damaged, and keep the family.
    Ahead,
    /// The family is over, or has yet to begin.
    Over(TokenState),
    /// Refuse as unknown: whoever sent it never held a bearer of the family.
    Unknown,
}

/// Why a family is ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A generation came back longer than a window after it was retired.
    Reuse,
    /// A holder made a bearer up.
    Forgery,
    /// There is no further generation.
    LastGeneration,
}

/// What a presented refresh token means for its family.
///
/// It moves forward only: whatever is decided on the strength of an older record than the store
/// has, the store refuses to do, or would have been decided on the newer record as well. A family
/// is ended for a generation that was retired long ago, which no later rotation makes less true.
pub fn decide(proof: Proof, held: &Held<'_>, shown_by: Presenter, now: Timestamp) -> Decision {
    let presented = match proof {
        Proof::Unknown => return Decision::Unknown,
        _ if held.state != TokenState::Active => return Decision::Over(held.state),
        Proof::Forged => return Decision::End(Cause::Forgery),
        Proof::Proven(generation) => generation,
    };
    if presented > held.generation {
        return Decision::Ahead;
    }
    if presented == held.generation {
        let next = presented.next();
        return next.map_or(Decision::End(Cause::LastGeneration), Decision::Rotate);
    }
    let rotation = held.rotation;
    let is_previous = presented.next() == Some(held.generation);
    let retired_at = match (&rotation.trail, is_previous) {
        (_, true) => rotation.at,
        (Some(trail), false) => trail.retired_at(presented),
        (None, false) => None,
    };
    let now = rotation.time(now);
    match (retired_at, held.window.length()) {
        (Some(at), Some(window)) if now < at + window => {
            if is_previous && rotation.shown_by == Some(shown_by) {
                Decision::Replay(at)
            } else {
                Decision::RefuseInWindow
            }
        }
        _ => Decision::End(Cause::Reuse),
    }
}

#[cfg(test)]
mod tests;
