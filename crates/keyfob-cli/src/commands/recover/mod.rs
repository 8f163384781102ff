//! `recover`: revokes again what a restored store has forgotten, from a log of events.

mod plan;

use keyfob_api::RecoverProgress;
use serde::Serialize;

use plan::Plan;

use crate::args::RecoverArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::input::InputSource;
use crate::progress::Progress;

/// What came of the revocations, as JSON.
#[derive(Default, Serialize)]
struct RecoverReport {
    outcome: &'static str,
    lines: u64,
    malformed: u64,
    gap: bool,
    /// The revocations in the log, by target.
    tokens: u64,
    families: u64,
    subjects: u64,
    clients: u64,
    all: bool,
    /// The number of tokens that were revoked, or would be.
    count: u64,
    already_revoked: u64,
    /// Tokens that the store does not have: it is older than they are, or has forgotten them.
    not_found: u64,
    /// Records that could not be read. They may still be active.
    unreadable: u64,
    /// With `--accept`: in how many lanes tokens are accepted again that were refused since the store lost its
    /// last writes.
    #[serde(skip_serializing_if = "Option::is_none")]
    accepted_lanes: Option<u16>,
}

pub(super) async fn run(args: &RecoverArgs, context: &mut Context) -> Result<(), Failure> {
    let plan = read(args).await?;
    let mut report = RecoverReport {
        outcome: if args.dry_run { "counted" } else { "recovered" },
        lines: plan.lines,
        malformed: plan.malformed,
        gap: plan.has_gap,
        tokens: plan.tokens.len() as u64,
        families: plan.families.len() as u64,
        subjects: plan.subjects.len() as u64,
        clients: plan.clients.len() as u64,
        all: plan.all.is_some(),
        ..RecoverReport::default()
    };
    apply(plan, args.dry_run, context, &mut report).await?;
    let is_complete = report.malformed == 0 && report.unreadable == 0 && !report.gap;
    if args.accept && is_complete {
        report.accepted_lanes = Some(context.backend.accept_rollback(&args.acceptance()).await?);
    }
    write(&report, context)?;
    if is_complete { Ok(()) } else { Err(Failure::AlreadyReported(Exit::Refused)) }
}

/// Reads the files on a thread of its own: a pipe may block.
async fn read(args: &RecoverArgs) -> Result<Plan, Failure> {
    let sources: Vec<_> = args.files.iter().map(|path| InputSource::from_path(path)).collect();
    let since = args.since;
    let reading = tokio::task::spawn_blocking(move || {
        let mut plan = Plan::default();
        for source in sources {
            let progress =
                source.length().map_or_else(|| Progress::counting("bytes read"), Progress::reading);
            let log = source.open()?;
            plan.read(log, since, |bytes| progress.set(bytes))
                .map_err(|error| source.failed(error))?;
        }
        Ok(plan)
    });
    reading.await.unwrap_or_else(|error| Err(Failure::Start(std::io::Error::other(error))))
}

/// Applies the revocations, those of single tokens first: they have reasons of their own.
async fn apply(
    plan: Plan,
    dry_run: bool,
    context: &Context,
    report: &mut RecoverReport,
) -> Result<(), Failure> {
    let revocations = plan.revocations();
    let progress = Progress::towards(revocations.len() as u64, "revocations");
    let each = |done: &RecoverProgress| progress.set(done.applied);
    let done = context.backend.recover(revocations, dry_run, each).await?;
    report.count = done.count;
    report.already_revoked = done.already_revoked;
    report.not_found = done.not_found;
    report.unreadable = done.unreadable;
    Ok(())
}

fn write(report: &RecoverReport, context: &mut Context) -> Result<(), Failure> {
    let output = &mut context.output;
    if report.malformed > 0 {
        let message = format!(
            "{} of {} lines are not events of keyfob. Their revocations are not applied",
            report.malformed, report.lines
        );
        output.note("malformed", message);
    }
    if report.gap {
        let message = "the log has a gap: events were trimmed before they were written. Consider \
                       keyfob revoke --issued-before with the end of the gap";
        output.note("gap", message);
    }
    if report.unreadable > 0 {
        let message = format!("{} records cannot be read and may be active", report.unreadable);
        output.note("unreadable", message);
    }
    if output.is_json() {
        return output.object(report);
    }
    if let Some(lanes) = report.accepted_lanes {
        output.line(format_args!(
            "tokens are accepted again in {lanes} lanes that were rolled back"
        ))?;
    }
    let verb = if report.outcome == "counted" { "would be revoked" } else { "revoked" };
    output.line(format_args!(
        "{} tokens {verb}, {} were revoked already, {} are not in the store ({} lines read)",
        report.count, report.already_revoked, report.not_found, report.lines
    ))
}
