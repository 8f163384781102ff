//! The filter of a subscription: which events it wants, by the tokens that they are about.
//!
//! A filter never hides a revocation that may concern a token that matches. Where that is not certain, the event is sent.

use std::fmt;

use keyfob::Token;
use keyfob::event::{Event, EventKind};
use keyfob::filter::{Filter, FilterBindings, FilterError};
use keyfob::values::FamilyId;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A filter that is kept as its text. An empty one wants all events.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct TokenFilter(Filter);

impl TokenFilter {
    /// Reads the text form. It has to mean the same whenever an event is read.
    pub(super) fn parse(text: &str) -> Result<Self, FilterError> {
        Filter::parse_timeless(text, &FilterBindings::new()).map(Self)
    }

    /// Returns whether it wants all events.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Decides about an event, by the token that it names. `None`: it names none, or that token cannot be read.
    pub(super) fn choose(&self, event: &Event, token: Option<&Token>) -> Choice {
        let Self(filter) = self;
        if let EventKind::EpochAdvanced { of } = &event.what {
            return if filter.may_match_in(of) { Choice::Send } else { Choice::LeaveOut };
        }
        let Some(token) = token else { return Choice::Send };
        // The filter is timeless, so any time gives the same answer.
        if filter.matches(token, event.at) {
            return Choice::Send;
        }
        let revokes_below =
            matches!(event.what, EventKind::Revoked { .. } | EventKind::ReuseDetected { .. });
        match revokes_below && filter.may_match_below(token) {
            true => Choice::SendIfBelow(Box::new(self.in_family_of(token))),
            false => Choice::LeaveOut,
        }
    }

    /// Returns the filter of the matches that are in the family of a token, or descend from it.
    fn in_family_of(&self, token: &Token) -> Filter {
        self.0.clone().family(FamilyId::under(token.id, token.family))
    }
}

impl fmt::Display for TokenFilter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for TokenFilter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TokenFilter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        // A filter of a newer version is not left out: the receiver would get what it does not want.
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// What a filter says about an event.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Choice {
    /// It is sent.
    Send,
    /// It is left out.
    LeaveOut,
    /// It is sent if a token matches this filter that descends from the token of the event, and was revoked with it.
    SendIfBelow(Box<Filter>),
}

#[cfg(test)]
mod tests {
    use keyfob::Kind;
    use keyfob::event::EpochOf;
    use keyfob::store::OperationId;
    use keyfob::values::Timestamp;

    use super::*;

    fn choice(text: &str, what: EventKind, token: Option<&Token>) -> Choice {
        let operation = OperationId::from_bytes([0; 16]);
        let event = Event::new(operation, 0, Timestamp::default(), what);
        TokenFilter::parse(text).unwrap().choose(&event, token)
    }

    fn session() -> Token {
        let id = "tok_00d1h88n000000000000000001".parse().unwrap();
        let mut token = Token::new(id, Kind::Session, Timestamp::default());
        token.subject = Some("alice".parse().unwrap());
        token
    }

    #[test]
    fn an_event_about_a_token_is_sent_if_the_token_matches() {
        let token = session();
        let updated = || EventKind::MetadataUpdated { token: token.id };
        for (text, expected) in [
            ("subject:alice", Choice::Send),
            ("kind:session,refresh", Choice::Send),
            ("subject:bob", Choice::LeaveOut),
            ("subject:alice tag:beta", Choice::LeaveOut),
        ] {
            assert_eq!(choice(text, updated(), Some(&token)), expected, "{text}");
            assert_eq!(choice(text, updated(), None), Choice::Send, "it is no longer stored");
        }
    }

    #[test]
    fn a_revocation_is_left_out_only_if_no_descendant_can_match() {
        let token = session();
        let (id, presented, generation, is_forged) = (token.id, 1, 2, false);
        let reuse = EventKind::ReuseDetected { token: id, presented, generation, is_forged };
        for revoked in [EventKind::Revoked { token: id }, reuse] {
            let below = |text: &str| {
                let none = FilterBindings::new();
                let text = format!("{text} family:{id}");
                Choice::SendIfBelow(Box::new(Filter::parse_timeless(&text, &none).unwrap()))
            };
            for (text, expected) in [
                ("kind:session", Choice::Send),
                ("kind:access", below("kind:access")),
                ("subject:alice tag:beta", below("subject:alice tag:beta")),
                ("subject:bob", Choice::LeaveOut),
                ("client:web", Choice::LeaveOut),
            ] {
                assert_eq!(choice(text, revoked.clone(), Some(&token)), expected, "{text}");
            }
        }
    }

    #[test]
    fn an_epoch_is_sent_unless_it_certainly_does_not_concern_a_match() {
        let of = |of| EventKind::EpochAdvanced { of };
        let alice = || of(EpochOf::Subject("alice".parse().unwrap()));
        for (text, what, expected) in [
            ("subject:alice tag:beta", alice(), Choice::Send),
            ("client:web", alice(), Choice::Send),
            ("subject:bob", alice(), Choice::LeaveOut),
            ("subject:bob", of(EpochOf::All), Choice::Send),
        ] {
            assert_eq!(choice(text, what, None), expected, "{text}");
        }
    }

    #[test]
    fn an_event_about_no_token_is_sent() {
        let (since, noticed) = (Timestamp::default(), Timestamp::default());
        let accepted = EventKind::RollbackAccepted { since, noticed, lanes: 1 };
        assert_eq!(choice("subject:alice", accepted, None), Choice::Send);
    }

    #[test]
    fn a_filter_is_kept_as_its_text() {
        let filter = TokenFilter::parse("tag:beta  kind:access issued-after:2026-11-24").unwrap();
        let json = serde_json::to_value(&filter).unwrap();
        assert_eq!(json, "kind:access tag:beta issued-after:2026-11-24T00:00:00Z");
        assert_eq!(serde_json::from_value::<TokenFilter>(json).unwrap(), filter);
        for newer in ["colour:red", "state:active"] {
            assert!(serde_json::from_value::<TokenFilter>(newer.into()).is_err(), "{newer}");
        }
    }
}
