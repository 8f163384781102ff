//! `keys reseal`: seals every record with the active key, with progress. A run can be resumed.

use std::collections::BTreeMap;

use keyfob::manager::PageCursor;
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::progress::Progress;

/// The report of a run, as JSON.
#[derive(Serialize)]
struct ResealReport {
    outcome: &'static str,
    resealed: u64,
    examined: u64,
    unreadable: u64,
    under: BTreeMap<u16, u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

pub(super) async fn run(resume: Option<PageCursor>, context: &mut Context) -> Result<(), Failure> {
    let manager = context.manager()?;
    let mut reseal = manager.reseal()?;
    let is_resumed = resume.is_some();
    if let Some(cursor) = resume {
        reseal = reseal.resume(cursor);
    }
    let progress = Progress::counting("records examined");
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.requested() => Err(Failure::Interrupted),
        done = reseal.run(|done| {
            tracing::debug!(resealed = done.resealed, "a page is done");
            progress.set(done.examined);
        }) => done.map_err(Failure::from),
    };
    drop(progress);
    let done = reseal.progress();
    let next = done.resume.cursor().filter(|_| outcome.is_err());
    let under = match &outcome {
        // A resumed run has examined only a part of the records.
        Ok(_) if is_resumed => manager.count_by_key().await?,
        _ => done.by_key.clone(),
    };
    let report = ResealReport {
        outcome: if outcome.is_ok() { "resealed" } else { "interrupted" },
        resealed: done.resealed,
        examined: done.examined,
        unreadable: done.unreadable,
        under: under.iter().map(|(key, count)| (key.value(), *count)).collect(),
        next: next.as_ref().map(ToString::to_string),
    };
    let unreadable = done.unreadable;
    if outcome.is_err() {
        let command = "resume with: keyfob keys reseal";
        match &next {
            Some(next) => {
                let command = format!("{command} --resume {next}");
                context.output.note_cursor("resume", command, next);
            }
            None => context.output.note("resume", command),
        }
    }
    let output = &mut context.output;
    if output.is_json() {
        output.object(&report)?;
    } else {
        output.line(format_args!(
            "resealed {} of {} examined records",
            report.resealed, report.examined
        ))?;
        for (key, count) in &report.under {
            output.line(format_args!("key {key}: {count} records"))?;
        }
    }
    if unreadable > 0 {
        let message = format!(
            "{unreadable} records cannot be opened and were not changed. The log names them"
        );
        output.note("unreadable", message);
    }
    outcome?;
    if unreadable > 0 { Err(Failure::AlreadyReported(Exit::Refused)) } else { Ok(()) }
}
