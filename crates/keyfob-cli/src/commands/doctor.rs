//! `doctor`: checks the store, the clock and the settings.

use keyfob::store::{Finding, Severity};
use keyfob_api::{DoctorBody, FindingBody};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::table::Column;

const COLUMNS: [Column; 3] =
    [Column::whole("SEVERITY"), Column::wrap("WHAT"), Column::wrap("ADVICE")];

pub(super) async fn run(context: &mut Context) -> Result<(), Failure> {
    let before = context.now();
    let mut report = context.manager.report().await?;
    let after = context.now();
    report.compare_clocks(before, after);
    let mut findings = report.findings.clone();
    findings.push(prefix(context));
    findings.sort_by_key(|finding| finding.severity);
    let faults = findings.iter().filter(|finding| finding.severity == Severity::Fault).count();
    let output = &mut context.output;
    if output.is_json() {
        let findings = findings.into_iter().map(|Finding { severity, what, advice }| FindingBody {
            severity: name(severity).to_owned(),
            what,
            advice,
        });
        output.object(&DoctorBody {
            ok: faults == 0,
            store: report.description,
            store_time: report.now,
            node_time: after,
            findings: findings.collect(),
        })?;
    } else {
        output.line(format_args!("store: {}", crate::visible::visible(&report.description)))?;
        let rows = findings.iter().map(|Finding { severity, what, advice }| {
            vec![name(*severity).to_owned(), what.clone(), advice.clone()]
        });
        output.rows(&COLUMNS, &rows.collect::<Vec<_>>())?;
    }
    if faults == 0 { Ok(()) } else { Err(Failure::AlreadyReported(Exit::Refused)) }
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
