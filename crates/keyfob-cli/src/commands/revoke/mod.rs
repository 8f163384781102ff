//! `revoke`: one token, a family, or everything of a subject, a client, a filter or the store.

mod confirm;
mod count;
mod report;
mod sweep;

use keyfob::{Error, Timestamp};
use keyfob_api::RevokeOutcome;
use keyfob_api::revoke::LanesBody;

use confirm::{check_can_confirm, confirm};
use report::{Lanes, RevokeReport};

use crate::args::{RevokeArgs, Target};
use crate::backend::Revoked;
use crate::context::Context;
use crate::failure::Failure;
use crate::token_text::or_never;

const REVOKE_ALL: &str = "revoke every token of the store";

/// Checks the arguments before the store is asked.
pub(super) fn check(args: &RevokeArgs, now: Timestamp) -> Result<(), Failure> {
    args.note().request().check().map_err(Error::from)?;
    match args.target() {
        Some(Target::Matching(text)) => {
            drop(sweep::filter(&text, args, now)?);
            if args.dry_run { Ok(()) } else { check_can_confirm(sweep::ACTION, args) }
        }
        Some(Target::All) if !args.dry_run => check_can_confirm(REVOKE_ALL, args),
        _ => Ok(()),
    }
}

pub(super) async fn run(args: &RevokeArgs, context: &mut Context) -> Result<(), Failure> {
    let Some(target) = args.target() else {
        let message = "nothing to revoke was named".into();
        return Err(Failure::Usage { code: "usage", message, details: String::new() });
    };
    let interrupt = context.interrupt.clone();
    match target {
        target if args.dry_run => interrupt.or(count::run(&target, args, context)).await,
        Target::Matching(text) => sweep::run(&text, args, context).await,
        target => interrupt.or(in_one_step(&target, args, context)).await,
    }
}

async fn in_one_step(
    target: &Target,
    args: &RevokeArgs,
    context: &mut Context,
) -> Result<(), Failure> {
    if *target == Target::All {
        confirm(REVOKE_ALL, args).await?;
    }
    let revoked = context.backend.revoke(&target.in_one_step()?, &args.note()).await?;
    let what = match target {
        Target::Token(_) | Target::Matching(_) => return report_one(target, &revoked, context),
        Target::Family(family) => format!("the family {family}"),
        Target::Subject(subject) => format!("all tokens of the subject {subject}"),
        Target::Client(client) => format!("all tokens of the client {client}"),
        Target::All => "every token".to_owned(),
    };
    if let Some(lanes) = &revoked.lanes {
        return report_partly(target, &what, lanes, revoked.partly, context);
    }
    let line = match target {
        Target::All => "revoked every token of the store".to_owned(),
        _ => format!("revoked {what}"),
    };
    if revoked.listed.is_some() {
        return report_listed(target, line, &revoked, context);
    }
    RevokeReport::new(target, "revoked").write(&line, context)
}

/// Reports a revocation of everything of a subject or a client, with the number of tokens that are
/// listed under the name. A name without tokens is likely a typing error.
fn report_listed(
    target: &Target,
    line: String,
    revoked: &Revoked,
    context: &mut Context,
) -> Result<(), Failure> {
    let (line, listed) = match &revoked.listed {
        Some(Ok(listed)) => {
            let more = if listed.is_minimum { "at least " } else { "" };
            let count = listed.count;
            (format!("{line} ({more}{count} listed, in any state)"), Some(count))
        }
        // The revocation is done. Only its size is not known.
        _ => (line, None),
    };
    let report = RevokeReport { listed, ..RevokeReport::new(target, "revoked") };
    report.write(&line, context)?;
    if listed == Some(0) {
        let message = "no token is listed under this name. Check its spelling with keyfob list. \
                       Tokens that are being issued under it right now were revoked too";
        context.output.note("none_listed", message);
    }
    if let Some(Err(error)) = &revoked.listed {
        let message = format!("the tokens under this name cannot be counted: {error}");
        context.output.note("not_counted", message);
    }
    Ok(())
}

/// Reports a revocation that could not reach every lane of the store, before its error.
fn report_partly(
    target: &Target,
    what: &str,
    lanes: &LanesBody,
    failure: Option<Failure>,
    context: &mut Context,
) -> Result<(), Failure> {
    let done = lanes.done.unwrap_or_default();
    let all = usize::from(done) + lanes.pending;
    let line = format!("revoked {what} in {done} of {all} lanes");
    let lanes = Some(Lanes::new(lanes.done, &lanes.pending_lanes));
    let report = RevokeReport { lanes, ..RevokeReport::new(target, "partly_revoked") };
    report.write(&line, context)?;
    failure.map_or(Ok(()), Err)
}

fn report_one(target: &Target, revoked: &Revoked, context: &mut Context) -> Result<(), Failure> {
    let Target::Token(id) = target else { return Ok(()) };
    let is_first = revoked.outcome == RevokeOutcome::Revoked;
    let outcome = if is_first { "revoked" } else { "already_revoked" };
    let line = match &revoked.revocation {
        Some(revocation) if !is_first => {
            let reason = revocation.reason.as_ref().map_or("no reason", |reason| reason.as_str());
            let at = or_never(Some(revocation.at));
            format!("{id} was already revoked at {at} ({reason}). Nothing was changed")
        }
        _ => format!("revoked {id}"),
    };
    let revocation = revoked.revocation.as_ref();
    let report = RevokeReport { revocation, ..RevokeReport::new(target, outcome) };
    report.write(&line, context)
}
