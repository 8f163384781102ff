//! Events and observations as they come.
//!
//! A script shows them as they happen. Without it, events are read by page.

mod event_row;
mod forward;

pub(crate) use forward::{observations, stream};

use keyfob_client::EventsQuery;
use keyfob_core::TokenId;
use maud::{Markup, html};

use crate::fields::link;
use crate::reply::{Answer, Page};
use crate::shell::Section;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};
use crate::widget::token;

/// How many events a page has.
const EVENTS: usize = 100;

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
    let kind = visit.query.text("type").unwrap_or_default();
    let about = visit.query.text("token").and_then(|text| text.parse::<TokenId>().ok());
    let about_text = about.map(|about| about.to_string()).unwrap_or_default();
    let stored = match visit.query.text("after") {
        Some(after) => {
            let mut query = EventsQuery::new().after(after).limit(EVENTS);
            if !kind.is_empty() {
                query = query.kind(kind);
            }
            if let Some(about) = about {
                query = query.token(about);
            }
            Some(visit.api.events(&query).await?)
        }
        None => None,
    };
    let at = |after: &str| {
        link("/console/live", &[("type", kind), ("token", &about_text), ("after", after)])
    };
    let body = html! {
        h1 { @if stored.is_some() { "Stored events" } @else { "Live" } }
        @if let Some(about) = about {
            p {
                "Of the token " (token::id(about)) ". "
                a href=(link("/console/live", &[("type", kind), ("after", visit.query.text("after").unwrap_or_default())])) {
                    "Show those of all tokens"
                }
            }
        }
        form.tools method="get" action="/console/live" {
            label for="type" { "Show" }
            select #type name="type" {
                @for (value, name) in KINDS { option value=(value) selected[value == kind] { (name) } }
            }
            @if stored.is_some() { input type="hidden" name="after" value="start"; }
            @if about.is_some() { input type="hidden" name="token" value=(about_text); }
            button type="submit" { "Apply" }
            @match stored {
                Some(_) => a.button href=(at("")) { "Watch live" },
                None => a.button href=(at("start")) { "Read what is stored" },
            }
        }
        @match &stored {
            Some(page) => {
                @if page.trimmed { p.wrong { "Older events have been deleted already." } }
                @if page.events.is_empty() { (nothing(about.is_some())) }
                @else { (event_row::table(page.events.iter().map(|event| event_row::row(event, visit.now)), "")) }
                @if page.more {
                    a.button rel="next" href=(at(&page.cursor)) { "Next page" }
                }
            }
            None => (waiting(kind, &about_text))
        }
    };
    let after = visit.query.text("after").unwrap_or("latest");
    let query = [("type", kind), ("token", &about_text), ("after", after)];
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

fn nothing(is_of_token: bool) -> Markup {
    html! {
        @if is_of_token {
            p { "No events of this token are stored. Its history, on its page, is kept longer." }
        } @else {
            p { "No events are stored. Issue a token, and one will be:" }
            (copyable("keyfob issue --subject alice --scope read --ttl 15m"))
        }
    }
}
