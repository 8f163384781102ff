//! The roster of a subject's sessions, and who has to leave it.

use std::collections::BTreeSet;

use minicbor::{Decode, Encode};

use super::{SessionPolicy, WhenFull};
use crate::id::TokenId;
use crate::time::Timestamp;

/// The sessions of a subject, the oldest first. The numbers are the format.
#[derive(Clone, PartialEq, Eq, Debug, Default, Encode, Decode)]
pub(crate) struct SessionIndex {
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

impl SessionIndex {
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

    /// Strikes out those that are over.
    pub(crate) fn strike(&mut self, over: &BTreeSet<TokenId>) {
        self.sessions.retain(|listed| !over.contains(&listed.id));
    }
}

impl WhenFull {
    /// Which of the live sessions give way, so that with one more there are `most`; none if none
    /// does.
    pub(crate) fn retires(self, mut live: Vec<Seen>, most: usize) -> BTreeSet<TokenId> {
        match self {
            Self::Deny => return BTreeSet::new(),
            Self::RetireOldest => live.sort_by_key(|seen| (seen.issued_at, seen.id)),
            Self::RetireLeastRecentlyUsed => {
                live.sort_by_key(|seen| (seen.idle_since, seen.issued_at, seen.id));
            }
        }
        let too_many = (live.len() + 1).saturating_sub(most);
        live.iter().take(too_many).map(|seen| seen.id).collect()
    }
}
