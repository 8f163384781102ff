//! One event as a row. `assets/live.js` makes the same row of an event that has just happened.

use keyfob_api::EventBody;
use keyfob_core::{Timestamp, TokenId};
use maud::{Markup, html};
use serde_json::Value;

use crate::widget::{owner, text, time, token};

/// Returns the table around rows.
pub(super) fn table(rows: impl Iterator<Item = Markup>, id: &str) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Events" {
            table.events {
                thead { tr {
                    th scope="col" { "When" }
                    th scope="col" { "What" }
                    th scope="col" { "Token" }
                    th scope="col" { "Details" }
                } }
                tbody id=[Some(id).filter(|id| !id.is_empty())] { @for row in rows { (row) } }
            }
        }
    }
}

pub(super) fn row(event: &EventBody, now: Timestamp) -> Markup {
    let what = event.kind.strip_prefix("keyfob.").unwrap_or(&event.kind);
    let details = event.data.iter().filter(|(_, value)| !value.is_null());
    html! {
        tr {
            td {
                @match event.time.parse::<Timestamp>() {
                    Ok(at) => (time::ago(at, now)),
                    Err(_) => (text::bdi(&event.time)),
                }
            }
            td { (text::bdi(what)) }
            td {
                @match event.subject.as_deref().map(str::parse::<TokenId>) {
                    Some(Ok(id)) => (token::id(id)),
                    _ => span.quiet { "–" },
                }
            }
            td { @for (name, value) in details { span.detail { (text::visible(name)) ": " (detail(name, value)) } " " } }
        }
    }
}

/// How many characters of a detail are shown.
const DETAIL_CHARS: usize = 80;

fn detail(name: &str, value: &Value) -> Markup {
    let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    match name {
        "token_subject" => owner::subject(&shown, DETAIL_CHARS),
        "client" => owner::client(&shown, DETAIL_CHARS),
        _ => text::short(&shown, DETAIL_CHARS),
    }
}
