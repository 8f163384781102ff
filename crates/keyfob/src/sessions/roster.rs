//! The roster of a subject's sessions, and who has to leave it.

use minicbor::{Decode, Encode};

use super::{SessionPolicy, WhenFull};
use crate::id::TokenId;
use crate::time::Timestamp;

/// The sessions of a subject, the oldest first. The numbers are the format.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(crate) struct Roster {
    #[n(0)]
    pub(crate) sessions: Vec<Listed>,
}

/// One session, as it was when it was issued.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Encode, Decode)]
pub(crate) struct Listed {
    #[n(0)]
    pub(crate) id: TokenId,
    /// The digest of its device.
    #[n(1)]
    pub(crate) device: Option<u64>,
    /// When it ends at the latest.
    #[n(2)]
    pub(crate) ends_at: Option<Timestamp>,
}

/// What was found of a session that is live.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Seen {
    pub(crate) id: TokenId,
    pub(crate) issued_at: Timestamp,
    /// Since when it has not been used.
    pub(crate) idle_since: Timestamp,
}

impl Roster {
    /// Strikes out what is over at `now`.
    pub(crate) fn strike_past(&mut self, now: Timestamp) {
        self.sessions.retain(|listed| listed.ends_at.is_none_or(|end| now < end));
    }

    /// The sessions of which one has to end before another on `device` may begin, with how many of
    /// them there may be; `None` if there is room.
    pub(crate) fn crowd(
        &self,
        policy: &SessionPolicy,
        device: Option<u64>,
    ) -> Option<(Vec<TokenId>, usize)> {
        let on_device = self.sessions.iter().filter(|listed| listed.device == device);
        let on_device: Vec<TokenId> = on_device.map(|listed| listed.id).collect();
        match policy.per_device {
            Some(most) if on_device.len() >= most => Some((on_device, most)),
            _ if self.sessions.len() >= policy.per_subject => {
                let all = self.sessions.iter().map(|listed| listed.id);
                Some((all.collect(), policy.per_subject))
            }
            _ => None,
        }
    }

    /// Strikes those of a crowd out that are not among the live.
    pub(crate) fn strike_dead(&mut self, crowd: &[TokenId], live: &[Seen]) {
        let is_dead =
            |id: &TokenId| crowd.contains(id) && live.iter().all(|session| session.id != *id);
        self.sessions.retain(|listed| !is_dead(&listed.id));
    }
}

impl WhenFull {
    /// Which of the live sessions gives way; `None` if none does.
    pub(crate) fn retires(self, live: &[Seen]) -> Option<TokenId> {
        let retired = match self {
            Self::Deny => None,
            Self::RetireOldest => live.iter().min_by_key(|seen| (seen.issued_at, seen.id)),
            Self::RetireLeastRecentlyUsed => {
                live.iter().min_by_key(|seen| (seen.idle_since, seen.issued_at, seen.id))
            }
        };
        retired.map(|seen| seen.id)
    }
}
