//! What of a token was refused lately, as the servers have seen it.

use std::collections::BTreeMap;

use keyfob_api::{EventBody, TokenBody};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use crate::observations::{self, Recent, code_of};
use crate::visit::Visit;
use crate::widget::{alert, text, time, words};

/// Shows the refusals of a token, by their code.
pub(super) async fn section(visit: &Visit, about: &TokenBody) -> Markup {
    let id = about.id.to_string();
    let read = observations::recent(&visit.api, visit.now, |event| {
        code_of(event).is_some() && event.subject.as_deref() == Some(id.as_str())
    });
    let content = match read.await {
        Ok(recent) => refusals(&recent, visit.now),
        Err(trouble) => alert::trouble(&trouble),
    };
    html! {
        section.card aria-labelledby="refused" {
            h2 #refused { "Refused lately" }
            (content)
        }
    }
}

fn refusals(recent: &Recent, now: Timestamp) -> Markup {
    let refusals = by_code(&recent.events);
    html! {
        @if refusals.is_empty() {
            p { "No refusal of this token was seen." }
        } @else {
            ul.plain {
                @for (code, (count, last)) in refusals {
                    li {
                        strong { (count) @if count == 1 { " time" } @else { " times" } }
                        ", last " (time::ago(last, now))
                        @if let Some(why) = words::because(code) { ", because " (why) }
                        " " code.quiet { (text::visible(code)) }
                    }
                }
            }
        }
        p.quiet {
            "These are refusals " (recent.bound()) ". A server leaves some out if there are many."
        }
    }
}

/// Returns how often each code was seen, and when last.
fn by_code(events: &[EventBody]) -> BTreeMap<&str, (u64, Timestamp)> {
    let mut found = BTreeMap::new();
    for event in events {
        let (Some(code), Ok(at)) = (code_of(event), event.time.parse::<Timestamp>()) else {
            continue;
        };
        let entry = found.entry(code).or_insert((0, at));
        *entry = (entry.0 + 1, entry.1.max(at));
    }
    found
}
