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
    let is_resumed = resume.is_some();
    let mut reseal = context.backend.reseal(resume)?;
    let progress = Progress::counting("records examined");
    let outcome = tokio::select! {
        biased;
        () = context.interrupt.requested() => Err(Failure::Interrupted),
        done = reseal.run(|done| {
            tracing::debug!(resealed = done.resealed, "a page is done");
            progress.set(done.examined);
        }) => done,
    };
    drop(progress);
    let done = reseal.done();
    let next = done.next.filter(|_| outcome.is_err());
    let under = match &outcome {
        // A resumed run has examined only a part of the records.
        Ok(()) if is_resumed => {
            let keys = context.backend.keys(true).await?.keys;
            let counts = keys.iter().map(|key| (key.version, key.records.unwrap_or_default()));
            counts.filter(|(_, records)| *records > 0).collect()
        }
        _ => done.under,
    };
    let report = ResealReport {
        outcome: if outcome.is_ok() { "resealed" } else { "interrupted" },
        resealed: done.resealed,
        examined: done.examined,
        unreadable: done.unreadable,
        under,
        next: next.clone(),
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
