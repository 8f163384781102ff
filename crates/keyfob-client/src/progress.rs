//! A stream of progress, line by line, over connections that may break.

use http::HeaderValue;
use http::header::ACCEPT;
use http_body_util::BodyExt as _;
use keyfob_api::Problem;
use keyfob_core::random::{OsRandom, Random as _};
use serde::de::DeserializeOwned;

use crate::client::{Client, text_of};
use crate::error::{ApiError, Error, TransportErrorKind};
use crate::in_process::AnswerBody;
use crate::lines::Lines;
use crate::request::Request;

/// What runs at a server and reports its progress.
pub(crate) trait Run {
    /// A line of progress.
    type Line: DeserializeOwned;

    fn lines(&mut self) -> &mut ProgressLines;

    /// The request of the next connection, which resumes after the last line.
    fn request(&self) -> Result<Request, Error>;

    /// Reads a line into the progress of the whole run.
    fn read(&mut self, line: Self::Line) -> Result<Self::Line, Error>;

    /// Notes that the connection broke: the next one resumes after the last line.
    fn resume(&mut self);
}

/// Waits for the next line of a run; `None` after the last one. Connections that break are replaced.
pub(crate) async fn next<R: Run>(run: &mut R) -> Result<Option<R::Line>, Error> {
    while !run.lines().is_over {
        if !run.lines().is_connected() {
            let request = run.request()?;
            run.lines().connect(request).await?;
        }
        match run.lines().next().await {
            Ok(line) => return run.read(line).map(Some),
            Err(error @ Error::Transport(_)) => {
                run.resume();
                run.lines().disconnect(error).await?;
            }
            Err(error) => {
                run.lines().finish();
                return Err(error);
            }
        }
    }
    Ok(None)
}

/// The lines of one run.
pub(crate) struct ProgressLines {
    pub(crate) client: Client,
    connection: Option<(AnswerBody, Lines)>,
    failures: u32,
    is_over: bool,
}

impl ProgressLines {
    pub(crate) fn new(client: Client) -> Self {
        Self { client, connection: None, failures: 0, is_over: false }
    }

    fn is_connected(&self) -> bool {
        self.connection.is_some()
    }

    /// Sends the request of which the lines are the answer.
    async fn connect(&mut self, request: Request) -> Result<(), Error> {
        let accept = HeaderValue::from_static("application/x-ndjson, application/problem+json");
        let response = self.client.open(&request.header(ACCEPT, accept)).await?;
        self.connection = Some((response.into_body(), Lines::default()));
        Ok(())
    }

    /// Waits for the next line. Dropping the future loses nothing.
    async fn next<T: DeserializeOwned>(&mut self) -> Result<T, Error> {
        let transport = &self.client.inner.transport;
        let broken = |source| transport.failed(TransportErrorKind::Broken, source);
        let Some((body, lines)) = &mut self.connection else { return Err(broken(None)) };
        let too_long = |_| Error::UnexpectedAnswer("a line of the stream is too long".to_owned());
        loop {
            if let Some(line) = lines.next().map_err(too_long)? {
                self.failures = 0;
                return serde_json::from_slice(&line)
                    .map_err(|error| Error::UnexpectedAnswer(text_of(&error)));
            }
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        lines.push(data);
                    }
                }
                Some(Err(error)) => return Err(broken(Some(error))),
                // Without a last line the run is not complete.
                None => return Err(broken(None)),
            }
        }
    }

    /// Ends the run: no line follows.
    pub(crate) fn finish(&mut self) {
        self.is_over = true;
    }

    /// Ends the lines of one request: another one may follow.
    pub(crate) fn end(&mut self) {
        self.connection = None;
    }

    /// Ends the connection, and waits before the next one. Returns the error instead, if connections break
    /// too often.
    async fn disconnect(&mut self, error: Error) -> Result<(), Error> {
        self.connection = None;
        self.failures += 1;
        let retry = &self.client.inner.retry;
        if self.failures >= retry.max_attempts {
            self.failures = 0;
            return Err(error);
        }
        tracing::debug!(code = error.code(), "a run resumes");
        let wait = retry.first_wait.saturating_mul(1 << self.failures.min(16)).min(retry.max_wait);
        tokio::time::sleep(wait.mul_f64(OsRandom.fraction())).await;
        Ok(())
    }
}

/// Returns the error of a last line.
pub(crate) fn failed(problem: Problem) -> Error {
    ApiError::new(problem, None).into()
}
