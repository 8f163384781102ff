//! `revoke`: one token, a family, or everything of a subject, a client, a filter or the store.

mod confirm;
mod count;
mod report;
mod sweep;

use keyfob::store::StoreError;
use keyfob::{Error, Filter, Paging, RevokeOutcome, Timestamp};

use confirm::{check_can_confirm, confirm};
use report::{Lanes, RevokeReport};

use crate::args::{RevokeArgs, Target};
use crate::context::Context;
use crate::failure::Failure;
use crate::token_text::or_never;

const REVOKE_ALL: &str = "revoke every token of the store";

/// Checks the arguments before the store is asked.
pub(super) fn check(args: &RevokeArgs, now: Timestamp) -> Result<(), Failure> {
    args.request().check().map_err(Error::from)?;
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
    let manager = context.manager.clone();
    let request = args.request();
    let line = match target {
        Target::Token(id) => {
            let outcome = manager.revoke(*id, request).await?;
            return report_one(target, outcome, context).await;
        }
        Target::Family(family) => {
            manager.revoke_family(*family, request).await?;
            format!("revoked the family {family}")
        }
        Target::Subject(subject) => {
            manager.revoke_subject(subject, request).await?;
            let line = format!("revoked all tokens of the subject {subject}");
            let filter = Filter::new().subject(subject.clone());
            return report_listed(target, line, &filter, context).await;
        }
        Target::Client(client) => {
            let revoked = manager.revoke_client(client, request).await;
            check_lanes(revoked, &format!("all tokens of the client {client}"), target, context)?;
            let line = format!("revoked all tokens of the client {client}");
            let filter = Filter::new().client(client.clone());
            return report_listed(target, line, &filter, context).await;
        }
        Target::All | Target::Matching(_) => {
            confirm(REVOKE_ALL, args).await?;
            let revoked = manager.revoke_all(request).await;
            check_lanes(revoked, "every token", target, context)?;
            "revoked every token of the store".to_owned()
        }
    };
    RevokeReport::new(target, "revoked").write(&line, context)
}

/// Reports a revocation of everything of a subject or a client, with the number of tokens that are
/// listed under the name. A name without tokens is likely a typing error.
async fn report_listed(
    target: &Target,
    line: String,
    filter: &Filter,
    context: &mut Context,
) -> Result<(), Failure> {
    let page = context.manager.list(filter, Paging::new(Paging::MAX_LIMIT)).await;
    let (line, listed) = match &page {
        Ok(page) => {
            let count = page.tokens.len() as u64 + page.unreadable;
            let more = if page.next.is_some() { "at least " } else { "" };
            (format!("{line} ({more}{count} listed, in any state)"), Some(count))
        }
        // The revocation is done. Only its size is not known.
        Err(_) => (line, None),
    };
    let report = RevokeReport { listed, ..RevokeReport::new(target, "revoked") };
    report.write(&line, context)?;
    if listed == Some(0) {
        let message = "no token is listed under this name. Check its spelling with keyfob list. \
                       Tokens that are being issued under it right now were revoked too";
        context.output.note("none_listed", message);
    }
    if let Err(error) = page {
        let message = format!("the tokens under this name cannot be counted: {error}");
        context.output.note("not_counted", message);
    }
    Ok(())
}

/// Reports a revocation that could not reach every lane of the store, before its error.
fn check_lanes(
    revoked: Result<(), Error>,
    what: &str,
    target: &Target,
    context: &mut Context,
) -> Result<(), Failure> {
    if let Err(Error::Store(StoreError::PartlyApplied { applied, pending, .. })) = &revoked {
        let all = usize::from(*applied) + pending.len();
        let line = format!("revoked {what} in {applied} of {all} lanes");
        let lanes = Some(Lanes::new(Some(*applied), pending));
        let report = RevokeReport { lanes, ..RevokeReport::new(target, "partly_revoked") };
        report.write(&line, context)?;
    }
    Ok(revoked?)
}

async fn report_one(
    target: &Target,
    outcome: RevokeOutcome,
    context: &mut Context,
) -> Result<(), Failure> {
    let Target::Token(id) = target else { return Ok(()) };
    let (outcome, revocation) = match outcome {
        RevokeOutcome::Revoked => ("revoked", context.manager.get(*id).await?.revocation),
        RevokeOutcome::AlreadyRevoked(revocation) => ("already_revoked", Some(*revocation)),
    };
    let line = match &revocation {
        Some(revocation) if outcome == "already_revoked" => {
            let reason = revocation.reason.as_ref().map_or("no reason", |reason| reason.as_str());
            let at = or_never(Some(revocation.at));
            format!("{id} was already revoked at {at} ({reason}). Nothing was changed")
        }
        _ => format!("revoked {id}"),
    };
    let report =
        RevokeReport { revocation: revocation.as_ref(), ..RevokeReport::new(target, outcome) };
    report.write(&line, context)
}
