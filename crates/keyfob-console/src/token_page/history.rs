//! The history of a token as a line of time: what happened, who did it and why, and what is to come.

use keyfob_api::{HistoryEntryBody, TokenBody};
use keyfob_core::{Kind, Timestamp, TokenState};
use maud::{Markup, html};

use super::life;
use crate::widget::{facts, text, words};

/// How many changes a record keeps, beside the revocation.
const KEPT_CHANGES: usize = 8;

/// One moment in the life of a token.
struct Moment<'a> {
    at: Timestamp,
    what: &'static str,
    entry: Option<&'a HistoryEntryBody>,
}

/// Shows the history of a token.
pub(super) fn timeline(token: &TokenBody, history: &[HistoryEntryBody], now: Timestamp) -> Markup {
    let moments = moments(token, history);
    let changes = history.iter().filter(|entry| entry.what != "revoked").count();
    html! {
        @if changes >= KEPT_CHANGES {
            p.quiet { "A token keeps its last " (KEPT_CHANGES) " changes. Older ones are in the log of events." }
        }
        ol.timeline {
            @for moment in &moments {
                li data-when=(if moment.at > now { "later" } else { "past" }) {
                    div { strong { (moment.what) } " " (facts::exact(moment.at, now)) }
                    @if let Some(entry) = moment.entry { (actor_and_reason(entry)) }
                }
            }
        }
    }
}

fn actor_and_reason(entry: &HistoryEntryBody) -> Markup {
    html! {
        @if let Some(by) = &entry.by { div { "by " (text::bdi(by.as_str())) } }
        @if let Some(reason) = &entry.reason { div { "Reason: " (words::reason(reason.as_str())) } }
        @if let Some(through) = &entry.through { div.quiet { (words::revoked_through(through)) } }
    }
}

fn moments<'a>(token: &TokenBody, history: &'a [HistoryEntryBody]) -> Vec<Moment<'a>> {
    let mut moments: Vec<_> = history
        .iter()
        .map(|entry| Moment {
            at: entry.at,
            what: change(&entry.what, token.kind),
            entry: Some(entry),
        })
        .collect();
    let mut add = |at: Option<Timestamp>, what| {
        moments.extend(at.map(|at| Moment { at, what, entry: None }));
    };
    add(life::start(token), "Becomes valid");
    add(token.last_used, "Last used");
    let end = life::end(token, history);
    match token.state {
        TokenState::Pending | TokenState::Active => {
            let is_fixed = [token.expires_at, token.absolute_expiry].contains(&end);
            add(end, if is_fixed { "Expires" } else { "Expires, unless it is used before" });
        }
        TokenState::Expired => add(end, "Expired"),
        TokenState::Revoked | TokenState::Exhausted => {}
    }
    moments.sort_by_key(|moment| moment.at);
    moments
}

fn change(what: &str, kind: Kind) -> &'static str {
    match what {
        "issued" => "Issued",
        "metadata_updated" => "Metadata changed",
        "revoked" => "Revoked",
        "rotated" => "Refreshed: exchanged for a new pair of tokens",
        "secret_replaced" if kind == Kind::ApiKey => "Rotated: it has a new secret",
        "secret_replaced" => "It has a new secret",
        "ahead_of_store" => {
            "Refreshed from a bearer that is newer than the store: the store had lost writes"
        }
        _ => "Changed",
    }
}
