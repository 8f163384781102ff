//! The uses of tokens that wait to be written, and when a use has to be written.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use super::repeating::Repeating;
use keyfob_core::id::TokenId;
use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::Token;
use keyfob_store::LastUse;

/// The maximum number of tokens whose use waits to be written. Beyond it, a use is written before it
/// is answered.
const MAX_WAITING: usize = 65_536;

#[derive(Debug)]
pub(in crate::manager) struct LastUses {
    precision: Ttl,
    waiting: Mutex<HashMap<TokenId, LastUse>>,
    /// Held during a write, so that a shutdown waits for it.
    pub(super) writing: tokio::sync::Mutex<()>,
    pub(super) repeating: Repeating,
}

/// When a use must be written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Due {
    /// Not at all: the stored time is close enough.
    No,
    /// In the background.
    Later,
    /// Before it is answered.
    Now,
}

/// The outcome of queueing a use.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Queued {
    Added,
    /// Another use of the same token was queued.
    Merged,
    Full,
}

impl LastUses {
    pub(in crate::manager) fn new(precision: Ttl) -> Self {
        Self {
            precision,
            waiting: Mutex::default(),
            writing: tokio::sync::Mutex::default(),
            repeating: Repeating::default(),
        }
    }

    /// How long after a use was written the next one is written.
    pub(in crate::manager) fn interval(&self, idle_timeout: Option<Ttl>) -> Ttl {
        let eighth = idle_timeout.map(|idle| idle.half().half().half());
        eighth.map_or(self.precision, |eighth| eighth.min(self.precision))
    }

    /// When the next use must be written, after one at this time.
    pub(in crate::manager) fn next_use_due(&self, token: &Token, now: Timestamp) -> Timestamp {
        let since = if self.due(token, now) == Due::No { token.idle_since() } else { now };
        since + self.interval(token.idle_timeout)
    }

    pub(super) fn due(&self, token: &Token, now: Timestamp) -> Due {
        let known = token.idle_since();
        let since = now.since(known).map_or(0, Ttl::as_millis);
        match token.idle_timeout.map(Ttl::as_millis) {
            Some(idle) if since >= idle / 2 => Due::Now,
            None if token.last_used.is_none() => Due::Later,
            _ if since >= self.interval(token.idle_timeout).as_millis() => Due::Later,
            _ => Due::No,
        }
    }

    /// Queues a use for the background task.
    pub(super) fn queue(&self, last: LastUse) -> Queued {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiting.get_mut(&last.id) {
            if known.at < last.at {
                *known = last;
            }
            return Queued::Merged;
        }
        if waiting.len() >= MAX_WAITING {
            return Queued::Full;
        }
        waiting.insert(last.id, last);
        Queued::Added
    }

    pub(super) fn take(&self) -> Vec<LastUse> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.drain().map(|(_, last)| last).collect()
    }
}
