//! What `doctor` finds: faults first, with what to do.

use keyfob_api::{DoctorBody, FindingBody};
use keyfob_core::Timestamp;
use maud::{Markup, html};

use crate::widget::call::copyable;
use crate::widget::text;

/// Shows the findings. What is good is folded away.
pub(crate) fn findings(report: &DoctorBody, now: Timestamp) -> Markup {
    let of = |severity: &'static str| {
        report.findings.iter().filter(move |finding| finding.severity == severity)
    };
    let (faults, warnings, good) = (of("fault"), of("warning"), of("good"));
    let count = good.clone().count() as u64;
    let skew = report.store_time.as_millis().abs_diff(report.node_time.as_millis());
    html! {
        section.health aria-label="Health" {
            p {
                @if report.ok { span.state data-state="active" { "● healthy" } }
                @else { span.state data-state="revoked" { "✕ a fault" } }
                " · Store: " (text::bdi(&report.store))
                span.quiet { " · clocks differ by " (skew) " ms" }
                @if let Some(bound) = report.max_staleness_ms {
                    span.quiet { " · max staleness " (bound) " ms" }
                }
                span.quiet { " · " time datetime=(now) { (now) } }
            }
            @if !report.ok {
                div.card.fault role="alert" { @for finding in faults { (one(finding, "✕", "revoked")) } }
            }
            @for finding in warnings { (one(finding, "!", "pending")) }
            details {
                summary { (text::counted(count, "check")) @if count == 1 { " is good" } @else { " are good" } }
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
            div {
                strong { (text::visible(&finding.what)) }
                p { (text::visible(&finding.advice)) }
                @if finding.severity != "good" {
                    @for command in commands(&finding.advice) { (copyable(&text::visible(command))) }
                }
            }
        }
    }
}

/// Returns the commands that an advice names: it has them in quotes.
fn commands(advice: &str) -> impl Iterator<Item = &str> {
    advice.split('\'').skip(1).step_by(2).filter(|quoted| quoted.starts_with("keyfob "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(severity: &str, what: &str, advice: &str) -> FindingBody {
        let [severity, what, advice] = [severity, what, advice].map(str::to_owned);
        FindingBody { severity, what, advice }
    }

    #[test]
    fn a_fault_comes_first_with_its_commands() {
        let report = DoctorBody {
            ok: false,
            store: "redis://db".to_owned(),
            store_time: Timestamp::default(),
            node_time: Timestamp::default(),
            max_staleness_ms: Some(40),
            findings: vec![
                finding("good", "clock", "is right"),
                finding("warning", "memory", "is full"),
                finding("fault", "rollback", "run 'keyfob recover audit.jsonl' for user 'a'"),
            ],
        };
        let shown = findings(&report, Timestamp::default()).into_string();
        let place = |text: &str| shown.find(text).unwrap_or_else(|| panic!("{text} in {shown}"));
        assert!(place("Store: ") < place("rollback") && place("max staleness 40 ms") > 0);
        assert!(place("<div class=\"card fault\"") < place("rollback"));
        assert!(place("rollback") < place("memory") && place("memory") < place("1 check is good"));
        assert!(place("<code>keyfob recover audit.jsonl</code>") > 0);
    }
}
