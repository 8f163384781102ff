//! `keys reseal`: every record under the active key, with progress, and resumable.

use std::collections::BTreeMap;

use keyfob::PageCursor;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::progress::Progress;

/// What was done, as JSON tells it.
#[derive(Serialize)]
struct Told {
    outcome: &'static str,
    resealed: u64,
    examined: u64,
    unreadable: u64,
    under: BTreeMap<u16, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn run(resume: Option<PageCursor>, context: &mut Context) -> Result<(), Failure> {
    let mut reseal = context.manager.reseal()?;
    let is_resumed = resume.is_some();
    if let Some(cursor) = resume {
        reseal = reseal.resume(cursor);
    }
    let progress = Progress::counting("records looked at");
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.requested() => Err(Failure::Interrupted),
        done = reseal.run(|done| {
            tracing::debug!(resealed = done.resealed, "a page is done");
            progress.at(done.examined);
        }) => done.map_err(Failure::from),
    };
    drop(progress);
    let done = reseal.progress();
    let next = done.resume.cursor().filter(|_| outcome.is_err());
    let under = match &outcome {
        // This run has looked at a part of them only.
        Ok(_) if is_resumed => context.manager.count_by_key().await?,
        _ => done.by_key.clone(),
    };
    let told = Told {
        outcome: if outcome.is_ok() { "resealed" } else { "interrupted" },
        resealed: done.resealed,
        examined: done.examined,
        unreadable: done.unreadable,
        under: under.iter().map(|(key, count)| (key.value(), *count)).collect(),
        next: next.as_ref().map(ToString::to_string),
    };
    let unreadable = done.unreadable;
    if outcome.is_err() {
        let again = "go on with: keyfob keys reseal";
        match &next {
            Some(next) => {
                let again = format!("{again} --resume {next}");
                context.output.note_cursor("resume", again, next);
            }
            None => context.output.note("resume", again),
        }
    }
    let output = &mut context.output;
    if output.is_json() {
        output.object(&told)?;
    } else {
        output.line(format_args!(
            "resealed {} of {} records looked at",
            told.resealed, told.examined
        ))?;
        for (key, count) in &told.under {
            output.line(format_args!("key {key}: {count} records"))?;
        }
    }
    if unreadable > 0 {
        let message = format!("{unreadable} records do not open and stay as they are: see the log");
        output.note("unreadable", message);
    }
    outcome?;
    if unreadable > 0 { Err(Failure::Told(Exit::Refused)) } else { Ok(()) }
}
