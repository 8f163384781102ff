//! The limits that count a client, and how they stand.

use keyfob_api::LimitsBody;
use maud::{Markup, html};

use crate::widget::call::copyable;
use crate::widget::{text, time};

/// What a configuration needs for a limit that counts by client.
const EXAMPLE: &str =
    "[limits.introspections]\nby = \"client\"\nrate = \"60000/1m\"\nroutes = [\"introspect\"]";

/// Shows the limits.
pub(super) fn table(limits: &LimitsBody) -> Markup {
    let others: Vec<_> = limits.policies.iter().filter(|policy| policy.by != "client").collect();
    html! {
        @if limits.status.is_empty() {
            p { "No limit of this server counts by client. One begins in its configuration:" }
            (copyable(EXAMPLE))
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Limits" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Limit" }
                            th scope="col" { "Rate" }
                            th scope="col" { "Left" }
                            th scope="col" { "Full again" }
                        }
                    }
                    tbody {
                        @for status in &limits.status {
                            tr {
                                th scope="row" { (text::short(&status.policy, 64)) }
                                td {
                                    @let policy = limits.policies.iter().find(|policy| policy.name == status.policy);
                                    @match policy {
                                        Some(policy) => (policy.rate),
                                        None => span.quiet { "–" },
                                    }
                                }
                                td {
                                    (status.remaining) " of " (status.limit)
                                    @if status.remaining == 0 {
                                        " " span.wrong { "refused for " (time::length(status.retry_after_ms.div_ceil(1_000))) }
                                    }
                                    meter min="0" max=(status.limit) low=(status.limit / 10) optimum=(status.limit)
                                        value=(status.remaining) aria-label="Permits that are left" {}
                                }
                                td {
                                    @if status.reset_after_ms == 0 { "now" }
                                    @else { "in " (time::length(status.reset_after_ms.div_ceil(1_000))) }
                                }
                            }
                        }
                    }
                }
            }
        }
        @if !others.is_empty() {
            p.quiet {
                "Other limits count something else: "
                @for (n, policy) in others.iter().enumerate() {
                    @if n > 0 { ", " } (text::visible(&policy.name)) " by " (policy.by)
                }
                "."
            }
        }
    }
}
