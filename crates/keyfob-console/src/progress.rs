//! A run of the client as a stream of lines for the browser, and what a page shows of it.
//!
//! # What a page has to have
//! A form that starts the run, and beside it [`view`]. `assets/run.js` sends the form with `Accept:
//! application/x-ndjson` and reads the answer, which [`stream`] makes. Without scripts the form is sent
//! without that header, so its route has to answer with a page too: see [`wants_lines`].
//!
//! | attribute of the form | what |
//! |---|---|
//! | `data-run` | the kind of run, such as `revoke`; the same as that of [`view`] |
//! | `data-run-title` | what is run over. A run that is not over is found again by it |
//! | `data-run-counter` | the member of a line that counts what is done, such as `revoked` |
//! | `data-run-total` | how much there is to do, if it is known |
//! | `data-run-then` | the page to show after the last line |
//!
//! While a run shows, elements with `data-run-before` are hidden: what was so before it. Elements with
//! `data-run-during` are shown from its beginning on.
//!
//! A run that is not over is kept in the browser: the fields of the form, with the `filter` and the
//! `resume` of the last line, and the numbers. `Resume` sends the form again with them. Every page has an
//! element with `data-unfinished`, in which the script lists the runs that are not over: see [`unfinished`].

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream as streams;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, Response};
use keyfob_api::{ResealProgress, RevokeProgress};
use keyfob_client::{Error, ResealRun, RevokeRun};
use maud::{Markup, html};
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::reply::{Answer, Reply};
use crate::trouble::Trouble;

/// The content type of lines of JSON.
const LINES: &str = "application/x-ndjson";

/// A run at the API that reports its progress line by line.
pub(crate) trait Run: Send + 'static {
    /// A line of progress.
    type Line: Serialize + Send;

    /// Waits for the next line; `None` after the last one.
    fn next(&mut self) -> impl Future<Output = Result<Option<Self::Line>, Error>> + Send;

    /// Returns the last line that has arrived.
    fn last(&self) -> Option<&Self::Line>;
}

impl Run for RevokeRun {
    type Line = RevokeProgress;

    async fn next(&mut self) -> Result<Option<RevokeProgress>, Error> {
        Self::next(self).await
    }

    fn last(&self) -> Option<&RevokeProgress> {
        self.progress()
    }
}

impl Run for ResealRun {
    type Line = ResealProgress;

    async fn next(&mut self) -> Result<Option<ResealProgress>, Error> {
        Self::next(self).await
    }

    fn last(&self) -> Option<&ResealProgress> {
        self.progress()
    }
}

/// Returns whether a form was sent by the script that reads lines.
pub(crate) fn wants_lines(headers: &HeaderMap) -> bool {
    let accepted = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.contains(LINES))
}

/// How long a run continues that nobody reads, before a page asks whether to continue.
const MAX_UNREAD: Duration = Duration::from_secs(8);

/// Runs for as long as a person waits for a page. Returns whether all is done.
///
/// # Errors
/// If the run fails. Its last line says where it was.
pub(crate) async fn run_for_a_while(run: &mut impl Run) -> Result<bool, Trouble> {
    let lines = async {
        while run.next().await?.is_some() {}
        Ok(true)
    };
    tokio::time::timeout(MAX_UNREAD, lines).await.unwrap_or(Ok(false))
}

/// Answers with the lines of a run. When the browser goes away, the answer is dropped, and the run with
/// it: it stops at the page that it is in, and its last line says where to resume.
///
/// # Errors
/// If the session has ended. Other errors are the last line: its `state` is `failed`.
pub(crate) async fn stream<R: Run>(mut run: R) -> Answer {
    let first = match run.next().await {
        Ok(Some(line)) => (line_of(&line), Some(run)),
        Ok(None) => (Bytes::new(), None),
        Err(error) => match Trouble::from(error) {
            Trouble::SignedOut => return Err(Trouble::SignedOut),
            trouble => (failed(run.last(), &trouble), None),
        },
    };
    let (first, rest) = first;
    let rest = streams::unfold(rest, |run| async move {
        let mut run = run?;
        match run.next().await {
            Ok(Some(line)) => Some((line_of(&line), Some(run))),
            Ok(None) => None,
            Err(error) => Some((failed(run.last(), &error.into()), None)),
        }
    });
    let lines = streams::StreamExt::chain(streams::iter([first]), rest);
    let lines = streams::StreamExt::map(lines, Ok::<_, Infallible>);
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(LINES));
    // Asks nginx not to hold lines back.
    headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(Reply::Whole(response))
}

fn line_of(line: &impl Serialize) -> Bytes {
    let mut text = serde_json::to_vec(line).unwrap_or_default();
    text.push(b'\n');
    text.into()
}

/// Returns the last line of a run that failed: the numbers of the line before it, and why.
fn failed(last: Option<&impl Serialize>, trouble: &Trouble) -> Bytes {
    let last = last.and_then(|last| serde_json::to_value(last).ok());
    let mut line = match last {
        Some(Value::Object(line)) => line,
        _ => Map::new(),
    };
    line.insert("state".to_owned(), json!("failed"));
    let error = json!({ "title": trouble.title(), "detail": trouble.detail() });
    line.insert("error".to_owned(), error);
    line_of(&line)
}

/// What a run shows while it runs. A script opens it. `part` is how much the server does before it can
/// stop.
pub(crate) fn view(kind: &str, part: &str) -> Markup {
    html! {
        div.card data-run-view=(kind) hidden {
            progress aria-label="Progress" {}
            p data-run-numbers {}
            p.wrong role="alert" data-run-message hidden {}
            div.actions {
                button type="button" data-run-pause { "Pause" }
                button.primary type="button" data-run-resume hidden { "Resume" }
                button type="button" data-run-forget hidden { "Cancel" }
            }
            p.quiet {
                "If you leave this page or close it, the server stops after the part that it is in: at most " (part)
                ". What is done stays done. Every page of the console then shows where to resume."
                span data-run-paused hidden {
                    " Cancel forgets where the run stopped. What is done stays done, and the rest is not touched."
                }
            }
        }
    }
}

/// Where a script lists the runs that are not over, on every page.
pub(crate) fn unfinished() -> Markup {
    html! {
        section.banner data-unfinished aria-label="Runs that are not over" hidden {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_script_asks_for_lines() {
        let of = |accept: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT, HeaderValue::from_static(accept));
            wants_lines(&headers)
        };
        assert!(of("application/x-ndjson"));
        assert!(!of("text/html,application/xhtml+xml,*/*;q=0.8"));
        assert!(!wants_lines(&HeaderMap::new()));
    }

    #[test]
    fn a_run_that_failed_says_where_it_was() {
        let last = json!({ "state": "running", "revoked": 7, "resume": "c" });
        let line = failed(Some(&last), &Trouble::NotFound);
        let line: Value = serde_json::from_slice(&line).unwrap();
        assert_eq!((&line["state"], &line["revoked"]), (&json!("failed"), &json!(7)));
        assert_eq!(line["resume"], "c");
        assert!(line["error"]["detail"].as_str().is_some_and(|text| !text.is_empty()));
    }
}
