//! `revoke --where`: everything that a filter matches, with progress, and resumable.

use keyfob::Filter;

use super::list::quote;
use super::revoke::{Told, can_ask, confirm, tell};
use super::walk::note_unreadable;
use crate::args::{RevokeArgs, Target};
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::progress::Progress;

/// Reads the filter of a sweep. One that asks for everything is taken for a slip.
pub(super) fn filter(text: &str, context: &Context) -> Result<Filter, Failure> {
    let filter = context.filter(&[text.to_owned()])?;
    if filter.is_empty() {
        let message = "the filter is empty, which would be every token".into();
        let details = "If that is meant, say --all.".into();
        return Err(Failure::Usage { code: "usage", message, details });
    }
    Ok(filter)
}

pub(super) async fn run(
    text: &str,
    args: &RevokeArgs,
    context: &mut Context,
) -> Result<(), Failure> {
    let filter = filter(text, context)?;
    // Written out, times that were relative stand still: what is resumed is the same sweep.
    let text = filter.to_string();
    let mut sweep = context.manager.sweep(filter, args.why());
    if let Some(cursor) = args.resume.clone() {
        sweep = sweep.resume(cursor);
    }
    let progress = if can_ask() && !args.yes {
        let count = context.interrupt.or(async { Ok(sweep.dry_run().await?) }).await?;
        let what = format!("revoke all that matches {text} (now {count})");
        context.interrupt.or(confirm(&what, false, args)).await?;
        Progress::towards(count, "tokens revoked")
    } else {
        Progress::counting("tokens revoked")
    };
    if let Some(per_second) = args.throttle {
        sweep = sweep.throttle(per_second);
    }
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.requested() => Err(Failure::Interrupted),
        done = sweep.run(|done| {
            tracing::debug!(revoked = done.revoked, "a page is done");
            progress.at(done.revoked);
        }) => done.map_err(Failure::from),
    };
    drop(progress);
    let done = sweep.progress();
    let unreadable = done.unreadable;
    let next = done.resume.cursor().filter(|_| outcome.is_err());
    let told = match outcome {
        Ok(_) => format!("revoked {} of {} tokens looked at", done.revoked, done.examined),
        Err(_) => format!("revoked {} tokens or a few more before it stopped", done.revoked),
    };
    let how = if outcome.is_ok() { "revoked" } else { "interrupted" };
    let object = Told {
        count: Some(done.revoked),
        examined: Some(done.examined),
        next: next.as_ref().map(ToString::to_string),
        ..Told::of(&Target::Matching(text.clone()), how)
    };
    if outcome.is_err() {
        let resume = next.as_ref().map(|next| format!(" --resume {next}")).unwrap_or_default();
        let again = format!("go on with: keyfob revoke --where {}{resume}", quote(&text));
        match &next {
            Some(next) => context.output.note_cursor("resume", again, next),
            None => context.output.note("resume", again),
        }
    }
    tell(&told, &object, context)?;
    note_unreadable(unreadable, context);
    outcome?;
    // What could not be read may have matched, and is as good as it was.
    if unreadable > 0 { Err(Failure::Told(Exit::Refused)) } else { Ok(()) }
}
