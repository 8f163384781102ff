//! The tokens that have not ended, by kind and by client.

use keyfob_api::StatsBody;
use keyfob_api::operations::CountsByState;
use maud::{Markup, html};

use crate::fields::link;
use crate::widget::owner;

/// How many clients are shown.
const CLIENTS: usize = 12;

fn count(counts: &CountsByState, state: &str) -> u64 {
    counts.get(state).copied().unwrap_or_default()
}

/// Shows how many tokens live, by kind.
pub(crate) fn by_kind(stats: &StatsBody) -> Markup {
    html! {
        section.card aria-labelledby="living" {
            h2 #living { "Tokens by kind" }
            table {
                thead { tr {
                    th scope="col" { "Kind" }
                    th.number scope="col" { "Active" }
                    th.number scope="col" { "Pending" }
                    th.number scope="col" { "Revoked" }
                } }
                tbody {
                    @for (kind, counts) in &stats.by_kind {
                        tr {
                            th scope="row" { a href=(link("/console/tokens", &[("filter", &format!("kind:{kind} state:active"))])) { (kind) } }
                            td.number { (grouped(count(counts, "active"))) }
                            td.number { (grouped(count(counts, "pending"))) }
                            td.number { (grouped(count(counts, "revoked"))) }
                        }
                    }
                }
                tfoot { tr {
                    th scope="row" { "All" }
                    td.number { (grouped(count(&stats.by_state, "active"))) }
                    td.number { (grouped(count(&stats.by_state, "pending"))) }
                    td.number { (grouped(count(&stats.by_state, "revoked"))) }
                } }
            }
            @if stats.total == 0 {
                p { "There are no tokens yet. Issue one:" }
                (crate::widget::call::copyable("keyfob issue --subject alice --scope read --ttl 15m"))
            }
            @if let Some(unsure) = stats.unsure.filter(|unsure| *unsure > 0) {
                p.quiet { "Of " (grouped(unsure)) " it is estimated whether they have expired by now." }
            }
            @if !stats.missing_lanes.is_empty() {
                p.wrong { "Parts of the store could not be reached: lanes " (format!("{:?}", stats.missing_lanes)) "." }
            }
        }
    }
}

/// Shows the clients with the most tokens.
pub(crate) fn by_client(stats: &StatsBody) -> Markup {
    html! {
        section.card aria-labelledby="clients" {
            h2 #clients { "Tokens by client" }
            @if stats.by_client.is_empty() {
                p { "No client has tokens. Add one:" }
                (crate::widget::call::copyable("keyfob client add shop --scope keyfob:introspect"))
            } @else {
                table {
                    thead { tr {
                        th scope="col" { "Client" }
                        th.number scope="col" { "Active" }
                        th.number scope="col" { "Revoked" }
                    } }
                    tbody {
                        @for client in stats.by_client.iter().take(CLIENTS) {
                            tr {
                                th scope="row" {
                                    @match (&client.client, &client.digest) {
                                        (Some(name), _) => (owner::client(name, 40)),
                                        (None, Some(digest)) => span.quiet title="The name is not available." { (digest) },
                                        (None, None) => span.quiet { "without a client" },
                                    }
                                }
                                td.number { (grouped(count(&client.counts, "active"))) }
                                td.number { (grouped(count(&client.counts, "revoked"))) }
                            }
                        }
                    }
                }
                @if stats.by_client.len() > CLIENTS {
                    p { a href="/console/clients" { "All " (stats.by_client.len()) " clients" } }
                }
            }
        }
    }
}

/// Returns a number with a thin space between its thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 2);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push('\u{202f}');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        let cases = [
            (0, "0"),
            (999, "999"),
            (1_000, "1\u{202f}000"),
            (1_234_567, "1\u{202f}234\u{202f}567"),
        ];
        for (number, wanted) in cases {
            assert_eq!(grouped(number), wanted);
        }
    }
}
