//! Revoking by a filter, with a stream of progress: one line of JSON after each page.
//!
//! Each line says where to resume, so a client whose connection breaks sends the request again with the
//! last line's `filter` and `resume`.

use keyfob::manager::{PageCursor, SweepProgress};
use keyfob::{Filter, RevokeRequest};
use keyfob_api::RevokeProgress;
use keyfob_api::revoke::{ProgressState, RevokeFilter};

use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;
use crate::v1::{input, progress};

/// Parses the filter. Refuses an empty one, which is likely a mistake.
pub(super) fn filter(call: &Call, wanted: &RevokeFilter) -> Result<Filter, Failure> {
    let bound = wanted.bind.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let filter = input::filter(&wanted.filter, bound, call.manager().now())?;
    if filter.is_empty() {
        let detail = "the filter is empty and would match every token: to revoke every token, use the \
                      target all";
        return Err(Failure::bad("empty_filter", detail));
    }
    Ok(filter)
}

/// Starts the run, and answers with its progress.
pub(super) fn stream(call: &Call, wanted: &RevokeFilter, request: RevokeRequest) -> Answer {
    request.check()?;
    let filter = filter(call, wanted)?;
    let text = filter.to_string();
    let mut sweep = call.manager().sweep(filter, request);
    if let Some(cursor) = &wanted.resume {
        sweep = sweep.resume(cursor.parse::<PageCursor>()?);
    }
    if let Some(per_second) = wanted.throttle {
        sweep = sweep.throttle(per_second);
    }
    let request_id = call.request_id.clone();
    Ok(progress::stream(|lines| async move {
        let run = sweep.run(|done| lines.send(&line(ProgressState::Running, done, &text, None)));
        match run.await {
            Ok(done) => line(ProgressState::Done, &done, &text, None),
            Err(error) => {
                let problem = Failure::from(error).problem(&request_id);
                line(ProgressState::Failed, sweep.progress(), &text, Some(Box::new(problem)))
            }
        }
    }))
}

fn line(
    state: ProgressState,
    done: &SweepProgress,
    filter: &str,
    error: Option<Box<keyfob_api::Problem>>,
) -> RevokeProgress {
    RevokeProgress {
        state,
        revoked: done.revoked,
        examined: done.examined,
        unreadable: done.unreadable,
        missing_lanes: bodies::lanes(&done.missing_lanes),
        filter: filter.to_owned(),
        resume: done.resume.cursor().as_ref().map(ToString::to_string),
        error,
    }
}
