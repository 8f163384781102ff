//! Events and observations as they come.
//!
//! A script shows them as they happen. Without it, events are read by page.

mod event_row;
mod forward;
mod stored;
mod wanted;

pub(crate) use forward::{observations, stream};
pub(crate) use stored::address_of_token;

use maud::{Markup, html};

use wanted::{PATH, Wanted};

use crate::fields::link;
use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::token;

/// What may be shown: the start of a type, and its name.
const KINDS: [(&str, &str); 7] = [
    ("", "everything"),
    ("keyfob.token.issued", "issued"),
    ("keyfob.token.revoked", "revoked"),
    ("keyfob.epoch.advanced", "revoked together"),
    ("keyfob.token.rotated", "refreshed"),
    ("keyfob.token.reuse_detected", "reuse detected"),
    ("keyfob.token.secret_replaced", "new secret"),
];

/// Shows the page. With `after`, it shows the events after that place instead of waiting for new ones.
pub(crate) async fn show(visit: Visit) -> Answer {
    let wanted = Wanted::of(&visit);
    let after = visit.query.text("after");
    let found = match after {
        Some(after) => Some(stored::find(&visit.api, &wanted, after).await?),
        None => None,
    };
    let token_text = wanted.token_text();
    let body = html! {
        h1 { @if found.is_some() { "Stored events" } @else { "Live" } }
        @if let Some(about) = wanted.token {
            p {
                "Of the token " (token::id(about)) ". "
                a href=(wanted.of_all_tokens()) { "Show those of all tokens" }
            }
        }
        form.tools method="get" action=(PATH) {
            label for="type" { "Show" }
            select #type name="type" {
                @for (value, name) in KINDS { option value=(value) selected[value == wanted.kind] { (name) } }
            }
            @if found.is_some() {
                input type="hidden" name="after" value=(wanted.from.as_deref().unwrap_or("start"));
            }
            @if wanted.token.is_some() { input type="hidden" name="token" value=(token_text); }
            button type="submit" { "Apply" }
            @match found {
                Some(_) => a.button href=(wanted.live()) { "Watch live" },
                None => a.button href=(wanted.stored_from(&stored::usual_start(visit.now))) { "Read what is stored" },
            }
        }
        @match &found {
            Some(found) => {
                (stored::beginnings(&wanted, visit.now))
                (stored::show(found, &wanted, visit.now))
            }
            None => (waiting(&wanted.kind, &token_text))
        }
    };
    let query = [
        ("type", wanted.kind.as_str()),
        ("token", &token_text),
        ("after", after.unwrap_or("latest")),
    ];
    let call = ApiCall::get(link("/v1/events", &query)).command(["events", "--follow"]);
    Ok(Page::new(Section::Live, "Live", body).call(call).into())
}

/// The part that the script fills.
fn waiting(kind: &str, filter: &str) -> Markup {
    html! {
        noscript { p { "New events are shown by a script. Without it, read what is stored, or follow from a shell:" } (copyable("keyfob events --follow")) }
        div #live data-live=(kind) {
            div.tools {
                button #live-pause type="button" aria-pressed="false" { "Pause" }
                label { input #live-observations type="checkbox" checked; " refusals and uses too" }
                label.visually-hidden for="live-filter" { "Only with this text" }
                input #live-filter type="search" placeholder="only with this text" value=(filter);
                span #live-state.quiet role="status" { "Connecting…" }
            }
            (event_row::table(std::iter::empty(), "live-rows"))
            p #live-empty.quiet { "Nothing has happened since you opened this page. Issue a token somewhere, and it is shown here." }
        }
    }
}
