//! How many sessions a subject may have.

use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};

/// How many sessions a subject may have, and what happens when it has that many.
///
/// Every node of a store should have the same policy. It counts tokens of the kind session that
/// have a subject and were issued, not minted.
///
/// ```
/// use keyfob::{SessionPolicy, WhenFull};
///
/// # fn main() -> Result<(), keyfob::InvalidValue> {
/// let policy = SessionPolicy::new(5, WhenFull::RetireOldest)?.max_per_device(1)?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SessionPolicy {
    pub(crate) per_subject: usize,
    pub(crate) per_device: Option<usize>,
    pub(crate) when_full: WhenFull,
}

/// What happens to a login when the subject has as many sessions as it may have.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum WhenFull {
    /// The login is refused.
    Deny,
    /// The session that was issued first is revoked, with the reason `session_limit`.
    RetireOldest,
    /// The session that was unused for the longest time is revoked, as precisely as last uses are
    /// known.
    RetireLeastRecentlyUsed,
}

impl SessionPolicy {
    /// The maximum number of sessions that a policy can allow.
    pub const MAX_SESSIONS: usize = 256;

    /// Creates a policy that allows a subject `max_sessions` sessions at a time.
    ///
    /// # Errors
    /// When `max_sessions` is zero or more than [`SessionPolicy::MAX_SESSIONS`].
    pub fn new(max_sessions: usize, when_full: WhenFull) -> Result<Self, InvalidValue> {
        Ok(Self { per_subject: Self::checked(max_sessions)?, per_device: None, when_full })
    }

    /// Also limits the sessions on one device. Sessions that name no device count as if they were
    /// all on one device: with a limit of 1, each login without a device ends or denies the other.
    ///
    /// # Warning
    /// The id of a device is what the application says it is. If it comes from the client, the client can
    /// name another device with each login, and only the limit of the subject holds. Under
    /// [`WhenFull::Deny`], a user who loses a session without logging out, by clearing cookies for
    /// example, cannot log in on that device before the session ends.
    ///
    /// # Errors
    /// When `max_sessions` is zero or more than [`SessionPolicy::MAX_SESSIONS`].
    pub fn max_per_device(self, max_sessions: usize) -> Result<Self, InvalidValue> {
        Ok(Self { per_device: Some(Self::checked(max_sessions)?), ..self })
    }

    fn checked(sessions: usize) -> Result<usize, InvalidValue> {
        if (1..=Self::MAX_SESSIONS).contains(&sessions) {
            return Ok(sessions);
        }
        let allowed = "1 to 256 sessions";
        Err(InvalidValue::new(Field::Sessions, InvalidReason::OutOfRange { allowed }))
    }
}
