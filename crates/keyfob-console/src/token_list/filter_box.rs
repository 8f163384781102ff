//! The box for a filter, and the same as chips to click.

use keyfob_core::FilterError;
use maud::{Markup, html};

use super::conditions::{conditions, with, without};
use super::wanted::Wanted;
use crate::widget::text;

/// Conditions that a click adds.
const OFTEN: [&str; 7] = [
    "state:active",
    "state:revoked",
    "kind:session",
    "kind:api-key",
    "kind:refresh",
    "issued-after:-1h",
    "expires-before:+7d",
];

/// Shows the box. `wrong` points at what is not a filter.
pub(crate) fn form(wanted: &Wanted, wrong: Option<&FilterError>) -> Markup {
    let filter = wanted.filter.as_str();
    html! {
        form.filter method="get" action="/console/tokens" role="search" {
            label.visually-hidden for="filter" { "Filter" }
            input #filter type="text" name="filter" value=(filter) autocomplete="off" spellcheck="false"
                autocapitalize="off" placeholder="subject:alice state:active" aria-describedby="filter-help"
                aria-invalid=[wrong.map(|_| "true")] data-complete maxlength="8192";
            label.visually-hidden for="order" { "Order" }
            select #order name="order" {
                option value="" selected[wanted.order_text().is_empty()] { "newest first" }
                option value="expiring" selected[wanted.order_text() == "expiring"] { "expiring first" }
            }
            button.primary type="submit" { "Find" }
        }
        @if let Some(wrong) = wrong {
            (pointed(filter, wrong))
        } @else {
            (chips(wanted))
        }
        p #filter-help .quiet {
            "Conditions are " code { "key:value" } ", and all of them have to be met. A value with a space is in \
             quotes: " code { "subject:\"Jane Doe\"" } "."
        }
    }
}

/// Shows what is not a filter, and points at the place.
pub(crate) fn pointed(filter: &str, wrong: &FilterError) -> Markup {
    html! {
        div.wrong role="alert" {
            pre { (wrong.pointer(filter)) }
            p { (wrong) }
        }
    }
}

fn chips(wanted: &Wanted) -> Markup {
    let given = conditions(&wanted.filter);
    let offered = OFTEN.into_iter().filter(|condition| !given.contains(condition));
    html! {
        ul.chips aria-label="Conditions" {
            @for (n, condition) in given.iter().enumerate() {
                li {
                    a.chip.on href=(wanted.with_filter(&without(&given, n))) {
                        (text::short(condition, 60)) " " span aria-hidden="true" { "×" }
                        span.visually-hidden { " (remove)" }
                    }
                }
            }
            @for condition in offered {
                li { a.chip href=(wanted.with_filter(&with(&given, condition))) { "+ " (condition) } }
            }
        }
    }
}
