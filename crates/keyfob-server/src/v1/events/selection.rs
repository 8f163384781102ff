//! Which events are wanted.

use keyfob::Event;
use keyfob::event::Observation;
use keyfob::values::TokenId;

use crate::event_types::is_wanted;

/// Which events are wanted.
#[derive(Clone, Debug, Default)]
pub(super) struct Selection {
    /// A type, such as `keyfob.token.revoked`, or the start of some, such as `keyfob.token.`.
    pub(super) kind: Option<String>,
    /// The token that they are about.
    pub(super) token: Option<TokenId>,
}

impl Selection {
    pub(super) fn has_event(&self, event: &Event) -> bool {
        self.matches(event.what.as_str(), event.token())
    }

    pub(super) fn has_observation(&self, seen: &Observation) -> bool {
        self.matches(seen.what.as_str(), seen.token())
    }

    fn matches(&self, name: &str, about: Option<TokenId>) -> bool {
        self.kind.as_ref().is_none_or(|kind| is_wanted(kind, name))
            && self.token.is_none_or(|token| about == Some(token))
    }
}
