//! `revoke`: one token, a family, or everything of a subject, a client, a filter or the store.

mod confirm;
mod count;
mod report;
mod sweep;

use keyfob::RevokeOutcome;

use confirm::{WithoutTerminal, confirm};
use report::RevokeReport;

use crate::args::{RevokeArgs, Target};
use crate::context::Context;
use crate::failure::Failure;
use crate::table::or_never;

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
    let manager = &context.manager;
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
            format!("revoked all tokens of the subject {subject}")
        }
        Target::Client(client) => {
            manager.revoke_client(client, request).await?;
            format!("revoked all tokens of the client {client}")
        }
        Target::All | Target::Matching(_) => {
            confirm("revoke every token of the store", WithoutTerminal::Refuse, args).await?;
            manager.revoke_all(request).await?;
            "revoked every token of the store".to_owned()
        }
    };
    RevokeReport::new(target, "revoked").write(&line, context)
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
