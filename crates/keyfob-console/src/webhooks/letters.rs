//! Dead letters: deliveries that were given up.

use keyfob_api::webhook::{DeadLetterBody, DeadLettersBody};
use keyfob_core::{Timestamp, TokenId};
use maud::{Markup, html};
use serde_json::Value;

use super::address;
use crate::fields::link;
use crate::widget::{text, time, token};

/// Shows a page of dead letters.
pub(super) fn section(
    webhook: &str,
    dead: &DeadLettersBody,
    is_later_page: bool,
    now: Timestamp,
) -> Markup {
    html! {
        section.letters aria-labelledby="letters" {
            h2 #letters { "Dead letters" }
            @if dead.dead_letters.is_empty() {
                p.quiet {
                    @if is_later_page { "There are no more." } @else { "No delivery was given up, or all were sent again or dropped." }
                }
            } @else {
                p { "The receiver did not take these events, and they are not tried again." }
                (table(webhook, &dead.dead_letters, now))
            }
            @if is_later_page { p { a href=(address(webhook)) { "Back to the first ones" } } }
            @if let Some(next) = &dead.next {
                p { a.button rel="next" href=(link(&address(webhook), &[("after", next)])) { "Next page" } }
            }
        }
    }
}

fn table(webhook: &str, letters: &[DeadLetterBody], now: Timestamp) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Dead letters" {
            table {
                thead {
                    tr {
                        th scope="col" { "Given up" }
                        th scope="col" { "Event" }
                        th scope="col" { "Why" }
                        th.number scope="col" { "Attempts" }
                        th scope="col" { "Do" }
                    }
                }
                tbody { @for letter in letters { (row(webhook, letter, now)) } }
            }
        }
    }
}

fn row(webhook: &str, letter: &DeadLetterBody, now: Timestamp) -> Markup {
    let path = format!("{}/dead-letters/{}", address(webhook), letter.id);
    html! {
        tr {
            td { (time::ago(letter.at, now)) }
            td.wide { (event(letter)) }
            td.wide { (text::value(&letter.error)) }
            td.number { (letter.attempts) }
            td {
                form method="post" action={ (path) "/send" } { button.small type="submit" { "Send again" } }
                details {
                    summary { "Drop…" }
                    form method="post" action={ (path) "/drop" } {
                        p.quiet { "The receiver will never get this event." }
                        button.small.danger type="submit" { "Drop" }
                    }
                }
            }
        }
    }
}

/// Shows an event: its type, what it is about, and its JSON.
fn event(letter: &DeadLetterBody) -> Markup {
    let field = |name: &str| letter.event.get(name).and_then(Value::as_str).unwrap_or_default();
    let about = field("subject");
    html! {
        (text::short(field("type"), 80)) " "
        @match about.parse::<TokenId>() {
            Ok(id) => (token::id(id)),
            Err(_) => (text::short(about, 80)),
        }
        details { summary { "What it says" } pre tabindex="0" { code { (json(letter)) } } }
    }
}

/// Returns an event as JSON with line breaks. Those within its texts are escaped.
fn json(letter: &DeadLetterBody) -> String {
    let json = serde_json::to_string_pretty(&letter.event).unwrap_or_default();
    json.lines().map(text::visible).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_is_shown_line_by_line_and_leads_to_the_next_page() {
        let now = Timestamp::from_secs(1_795_000_000);
        let event = serde_json::json!({"type": "keyfob.x", "data": {"a": "line\nbreak\u{202e}"}});
        let Value::Object(event) = event else { unreachable!() };
        let letter =
            DeadLetterBody { id: "op-1".into(), event, attempts: 12, at: now, error: "no".into() };
        let json = json(&letter);
        assert!(json.contains(r"line\nbreak\u{202e}") && json.lines().count() > 3, "{json}");
        let dead = DeadLettersBody { dead_letters: vec![letter], next: Some("op-1".into()) };
        let shown = section("wh-0", &dead, true, now).into_string();
        assert!(shown.contains("/console/webhooks/wh-0?after=op-1"), "{shown}");
        assert!(shown.contains("/console/webhooks/wh-0/dead-letters/op-1/send"), "{shown}");
    }
}
