//! Tokens in a sentence, as a person knows them: the session on a device, and not each token of it.

use std::collections::{BTreeMap, HashMap};

use keyfob_api::TokenBody;
use keyfob_core::{Kind, TokenId};
use maud::{Markup, html};

use super::groups::with_device;
use crate::widget::{device, text, token};

/// How many devices one sentence names.
const MAX_DEVICES: usize = 3;

/// Tokens by their ids.
pub(super) type Known<'a> = HashMap<TokenId, &'a TokenBody>;

/// Tokens as the subject of a sentence.
pub(super) struct Named<'a> {
    devices: Vec<OnDevice<'a>>,
}

/// The tokens on one device.
struct OnDevice<'a> {
    name: Option<String>,
    /// Those of the kind that a person knows best.
    main: Vec<&'a TokenBody>,
    others: usize,
}

impl<'a> Named<'a> {
    pub(super) fn of(tokens: &[&'a TokenBody], known: &Known<'_>) -> Self {
        // Those without a device come last.
        let mut devices: BTreeMap<(bool, Option<String>), Vec<&TokenBody>> = BTreeMap::new();
        for token in tokens {
            let name = device_name(token, known);
            devices.entry((name.is_none(), name)).or_default().push(token);
        }
        let devices = devices.into_iter().map(|((_, name), tokens)| OnDevice::of(name, tokens));
        Self { devices: devices.collect() }
    }

    /// Returns whether the verb is in the singular.
    fn is_one(&self) -> bool {
        matches!(self.devices.as_slice(), [device] if device.main.len() == 1)
    }

    /// Returns `was` or `were`.
    pub(super) fn was(&self) -> &'static str {
        if self.is_one() { "was" } else { "were" }
    }

    /// Shows the names. `article` begins the text.
    pub(super) fn show(&self, article: &str) -> Markup {
        let more = self.devices.len().saturating_sub(MAX_DEVICES);
        html! {
            @for (n, device) in self.devices.iter().take(MAX_DEVICES).enumerate() {
                @if n > 0 { ", " }
                (device.show(if n == 0 { article } else { "the" }))
            }
            @if more > 0 { " and those on " (more) @if more == 1 { " more device" } @else { " more devices" } }
        }
    }
}

impl<'a> OnDevice<'a> {
    fn of(name: Option<String>, tokens: Vec<&'a TokenBody>) -> Self {
        let best = tokens.iter().map(|token| rank(token.kind)).min();
        let (main, others): (Vec<_>, Vec<_>) =
            tokens.into_iter().partition(|token| Some(rank(token.kind)) == best);
        Self { name, main, others: others.len() }
    }

    fn show(&self, article: &str) -> Markup {
        let Some(first) = self.main.first() else { return html! {} };
        let kind = device::kind(first.kind, self.main.len() > 1);
        let what = match &self.name {
            Some(name) => format!("{kind} on {name}"),
            None => kind.to_owned(),
        };
        html! {
            @if self.main.len() == 1 {
                (article) " " a href=(token::address(first.id)) { (text::short(&what, 80)) }
            } @else {
                (self.main.len()) " " (text::short(&what, 80))
            }
            @if self.others > 0 {
                " (and " (self.others) @if self.others == 1 { " more token)" } @else { " more tokens)" }
            }
        }
    }
}

/// Returns which kind a person knows best: a small number.
const fn rank(kind: Kind) -> u8 {
    match kind {
        Kind::Session => 0,
        Kind::Refresh => 1,
        Kind::ApiKey => 2,
        Kind::Access => 3,
    }
}

fn device_name(token: &TokenBody, known: &Known<'_>) -> Option<String> {
    let device = &with_device(token, known).metadata.device;
    let id = || device.id.as_ref().map(ToString::to_string);
    device::name(device).map(Into::into).or_else(id)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::token::sample;

    fn token(kind: Kind, device: Option<&str>) -> TokenBody {
        let mut token = sample::token();
        token.kind = kind;
        token.metadata.device.id = device.and_then(|id| id.parse().ok());
        TokenBody::of(&token, token.issued_at)
    }

    #[test]
    fn the_session_stands_for_what_belongs_to_it() {
        let laptop = Some("laptop");
        let tokens = [
            token(Kind::Access, laptop),
            token(Kind::Session, laptop),
            token(Kind::Refresh, laptop),
        ];
        let named = Named::of(&tokens.iter().collect::<Vec<_>>(), &Known::new());
        assert_eq!(named.was(), "was");
        let shown = named.show("The").into_string();
        assert!(shown.starts_with("The <a"), "{shown}");
        assert!(shown.ends_with("session on laptop</bdi></a> (and 2 more tokens)"), "{shown}");
    }

    #[test]
    fn many_devices_are_counted() {
        let names = ["a", "b", "c", "d", "e"].map(|name| token(Kind::Session, Some(name)));
        let named = Named::of(&names.iter().collect::<Vec<_>>(), &Known::new());
        assert_eq!(named.was(), "were");
        assert!(named.show("The").into_string().ends_with(" and those on 2 more devices"));
    }
}
