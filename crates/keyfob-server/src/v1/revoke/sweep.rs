//! Revoking by a filter, with a stream of progress: one line of JSON after each page.
//!
//! Nothing is kept about a run. Each line says where to resume, so a client whose connection breaks
//! sends the request again with the last line's `filter` and `resume`. When the client goes away, the
//! run stops after the page that it is in.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use keyfob::manager::{PageCursor, SweepProgress};
use keyfob::{Filter, RevokeRequest};
use keyfob_api::RevokeProgress;
use keyfob_api::revoke::{ProgressState, RevokeFilter};
use tokio::sync::mpsc;

use crate::bodies;
use crate::call::Call;
use crate::respond::failure::Failure;
use crate::respond::json::Answer;
use crate::v1::input;

/// How many lines wait for a slow client. After that, the run continues and a line is left out: the
/// next one has later numbers.
const MAX_WAITING_LINES: usize = 16;

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
    let (sender, receiver) = mpsc::channel::<Bytes>(MAX_WAITING_LINES);
    let request_id = call.request_id.clone();
    tokio::spawn(async move {
        let run = sweep.run(|done| {
            // A full channel leaves this line out.
            let _ = sender.try_send(line(ProgressState::Running, done, &text, None));
        });
        let outcome = tokio::select! {
            outcome = run => outcome,
            // The client has gone away.
            () = sender.closed() => return,
        };
        let last = match outcome {
            Ok(done) => line(ProgressState::Done, &done, &text, None),
            Err(error) => {
                let problem = Failure::from(error).problem(&request_id);
                line(ProgressState::Failed, sweep.progress(), &text, Some(Box::new(problem)))
            }
        };
        let _ = sender.send(last).await;
    });
    let lines = stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

fn line(
    state: ProgressState,
    done: &SweepProgress,
    filter: &str,
    error: Option<Box<keyfob_api::Problem>>,
) -> Bytes {
    let progress = RevokeProgress {
        state,
        revoked: done.revoked,
        examined: done.examined,
        unreadable: done.unreadable,
        missing_lanes: bodies::lanes(&done.missing_lanes),
        filter: filter.to_owned(),
        resume: done.resume.cursor().as_ref().map(ToString::to_string),
        error,
    };
    let mut line = serde_json::to_vec(&progress).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
