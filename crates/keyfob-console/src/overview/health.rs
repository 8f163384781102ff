//! What `doctor` finds: faults first, with what to do.

use keyfob_api::{DoctorBody, FindingBody};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use crate::widget::text;

/// Shows the findings. What is good is folded away.
pub(crate) fn findings(report: &DoctorBody, now: Timestamp) -> Markup {
    let of = |severity: &'static str| {
        report.findings.iter().filter(move |finding| finding.severity == severity)
    };
    let (faults, warnings, good) = (of("fault"), of("warning"), of("good"));
    let skew = report.store_time.as_millis().abs_diff(report.node_time.as_millis());
    html! {
        section.health aria-label="Health" {
            p {
                @if report.ok { span.state data-state="active" { "● healthy" } }
                @else { span.state data-state="revoked" { "✕ a fault" } }
                " " (text::bdi(&report.store))
                span.quiet { " · clocks differ by " (skew) " ms · " time datetime=(now) { (now) } }
            }
            @for finding in faults { (one(finding, "✕", "revoked")) }
            @for finding in warnings { (one(finding, "!", "pending")) }
            details {
                summary { (good.clone().count()) " checks are good" }
                @for finding in good { (one(finding, "●", "active")) }
            }
        }
    }
}

fn one(finding: &FindingBody, sign: &str, class: &str) -> Markup {
    html! {
        div.finding {
            span.state data-state=(class) {
                span aria-hidden="true" { (sign) } " " (text::visible(&finding.severity))
            }
            div { strong { (text::visible(&finding.what)) } p.quiet { (text::visible(&finding.advice)) } }
        }
    }
}
