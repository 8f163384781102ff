//! How long tokens live, and how long their records are kept.

use keyfob_core::time::{Timestamp, Ttl};
use keyfob_core::token::Kind;

/// The default lifetime for each kind of token. A grant can override it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Lifetimes {
    /// Access tokens: an hour.
    pub access: Ttl,
    /// Refresh tokens: 30 days.
    pub refresh: Ttl,
    /// API keys: 365 days.
    pub api_key: Ttl,
    /// Sessions: a day.
    pub session: Ttl,
}

/// How long a record is kept after the end of its token, so that a refusal can be explained.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Retention {
    /// A quarter of the token's lifetime, at most a minute. This is the default: records of
    /// short-lived tokens do not accumulate, and lists in order of expiry are exact to a minute.
    QuarterOfLife,
    /// Exactly this long. Lists in order of expiry are exact.
    For(Ttl),
    /// No retention: an expired token is reported as unknown.
    None,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Self {
            access: Ttl::from_hours(1),
            refresh: Ttl::from_days(30),
            api_key: Ttl::from_days(365),
            session: Ttl::from_days(1),
        }
    }
}

impl Lifetimes {
    pub(super) fn of(&self, kind: Kind) -> Ttl {
        match kind {
            Kind::Access => self.access,
            Kind::Refresh => self.refresh,
            Kind::ApiKey => self.api_key,
            Kind::Session => self.session,
        }
    }
}

impl Retention {
    /// Returns the earliest time at which the store may forget the record of a token that lives
    /// from `start` to `end`.
    pub(super) fn keep_until(self, start: Timestamp, end: Option<Timestamp>) -> Timestamp {
        let Some(end) = end else { return Timestamp::MAX };
        match self {
            Self::None => end,
            Self::For(ttl) => end + ttl,
            Self::QuarterOfLife => {
                let life = end.since(start).map_or(0, Ttl::as_millis);
                let quarter = Ttl::from_millis(life / 4).ok();
                quarter.map_or(end, |quarter| end + quarter.min(Ttl::from_mins(1)))
            }
        }
    }
}
