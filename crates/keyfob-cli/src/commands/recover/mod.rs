//! `recover`: revokes again what a restored store has forgotten, from a log of events.

mod plan;

use futures_util::{StreamExt, TryStreamExt, stream};
use keyfob::{Error, Filter, RevokeOutcome, RevokeRequest, TokenState, Ttl};
use serde::Serialize;

use plan::{Plan, Revoked};

use crate::args::RecoverArgs;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::input::InputSource;
use crate::progress::Progress;

/// How many tokens are revoked at the same time.
const MAX_CONCURRENT: usize = 32;

/// The clocks of nodes differ, and events have whole milliseconds. Revoking too much is safe.
const MARGIN: Ttl = Ttl::from_secs(1);

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
    apply(&plan, args.dry_run, context, &mut report).await?;
    let is_complete = report.malformed == 0 && report.unreadable == 0 && !report.gap;
    if args.accept && is_complete {
        report.accepted_lanes = Some(context.manager()?.accept_rollback(args.acceptance()).await?);
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
    plan: &Plan,
    dry_run: bool,
    context: &Context,
    report: &mut RecoverReport,
) -> Result<(), Failure> {
    let progress = Progress::towards(plan.tokens.len() as u64, "tokens");
    let outcomes = stream::iter(&plan.tokens)
        .map(|(id, revoked)| revoke_token(*id, revoked, dry_run, context))
        .buffer_unordered(MAX_CONCURRENT);
    let mut outcomes = std::pin::pin!(outcomes);
    let mut done = 0;
    while let Some(outcome) = outcomes.try_next().await? {
        match outcome {
            Outcome::Revoked => report.count += 1,
            Outcome::AlreadyRevoked => report.already_revoked += 1,
            Outcome::NotFound => report.not_found += 1,
        }
        done += 1;
        progress.set(done);
    }
    drop(progress);
    for (family, revoked) in &plan.families {
        let filter = Filter::new().family(*family);
        sweep(filter, revoked, dry_run, context, report).await?;
    }
    for (subject, revoked) in &plan.subjects {
        let filter = Filter::new().subject(subject.clone());
        sweep(filter, revoked, dry_run, context, report).await?;
    }
    for (client, revoked) in &plan.clients {
        let filter = Filter::new().client(client.clone());
        sweep(filter, revoked, dry_run, context, report).await?;
    }
    if let Some(revoked) = &plan.all {
        sweep(Filter::new(), revoked, dry_run, context, report).await?;
    }
    Ok(())
}

enum Outcome {
    Revoked,
    AlreadyRevoked,
    NotFound,
}

async fn revoke_token(
    id: keyfob::TokenId,
    revoked: &Revoked,
    dry_run: bool,
    context: &Context,
) -> Result<Outcome, Failure> {
    let manager = context.manager()?;
    if dry_run {
        return match manager.get(id).await {
            Ok(token) if token.state(manager.now()) == TokenState::Revoked => {
                Ok(Outcome::AlreadyRevoked)
            }
            Ok(_) => Ok(Outcome::Revoked),
            Err(Error::NotFound { .. }) => Ok(Outcome::NotFound),
            Err(error) => Err(error.into()),
        };
    }
    match manager.revoke(id, revoked.request()).await {
        Ok(RevokeOutcome::Revoked) => Ok(Outcome::Revoked),
        Ok(RevokeOutcome::AlreadyRevoked(_)) => Ok(Outcome::AlreadyRevoked),
        Err(Error::NotFound { .. }) => Ok(Outcome::NotFound),
        Err(error) => Err(error.into()),
    }
}

/// Revokes the tokens that a revocation of many covered: those that were issued before it.
async fn sweep(
    filter: Filter,
    revoked: &Revoked,
    dry_run: bool,
    context: &Context,
    report: &mut RecoverReport,
) -> Result<(), Failure> {
    let filter = filter.issued_before(revoked.at + MARGIN);
    let request: RevokeRequest = revoked.request();
    let mut sweep = context.manager()?.sweep(filter, request);
    if dry_run {
        report.count += sweep.dry_run().await?;
        return Ok(());
    }
    let progress = Progress::counting("tokens revoked");
    let before = report.count;
    let done = sweep.run(|done| progress.set(before + done.revoked)).await?;
    report.count += done.revoked;
    report.unreadable += done.unreadable;
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
