//! What a token is, as a list of facts.

use std::borrow::Cow;
use std::collections::BTreeMap;

use keyfob_api::TokenBody;
use keyfob_core::{Timestamp, Ttl};
use maud::{Markup, html};
use serde_json::value::RawValue;

use super::{device, key, owner, text, time, token};

/// How many characters of a name are shown.
const NAME_CHARS: usize = 120;

/// Shows what a token is: whose it is, what it allows, how long it is valid.
pub(crate) fn token(token: &TokenBody, now: Timestamp) -> Markup {
    html! {
        dl.facts {
            (fact("State", token::state(token.state)))
            (fact("Kind", token::kind(token.kind)))
            @if let Some(subject) = &token.subject {
                (fact("Subject", owner::subject(subject.as_str(), NAME_CHARS)))
            }
            @if let Some(client) = &token.client {
                (fact("Client", owner::client(client.as_str(), NAME_CHARS)))
            }
            @if let Some(issuer) = &token.issuer { (fact("Issuer", text::value(issuer.as_str()))) }
            (fact("Audience", names(token.audience.iter().map(|name| name.as_str()), "any service")))
            (fact("Scopes", names(token.scopes.iter().map(|name| name.as_str()), "none")))
            (times(token, now))
            @if let Some(key) = key::of(token) { (fact("Bound to", text::value(&key::named(&key)))) }
            @if let Some(key) = &token.client_key {
                (fact("Client key", html! {
                    (key.algorithm()) ", thumbprint " code { (text::value(key.thumbprint().as_str())) }
                }))
            }
            @if let Some(place) = &token.jwt {
                (fact("Form", html! {
                    "JWT, place " (place.index) " of the status list "
                    code { (text::value(&place.list)) }
                }))
            }
            @if let Some(uses) = token.uses_left { (fact("Uses left", html! { (uses) })) }
            (integrity(token))
        }
    }
}

/// Shows the device, the application, labels and tags of a token.
pub(crate) fn metadata(token: &TokenBody) -> Markup {
    let (metadata, device) = (&token.metadata, &token.metadata.device);
    let texts = [
        ("Device", device.id.as_ref().map(|it| it.as_str())),
        ("User agent", device.user_agent.as_ref().map(|it| it.as_str())),
        ("Platform", device.platform.as_ref().map(|it| it.as_str())),
        ("Its version", device.version.as_ref().map(|it| it.as_str())),
        ("App", metadata.app.as_ref().map(|it| it.as_str())),
        ("App version", metadata.app_version.as_ref().map(|it| it.as_str())),
    ];
    let labels = metadata.labels.iter();
    let labels: Vec<_> = labels.map(|(key, value)| format!("{key}={value}")).collect();
    html! {
        dl.facts {
            @if let Some(name) = known_name(token) {
                (fact("Looks like", text::value(&name)))
            }
            @for (name, value) in texts {
                @if let Some(value) = value { (fact(name, text::value(value))) }
            }
            @if let Some(ip) = device.ip { (fact("Address", html! { (ip) })) }
            (fact("Labels", names(labels.iter().map(String::as_str), "none")))
            (fact("Tags", names(metadata.tags.iter().map(|tag| tag.as_str()), "none")))
        }
    }
}

/// Returns what a device is called, if its user agent is one that is known.
fn known_name(token: &TokenBody) -> Option<Cow<'_, str>> {
    let device = &token.metadata.device;
    let agent = device.user_agent.as_ref()?;
    device::name(device).filter(|name| name != agent.as_str())
}

/// Shows the claims of a token, each as its JSON. Returns nothing if there are none.
pub(crate) fn claims(token: &TokenBody) -> Option<Markup> {
    let claims: BTreeMap<String, &RawValue> = serde_json::from_str(token.claims.get()).ok()?;
    (!claims.is_empty()).then(|| {
        html! {
            dl.facts {
                @for (name, value) in claims {
                    dt { (text::bdi(&name)) }
                    dd { code { (text::value(value.get())) } }
                }
            }
        }
    })
}

fn times(token: &TokenBody, now: Timestamp) -> Markup {
    let length = |length: Ttl| time::length(length.as_millis() / 1_000);
    html! {
        (fact("Issued", exact(token.issued_at, now)))
        @if let Some(start) = token.not_before { (fact("Valid from", exact(start, now))) }
        (fact("Expires", match token.expires_at {
            Some(end) => exact(end, now),
            None => html! { "never" },
        }))
        @if let Some(idle) = token.idle_timeout {
            (fact("If unused", html! { "expires after " (length(idle)) " without a use" }))
        }
        @if let Some(end) = token.absolute_expiry { (fact("At the latest", exact(end, now))) }
        @if let Some(until) = token.older_secret_until {
            (fact("Older secret", html! { "works until " (exact(until, now)) }))
        }
        (fact("Last used", match token.last_used {
            Some(at) => exact(at, now),
            None => html! { span.quiet { "not recorded" } },
        }))
    }
}

fn integrity(token: &TokenBody) -> Markup {
    html! {
        @if token.integrity.is_some() {
            (fact("Integrity", html! {
                span.wrong {
                    "The store lost data that may have revoked this token, so it is refused. Issue another one."
                }
            }))
        }
    }
}

/// Shows one fact.
pub(crate) fn fact(name: &str, value: Markup) -> Markup {
    html! { dt { (name) } dd { (value) } }
}

/// Shows a time by its distance, and exactly.
pub(crate) fn exact(at: Timestamp, now: Timestamp) -> Markup {
    html! { (time::distance(at, now)) " " time.quiet datetime=(at) { (at) } }
}

/// Shows a name in a frame. The rest of a long one opens by a click.
fn tag(name: &str) -> Markup {
    const SHOWN_CHARS: usize = 48;
    let is_long = text::visible(name).chars().nth(SHOWN_CHARS).is_some();
    html! {
        @if is_long {
            details.tag { summary { (text::short(name, SHOWN_CHARS)) } (text::bdi(name)) }
        } @else {
            span.tag { (text::bdi(name)) }
        }
    }
}

/// How many names are shown before the rest is folded away.
const SHOWN_NAMES: usize = 24;

pub(crate) fn names<'a>(names: impl Iterator<Item = &'a str>, if_none: &str) -> Markup {
    let names: Vec<_> = names.collect();
    let tags = |names: &[&str]| html! { @for name in names { (tag(name)) " " } };
    html! {
        @if names.is_empty() { span.quiet { (if_none) } }
        (tags(&names[..names.len().min(SHOWN_NAMES)]))
        @if let Some(rest) = names.get(SHOWN_NAMES..).filter(|rest| !rest.is_empty()) {
            details { summary { (rest.len()) " more" } (tags(rest)) }
        }
    }
}
