//! `doctor`: checks the store, the clock and the settings.

use keyfob::store::{Finding, Operation, Severity};
use keyfob::{Timestamp, Ttl};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};

const CLOCK: &str = "clock";
/// The smallest clock difference that is a warning.
const MIN_CLOCK_WARNING: Ttl = Ttl::from_secs(1);

#[derive(Serialize)]
struct DoctorReport<'a> {
    ok: bool,
    store: &'a str,
    store_time: Timestamp,
    node_time: Timestamp,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    severity: &'static str,
    what: &'a str,
    advice: &'a str,
}

pub(super) async fn run(context: &mut Context) -> Result<(), Failure> {
    let before = context.now();
    let report = context.manager.report().await?;
    let after = context.now();
    let mut findings = report.findings.clone();
    // The store may report its clocks itself, one per server.
    if !findings.iter().any(|finding| finding.what == CLOCK) {
        findings.push(clock(before, report.now, after));
    }
    findings.push(prefix(context));
    findings.sort_by_key(|finding| finding.severity);
    let faults = findings.iter().filter(|finding| finding.severity == Severity::Fault).count();
    let output = &mut context.output;
    if output.is_json() {
        let findings = findings.iter().map(|Finding { severity, what, advice }| FindingView {
            severity: name(*severity),
            what,
            advice,
        });
        output.object(&DoctorReport {
            ok: faults == 0,
            store: &report.description,
            store_time: report.now,
            node_time: after,
            findings: findings.collect(),
        })?;
    } else {
        output.line(format_args!("store: {}", crate::visible::visible(&report.description)))?;
        let rows = findings.iter().map(|Finding { severity, what, advice }| {
            vec![name(*severity).to_owned(), what.clone(), advice.clone()]
        });
        output.rows(&["SEVERITY", "WHAT", "ADVICE"], &rows.collect::<Vec<_>>())?;
    }
    if faults == 0 { Ok(()) } else { Err(Failure::AlreadyReported(Exit::Refused)) }
}

/// Compares the clocks of this node and of the store. `store` was read between `before` and `after`.
fn clock(before: Timestamp, store: Timestamp, after: Timestamp) -> Finding {
    let (apart, direction) = match (store.since(after), before.since(store)) {
        (Some(behind), _) => (Some(behind), "behind"),
        (None, Some(ahead)) => (Some(ahead), "ahead of"),
        (None, None) => (None, ""),
    };
    let (severity, advice) = match apart {
        None => (Severity::Good, "this node and the store agree on the time".to_owned()),
        Some(apart) if apart < MIN_CLOCK_WARNING => {
            (Severity::Good, format!("this node is {apart} {direction} the store"))
        }
        Some(apart) => {
            let severity =
                if apart < Operation::WINDOW { Severity::Warning } else { Severity::Fault };
            let advice = format!(
                "this node is {apart} {direction} the store. Synchronize both clocks with NTP"
            );
            (severity, advice)
        }
    };
    Finding { severity, what: CLOCK.into(), advice }
}

fn prefix(context: &Context) -> Finding {
    let prefix = context.manager.prefix();
    let advice = format!("bearers start with {prefix}. Bearers with another prefix are refused");
    Finding { severity: Severity::Good, what: "prefix".into(), advice }
}

fn name(severity: Severity) -> &'static str {
    match severity {
        Severity::Fault => "fault",
        Severity::Warning => "warning",
        Severity::Good => "good",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_clock_difference_is_more_severe() {
        let at = Timestamp::from_millis;
        let judge = |store| clock(at(100_000), at(store), at(100_100)).severity;
        assert_eq!(judge(100_050), Severity::Good);
        assert_eq!(judge(100_900), Severity::Good);
        assert_eq!(judge(102_000), Severity::Warning);
        assert_eq!(judge(90_000), Severity::Warning);
        assert_eq!(judge(140_000), Severity::Fault);
        assert_eq!(judge(60_000), Severity::Fault);
        let behind = clock(at(0), at(5_000), at(0)).advice;
        assert!(behind.contains("5s behind the store"), "{behind}");
    }
}
