//! Tokens of one subject by device, as a person would recognise them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use keyfob_api::TokenBody;
use keyfob_core::id::FamilyId;
use keyfob_core::{Timestamp, TokenId};

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
    /// Returns the key of a token. One without a device was minted from another, which may have one.
    fn of(token: &TokenBody, known: &HashMap<TokenId, &TokenBody>) -> Self {
        let metadata = &with_device(token, known).metadata;
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

/// Returns the token itself if a device is known of it, or the nearest one that it was minted from.
pub(super) fn with_device<'a>(
    token: &'a TokenBody,
    known: &HashMap<TokenId, &'a TokenBody>,
) -> &'a TokenBody {
    let has_device = |token: &TokenBody| {
        let device = &token.metadata.device;
        device.id.is_some() || device::name(device).is_some()
    };
    if has_device(token) {
        return token;
    }
    let root = token.family.map(FamilyId::root);
    let minted_from = token.ancestors.iter().rev().copied().chain(root);
    let found = minted_from.filter_map(|id| known.get(&id).copied()).find(|it| has_device(it));
    found.unwrap_or(token)
}

/// Returns tokens by their ids.
pub(super) fn by_id(tokens: &[TokenBody]) -> HashMap<TokenId, &TokenBody> {
    tokens.iter().map(|token| (token.id, token)).collect()
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

    /// Returns when one of its tokens was last seen.
    pub(super) fn last_seen(&self) -> Timestamp {
        self.tokens.iter().map(|token| last_seen(token)).max().unwrap_or_default()
    }

    /// Returns the address that the newest token was issued to.
    pub(super) fn address(&self) -> Option<IpAddr> {
        self.tokens.iter().find_map(|token| token.metadata.device.ip)
    }
}

/// Returns when a token was last used, or issued.
pub(super) fn last_seen(token: &TokenBody) -> Timestamp {
    token.last_used.unwrap_or(token.issued_at)
}

/// Groups tokens by device: the one that was seen last comes first, and what has no device last.
pub(super) fn by_device(tokens: &[TokenBody]) -> Vec<Group<'_>> {
    let known = by_id(tokens);
    let mut groups: BTreeMap<Key, Vec<&TokenBody>> = BTreeMap::new();
    for token in tokens {
        groups.entry(Key::of(token, &known)).or_default().push(token);
    }
    let mut groups: Vec<_> =
        groups.into_iter().map(|(key, tokens)| Group { key, tokens }).collect();
    groups.sort_by_key(|group| (group.key == Key::Unknown, Reverse(group.last_seen())));
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

    #[test]
    fn a_token_is_on_the_device_of_what_it_was_minted_from() {
        let mut session = sample::token();
        session.metadata.device.id = "laptop-1".parse().ok();
        let mut minted = sample::token();
        minted.id = TokenId::from_bytes([7; 16]);
        minted.metadata.device.id = None;
        minted.ancestors = vec![session.id];
        let tokens = [&minted, &session].map(|token| TokenBody::of(token, token.issued_at));
        let groups = by_device(&tokens);
        assert_eq!((groups.len(), groups[0].tokens.len()), (1, 2));
        // The other one is on another page.
        let strangers = [&tokens[0]].map(Clone::clone);
        assert_eq!(by_device(&strangers)[0].key, Key::Unknown);
    }
}
