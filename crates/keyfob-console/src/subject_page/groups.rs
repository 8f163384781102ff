//! Tokens of one subject by device, as a person would recognise them.

use std::collections::BTreeMap;
use std::net::IpAddr;

use keyfob_api::TokenBody;
use keyfob_core::Timestamp;

use crate::widget::device;

/// What tells devices apart.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Key {
    /// The application has named it.
    Id(String),
    /// Nothing but a user agent is known of it.
    Agent(String),
    /// Nothing but the application is known of it.
    App(String),
    Unknown,
}

/// The tokens of one device.
#[derive(Debug)]
pub(super) struct Group<'a> {
    pub(super) key: Key,
    /// The newest first, as the API lists them.
    pub(super) tokens: Vec<&'a TokenBody>,
}

impl Key {
    fn of(token: &TokenBody) -> Self {
        let metadata = &token.metadata;
        if let Some(id) = &metadata.device.id {
            return Self::Id(id.to_string());
        }
        // The same browser after an update is still the same one.
        if let Some(name) = device::name(&metadata.device) {
            return Self::Agent(name.into_owned());
        }
        metadata.app.as_ref().map_or(Self::Unknown, |app| Self::App(app.to_string()))
    }
}

impl Group<'_> {
    /// Returns what the device is called.
    pub(super) fn name(&self) -> String {
        let named = self.tokens.iter().find_map(|token| device::name(&token.metadata.device));
        match (&self.key, named) {
            (_, Some(name)) => name.into_owned(),
            (Key::Id(id), None) => id.clone(),
            (Key::Agent(name) | Key::App(name), None) => name.clone(),
            (Key::Unknown, None) => "No device is known".to_owned(),
        }
    }

    /// Returns when one of its tokens was last used, or issued.
    pub(super) fn last_seen(&self) -> Timestamp {
        let seen = |token: &&TokenBody| token.last_used.unwrap_or(token.issued_at);
        self.tokens.iter().map(seen).max().unwrap_or_default()
    }

    /// Returns the address that the newest token was issued to.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.tokens.iter().find_map(|token| token.metadata.device.ip)
    }
}

/// Groups tokens by device: the one that was seen last comes first.
pub(super) fn by_device(tokens: &[TokenBody]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<Key, Vec<&TokenBody>> = BTreeMap::new();
    for token in tokens {
        groups.entry(Key::of(token)).or_default().push(token);
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|(key, tokens)| Group { key, tokens }).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.last_seen()));
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::token::{Token, sample};

    fn token(device: Option<&str>, agent: Option<&str>, used: u64) -> TokenBody {
        let mut token: Token = sample::token();
        token.metadata.device.id = device.and_then(|id| id.parse().ok());
        token.metadata.device.user_agent = agent.and_then(|agent| agent.parse().ok());
        token.last_used = Some(Timestamp::from_millis(used));
        TokenBody::of(&token, token.issued_at)
    }

    const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
    const NEWER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:141.0) Gecko/20100101 Firefox/141.0";

    #[test]
    fn a_device_keeps_its_tokens_together() {
        let tokens = [
            token(Some("laptop-1"), Some(FIREFOX), 5),
            token(None, Some(FIREFOX), 9),
            token(Some("laptop-1"), None, 7),
            token(None, Some(NEWER), 1),
            token(None, None, 2),
        ];
        let groups = by_device(&tokens);
        let names: Vec<_> = groups.iter().map(|it| (it.name(), it.tokens.len())).collect();
        let expected =
            [("Firefox on Linux", 2), ("Firefox on Linux", 2), ("No device is known", 1)];
        assert_eq!(names, expected.map(|(name, count)| (name.to_owned(), count)));
        assert_eq!(groups[1].key, Key::Id("laptop-1".to_owned()));
        assert_eq!(groups[0].last_seen().as_millis(), 9);
    }
}
