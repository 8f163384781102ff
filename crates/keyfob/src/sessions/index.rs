//! The index of a subject's sessions, and which of them have to end.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::{SessionPolicy, WhenFull};
use keyfob_core::id::TokenId;
use keyfob_core::time::Timestamp;

/// The sessions of a subject, the oldest first. The numbers are the format.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(crate) struct SessionIndex {
    #[n(0)]
    pub(crate) sessions: Vec<IndexedSession>,
}

/// One session, as it was when it was issued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct IndexedSession {
    #[n(0)]
    pub(crate) id: TokenId,
    /// The digest of its device.
    #[n(1)]
    pub(crate) device: Option<u64>,
    /// When it ends at the latest.
    #[n(2)]
    pub(crate) ends_at: Option<Timestamp>,
}

/// What was read about a live session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct LiveSession {
    pub(crate) id: TokenId,
    pub(crate) issued_at: Timestamp,
    /// Since when it has not been used.
    pub(crate) idle_since: Timestamp,
}

/// The sessions that compete for a quota that is used up.
pub(crate) struct FullQuota {
    pub(crate) sessions: Vec<TokenId>,
    pub(crate) max: usize,
}

impl SessionIndex {
    /// Removes the sessions that have ended at `now`.
    pub(crate) fn remove_ended(&mut self, now: Timestamp) {
        self.sessions.retain(|session| session.ends_at.is_none_or(|end| now < end));
    }

    /// Returns the quota that has no room for another session on `device`; `None` if each has room.
    pub(crate) fn full_quota(
        &self,
        policy: &SessionPolicy,
        device: Option<u64>,
    ) -> Option<FullQuota> {
        let on_device = self.sessions.iter().filter(|session| session.device == device);
        let on_device: Vec<TokenId> = on_device.map(|session| session.id).collect();
        match policy.per_device {
            Some(max) if on_device.len() >= max => Some(FullQuota { sessions: on_device, max }),
            _ if self.sessions.len() >= policy.per_subject => {
                let sessions = self.sessions.iter().map(|session| session.id).collect();
                Some(FullQuota { sessions, max: policy.per_subject })
            }
            _ => None,
        }
    }

    /// Removes these sessions.
    pub(crate) fn remove(&mut self, sessions: &BTreeSet<TokenId>) {
        self.sessions.retain(|session| !sessions.contains(&session.id));
    }
}

impl WhenFull {
    /// Chooses the live sessions to end, so that there are `max` with one more. Returns no session
    /// if the login must be refused instead.
    pub(crate) fn choose_ended(self, mut live: Vec<LiveSession>, max: usize) -> BTreeSet<TokenId> {
        match self {
            Self::Deny => return BTreeSet::new(),
            Self::RetireOldest => live.sort_by_key(|session| (session.issued_at, session.id)),
            Self::RetireLeastRecentlyUsed => {
                live.sort_by_key(|session| (session.idle_since, session.issued_at, session.id));
            }
        }
        let excess = (live.len() + 1).saturating_sub(max);
        live.iter().take(excess).map(|session| session.id).collect()
    }
}
