//! Events and observations as they come.
//!
//! A script shows them as they happen. Without it, events are read by page.

mod event_row;
mod forward;

pub(crate) use forward::{observations, stream};

use keyfob_client::EventsQuery;
use maud::{Markup, html};

use crate::fields::link;
use crate::reply::Page;
use crate::routes::Answer;
use crate::shell::Section;
use crate::visit::Visit;
use crate::widget::call::{ApiCall, copyable};

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
    let stored = match visit.query.text("after") {
        Some(after) => {
            let mut query = EventsQuery::new().after(after).limit(EVENTS);
            if !kind.is_empty() {
                query = query.kind(kind);
            }
            Some(visit.api.events(&query).await?)
        }
        None => None,
    };
    let body = html! {
        h1 { @if stored.is_some() { "Stored events" } @else { "Live" } }
        form.tools method="get" action="/console/live" {
            label for="type" { "Show" }
            select #type name="type" {
                @for (value, name) in KINDS { option value=(value) selected[value == kind] { (name) } }
            }
            @if stored.is_some() { input type="hidden" name="after" value="start"; }
            button type="submit" { "Apply" }
            @match stored {
                Some(_) => a.button href=(link("/console/live", &[("type", kind)])) { "Watch live" },
                None => a.button href=(link("/console/live", &[("type", kind), ("after", "start")])) { "Read what is stored" },
            }
        }
        @match &stored {
            Some(page) => {
                @if page.trimmed { p.wrong { "Older events have been deleted already." } }
                @if page.events.is_empty() { (nothing()) }
                @else { (event_row::table(page.events.iter().map(|event| event_row::row(event, visit.now)), "")) }
                @if page.more {
                    a.button rel="next" href=(link("/console/live", &[("type", kind), ("after", &page.cursor)])) { "Next page" }
                }
            }
            None => (waiting(kind))
        }
    };
    let query = [("type", kind), ("after", visit.query.text("after").unwrap_or("latest"))];
    let call = ApiCall::get(link("/v1/events", &query)).command(["events", "--follow"]);
    Ok(Page::new(Section::Live, "Live", body).call(call).into())
}

/// The part that the script fills.
fn waiting(kind: &str) -> Markup {
    html! {
        noscript { p { "New events are shown by a script. Without it, read what is stored, or follow from a shell:" } (copyable("keyfob events --follow")) }
        div #live data-live=(kind) {
            div.tools {
                button #live-pause type="button" aria-pressed="false" { "Pause" }
                label { input #live-observations type="checkbox" checked; " refusals and uses too" }
                label.visually-hidden for="live-filter" { "Only with this text" }
                input #live-filter type="search" placeholder="only with this text";
                span #live-state.quiet role="status" { "Connecting…" }
            }
            (event_row::table(std::iter::empty(), "live-rows"))
            p #live-empty.quiet { "Nothing has happened since you opened this page. Issue a token somewhere, and it is shown here." }
        }
    }
}

fn nothing() -> Markup {
    html! {
        p { "No events are stored. Issue a token, and one will be:" }
        (copyable("keyfob issue --subject alice --scope read --ttl 15m"))
    }
}
