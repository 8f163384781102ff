//! A run that answers with a stream of progress: one line of JSON after each step, and a last one.
//!
//! Nothing is kept about a run. Each line says where to resume. When the client goes away, the run stops
//! after the step that it is in.

use axum::body::Body;
use bytes::Bytes;
use futures_util::stream;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response};
use serde::Serialize;
use tokio::sync::mpsc;

/// How many lines wait for a slow client. After that, the run continues and a line is left out: the
/// next one has later numbers.
const MAX_WAITING_LINES: usize = 16;

/// Takes the lines of a run.
#[derive(Clone, Debug)]
pub(super) struct Lines(mpsc::Sender<Bytes>);

impl Lines {
    /// Sends a line. A full channel leaves it out.
    pub(super) fn send(&self, line: &impl Serialize) {
        // Ignored: see above.
        let _ = self.0.try_send(bytes(line));
    }
}

/// Runs `run` in the background, and answers with its lines. The last line is what it returns.
pub(super) fn stream<L, F>(run: impl FnOnce(Lines) -> F) -> Response<Body>
where
    L: Serialize + Send,
    F: Future<Output = L> + Send + 'static,
{
    let (sender, receiver) = mpsc::channel(MAX_WAITING_LINES);
    let run = run(Lines(sender.clone()));
    tokio::spawn(async move {
        let last = tokio::select! {
            last = run => last,
            // The client has gone away.
            () = sender.closed() => return,
        };
        let _ = sender.send(bytes(&last)).await;
    });
    let lines = stream::unfold(receiver, |mut receiver| async move {
        let line = receiver.recv().await?;
        Some((Ok::<_, std::convert::Infallible>(line), receiver))
    });
    let mut response = Response::new(Body::from_stream(lines));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-ndjson"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn bytes(line: &impl Serialize) -> Bytes {
    let mut line = serde_json::to_vec(line).unwrap_or_default();
    line.push(b'\n');
    line.into()
}
