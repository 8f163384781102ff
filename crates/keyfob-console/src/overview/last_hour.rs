//! The last hour of this server, as charts.

use keyfob_core::Timestamp;
use maud::{Markup, html};

use super::living::grouped;
use crate::activity::{Sample, Window};
use crate::draw::chart;
use crate::widget::time;

const VALIDATIONS: &str = "keyfob_validations_total";
const REVOCATIONS: &str = "keyfob_revocations_total";
const REFRESHES: &str = "keyfob_refreshes_total";
const LOOKUPS: &str = "keyfob_cache_lookups_total";

fn active(sample: &Sample) -> f64 {
    sample.value(VALIDATIONS, "active")
}

fn all(metric: &'static str) -> impl Fn(&Sample) -> f64 {
    move |sample| sample.of(metric).map(|(_, value)| value).sum()
}

/// Shows what this server did.
pub(crate) fn charts(window: &Window, now: Timestamp) -> Markup {
    let Some(since) = window.since() else {
        return html! {
            section { h2 { "The last hour" } p.quiet { "The first numbers come in a few seconds." } }
        };
    };
    let refused = |sample: &Sample| all(VALIDATIONS)(sample) - active(sample);
    let validations = window.increases(VALIDATIONS);
    let refusals: Vec<_> =
        validations.into_iter().filter(|(outcome, _)| outcome != "active").collect();
    html! {
        section aria-labelledby="last-hour" {
            h2 #last-hour { "The last hour of this server" }
            p.quiet {
                "Counted since " (time::ago(since, now)) " by this one process. If you run several, each shows its own; \
                 your Prometheus shows all of them."
            }
            div.split {
                (one("Validations that succeeded", "good", window, now, active, &[]))
                (one("Refusals", "bad", window, now, refused, &refusals))
                (one("Revocations", "bad", window, now, all(REVOCATIONS), &window.increases(REVOCATIONS)))
                (one("Refreshes", "good", window, now, all(REFRESHES), &window.increases(REFRESHES)))
            }
            (cache(window))
        }
    }
}

/// One chart, with its numbers by what they were.
fn one(
    name: &str,
    class: &str,
    window: &Window,
    now: Timestamp,
    count: impl Fn(&Sample) -> f64,
    parts: &[(String, u64)],
) -> Markup {
    let data = window.per_minute(now, count);
    html! {
        figure.card {
            figcaption { span.figure { (grouped(data.total())) } " " (name.to_lowercase()) }
            (chart::bars(name, class, &data))
            @if !parts.is_empty() {
                dl.parts { @for (part, count) in parts { div { dt { code { (part) } } dd.number { (grouped(*count)) } } } }
            }
        }
    }
}

/// How often the cache answered, and how fresh it is.
fn cache(window: &Window) -> Markup {
    let Some(last) = window.last() else { return html! {} };
    let lookups = window.increases(LOOKUPS);
    let total: u64 = lookups.iter().map(|(_, count)| count).sum();
    let hits: u64 =
        lookups.iter().filter(|(result, _)| result != "miss").map(|(_, count)| count).sum();
    let age = last.value("keyfob_feed_confirmed_age_seconds", "") * 1e3;
    let distrusted = last.value("keyfob_feed_lanes", "distrusted");
    html! {
        dl.facts {
            dt { "Cache" }
            dd {
                @if total == 0 { "no look-ups" }
                @else { (format!("{:.1} %", hits as f64 * 100.0 / total as f64)) " of " (grouped(total)) " look-ups were answered from memory" }
            }
            dt { "Invalidation feed" }
            dd {
                "confirmed " (format!("{age:.0}")) " ms ago"
                @if distrusted > 0.0 {
                    " · " span.wrong { (distrusted) @if distrusted == 1.0 { " lane is" } @else { " lanes are" } " not trusted now: each check there asks the store" }
                }
            }
        }
    }
}
