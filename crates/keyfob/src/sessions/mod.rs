//! How many sessions a subject may have at a time, and which of them gives way.
//!
//! Counting what is listed and then storing one more is a race that two logins at the same time
//! win together. So the sessions of a subject stand in a **roster**, a record of its own in the
//! subject's lane, and a new session is stored in the same step as the roster that names it, on the
//! condition that the roster is the one that was read. Of two logins that read the same roster, one
//! reads again.
//!
//! The roster grants nothing and holds nothing that cannot be gathered again: which sessions are
//! live is looked up where it matters. If it is gone, it is made anew from the list of the
//! subject's tokens. It is listed under the term of the rosters alone, which no filter names, so that
//! no list and no count of tokens sees it.

mod roster;

pub(crate) use roster::{Listed, Seen, SessionIndex};

use crate::field::Field;
use crate::invalid::{InvalidReason, InvalidValue};

/// How many sessions a subject may have, and what happens when it has them all.
///
/// Every node of a store should have the same policy. It counts tokens of the kind session that
/// have a subject and were issued, not minted.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionPolicy {
    pub(crate) per_subject: usize,
    pub(crate) per_device: Option<usize>,
    pub(crate) when_full: WhenFull,
}

/// What happens to a login when there are as many sessions as there may be.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhenFull {
    /// It is refused.
    Deny,
    /// The session that was issued first is revoked, with the reason `session_limit`.
    RetireOldest,
    /// The session that was not used for longest is, as precisely as last uses are known.
    RetireLeastRecentlyUsed,
}

impl SessionPolicy {
    /// The most sessions that a subject may have under any policy.
    pub const MOST: usize = 256;

    /// At most so many.
    ///
    /// # Errors
    /// When there are none, or more than [`SessionPolicy::MOST`].
    pub fn at_most(sessions: usize, when_full: WhenFull) -> Result<Self, InvalidValue> {
        Ok(Self { per_subject: Self::allowed(sessions)?, per_device: None, when_full })
    }

    /// And at most so many of them on one device. Sessions that name no device count as if they
    /// were all on one.
    ///
    /// # Errors
    /// When there are none, or more than [`SessionPolicy::MOST`].
    pub fn per_device(self, sessions: usize) -> Result<Self, InvalidValue> {
        Ok(Self { per_device: Some(Self::allowed(sessions)?), ..self })
    }

    fn allowed(sessions: usize) -> Result<usize, InvalidValue> {
        if (1..=Self::MOST).contains(&sessions) {
            return Ok(sessions);
        }
        Err(InvalidValue::new(
            Field::Sessions,
            InvalidReason::OutOfRange { allowed: "1 to 256 sessions" },
        ))
    }
}
