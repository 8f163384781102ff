//! The API keys of a client: their state, how often their secret was replaced, and overlaps that run.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use keyfob_api::TokenBody;
use keyfob_client::Client;
use keyfob_core::text::ClientId;
use keyfob_core::{Timestamp, TokenId, TokenState};
use maud::{Markup, html};

use crate::observations;
use crate::trouble::Trouble;
use crate::visit::Visit;
use crate::widget::call::{copyable, quoted};
use crate::widget::{text, time, token};

/// Of how many keys the history is read.
const MAX_HISTORIES: usize = 20;

/// When the secret of a key was replaced, as far as its history goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rotations {
    count: usize,
    last: Timestamp,
}

/// Reads when the secrets of living keys were replaced.
pub(super) async fn rotations(api: &Client, keys: &[TokenBody]) -> BTreeMap<TokenId, Rotations> {
    let living = keys.iter().filter(|key| key.state == TokenState::Active).take(MAX_HISTORIES);
    let histories = living.map(|key| async { (key.id, api.history(key.id).await) });
    let mut found = BTreeMap::new();
    for (id, history) in join_all(histories).await {
        let Ok(changes) = history else { continue };
        let replaced = changes.iter().filter(|change| change.what == "secret_replaced");
        let times: Vec<_> = replaced.map(|change| change.at).collect();
        if let Some(last) = times.iter().max() {
            found.insert(id, Rotations { count: times.len(), last: *last });
        }
    }
    found
}

/// When older secrets were last used, by key, and of what time that is known.
#[derive(Debug, Default)]
pub(super) struct OlderUses {
    last: BTreeMap<String, Timestamp>,
    bound: Option<String>,
}

/// Reads when older secrets were last used, if an overlap runs.
pub(super) async fn older_secret_uses(
    visit: &Visit,
    keys: &[TokenBody],
) -> Result<OlderUses, Trouble> {
    let overlapping = keys.iter().filter(|key| key.older_secret_until.is_some());
    let ids: Vec<_> = overlapping.map(|key| key.id.to_string()).collect();
    if ids.is_empty() || !visit.may("keyfob:events") {
        return Ok(OlderUses::default());
    }
    let recent = observations::recent(&visit.api, visit.now, |event| {
        event.kind == "keyfob.token.older_secret_used"
            && event.subject.as_ref().is_some_and(|id| ids.contains(id))
    });
    let recent = match recent.await {
        Ok(recent) => recent,
        Err(Trouble::SignedOut) => return Err(Trouble::SignedOut),
        Err(_) => return Ok(OlderUses::default()),
    };
    let mut uses = OlderUses { bound: Some(recent.bound()), ..OlderUses::default() };
    for event in recent.events {
        if let (Some(id), Ok(at)) = (event.subject, event.time.parse::<Timestamp>()) {
            let last = uses.last.entry(id).or_insert(at);
            *last = at.max(*last);
        }
    }
    Ok(uses)
}

/// Shows the keys.
pub(super) fn table(
    keys: &[TokenBody],
    rotations: &BTreeMap<TokenId, Rotations>,
    uses: &OlderUses,
    client: &ClientId,
    now: Timestamp,
) -> Markup {
    html! {
        @if keys.is_empty() {
            p { "This client has no API key: its tokens were issued by others. Give it one:" }
            (copyable(&format!("keyfob client add {} --scope keyfob:read", quoted(client.as_str()))))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="API keys" {
                table {
                    thead {
                        tr {
                            @for title in ["State", "Key", "Scopes", "Issued", "Last used", "Expires", "Secret"] {
                                th scope="col" { (title) }
                            }
                        }
                    }
                    tbody {
                        @for key in keys { (row(key, rotations.get(&key.id), uses, now)) }
                    }
                }
            }
            @if let Some(bound) = &uses.bound {
                p.quiet { "Uses of older secrets are from a sample, " (bound) "." }
            }
        }
    }
}

fn row(key: &TokenBody, rotations: Option<&Rotations>, uses: &OlderUses, now: Timestamp) -> Markup {
    html! {
        tr data-state=(key.state.as_str()) {
            td { (token::state(key.state)) }
            td { (token::id(key.id)) }
            td {
                @if key.scopes.is_empty() { span.quiet { "none" } }
                @for scope in &key.scopes { span.tag { (text::short(scope.as_str(), 40)) } " " }
            }
            td { (time::ago(key.issued_at, now)) }
            td { (time::ago_or(key.last_used, now, "never")) }
            td { (time::ago_or(key.expires_at, now, "never")) }
            td.wide { (secret(key, rotations, uses, now)) }
        }
    }
}

/// Shows how often the secret was replaced, and how long the older one still works.
fn secret(
    key: &TokenBody,
    rotations: Option<&Rotations>,
    uses: &OlderUses,
    now: Timestamp,
) -> Markup {
    let alive = key.state == TokenState::Active;
    html! {
        @if let Some(until) = key.older_secret_until.filter(|_| alive) {
            (overlap(until, rotations.map(|it| it.last), now))
            @if uses.bound.is_some() {
                br;
                @match uses.last.get(&key.id.to_string()) {
                    Some(at) => { "The older one was used " (time::ago(*at, now)) "." },
                    None => span.quiet { "No use of the older one was seen." },
                }
            }
        } @else if let Some(rotations) = rotations {
            "replaced " (time::ago(rotations.last, now))
            @if rotations.count > 1 { span.quiet { ", " (rotations.count) " times lately" } }
        } @else if alive {
            span.quiet { "the first" }
        } @else {
            span.quiet { "–" }
        }
    }
}

/// Shows an overlap as a bar: how much of it is left.
fn overlap(until: Timestamp, begun: Option<Timestamp>, now: Timestamp) -> Markup {
    let left = until.since(now).map_or(0, |left| left.as_secs());
    let whole = begun.and_then(|begun| until.since(begun)).map_or(left, |whole| whole.as_secs());
    html! {
        "Two work: the older one ends " (time::ago(until, now)) "."
        @if whole > 0 {
            meter min="0" max=(whole) value=(left.min(whole)) aria-label="What is left of the overlap" {
                (time::length(left)) " of " (time::length(whole))
            }
        }
    }
}
