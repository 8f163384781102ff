//! `revoke --where`: revokes all tokens that match a filter, with progress. A run can be resumed.

use keyfob::{Filter, Timestamp};

use super::confirm::{can_ask, confirm};
use super::report::{Lanes, RevokeReport};
use crate::args::{RevokeArgs, Target};
use crate::commands::pages::note_unreadable;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::shell_quoted;
use crate::progress::Progress;

/// The action to confirm, where the tokens are not counted first.
pub(super) const ACTION: &str = "revoke all tokens that match";

/// Parses the filter. Refuses an empty one, which is likely a mistake.
pub(super) fn filter(text: &str, args: &RevokeArgs, now: Timestamp) -> Result<Filter, Failure> {
    let filter = crate::context::filter(&[text.to_owned()], &args.bind, now)?;
    if filter.is_empty() {
        let message = "the filter is empty and would match every token".into();
        let details = "To revoke every token, use --all.".into();
        return Err(Failure::Usage { code: "usage", message, details });
    }
    Ok(filter)
}

pub(super) async fn run(
    text: &str,
    args: &RevokeArgs,
    context: &mut Context,
) -> Result<(), Failure> {
    let filter = filter(text, args, context.now())?;
    // The text of the filter has absolute times, so a resumed run matches the same tokens.
    let text = filter.to_string();
    let (resume, throttle) = (args.resume.clone(), args.throttle);
    let mut sweep = context.backend.sweep(filter, &args.note(), resume, throttle)?;
    let progress = if can_ask() && !args.yes {
        let count = context.interrupt.or(sweep.dry_run()).await?;
        let action = format!("revoke all tokens that match {text} (now {count})");
        context.interrupt.or(confirm(&action, args)).await?;
        Progress::towards(count, "tokens revoked")
    } else {
        confirm(ACTION, args).await?;
        Progress::counting("tokens revoked")
    };
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.requested() => Err(Failure::Interrupted),
        done = sweep.run(|done| {
            tracing::debug!(revoked = done.revoked, "a page is done");
            progress.set(done.revoked);
        }) => done,
    };
    drop(progress);
    let done = sweep.done();
    let unreadable = done.unreadable;
    let next = done.next.filter(|_| outcome.is_err());
    let missing_lanes = &done.missing_lanes;
    let is_partial = outcome.as_ref().is_err_and(|failure| failure.code() == "lanes_unreachable");
    let line = match outcome {
        Ok(_) => format!("revoked {} of {} examined tokens", done.revoked, done.examined),
        Err(_) if is_partial => {
            format!(
                "revoked {} of {} examined tokens, without those of some lanes",
                done.revoked, done.examined
            )
        }
        Err(_) => format!("stopped after revoking {} tokens or a few more", done.revoked),
    };
    let code = match &outcome {
        Ok(_) => "revoked",
        Err(_) if is_partial => "partly_revoked",
        Err(_) => "interrupted",
    };
    let report = RevokeReport {
        count: Some(done.revoked),
        examined: Some(done.examined),
        lanes: (!missing_lanes.is_empty()).then(|| Lanes::new(None, missing_lanes)),
        next: next.clone(),
        ..RevokeReport::new(&Target::Matching(text.clone()), code)
    };
    if outcome.is_err() && !is_partial {
        let mut resume = next.as_ref().map(|next| format!(" --resume {next}")).unwrap_or_default();
        if args.yes {
            resume.push_str(" --yes");
        }
        let message = format!("resume with: keyfob revoke --where {}{resume}", shell_quoted(&text));
        match &next {
            Some(next) => context.output.note_cursor("resume", message, next),
            None => context.output.note("resume", message),
        }
    }
    report.write(&line, context)?;
    note_unreadable(unreadable, context);
    outcome?;
    // An unreadable record may match the filter, and was not revoked.
    if unreadable > 0 { Err(Failure::AlreadyReported(Exit::Refused)) } else { Ok(()) }
}
