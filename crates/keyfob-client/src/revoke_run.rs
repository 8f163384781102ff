//! Revoking by a filter: progress line by line, resumed where a connection broke.

use std::fmt;

use http::header::ACCEPT;
use http::{HeaderValue, Method};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use keyfob_api::revoke::{ProgressState, RevokeFilter};
use keyfob_api::{RevokeBody, RevokeProgress, RevokeTarget};

use crate::client::{Client, random, text_of};
use crate::error::{ApiError, Error, TransportErrorKind};
use crate::lines::Lines;
use crate::request::Request;
use crate::retry::Repeat;

/// A run that revokes all tokens that match a filter.
///
/// If the connection breaks, the run resumes at the last page that it knows of. The numbers of
/// [`RevokeProgress`] then count from the start of the whole run. Tokens of a page whose line did not
/// arrive are revoked, and not counted.
pub struct RevokeRun {
    client: Client,
    filter: RevokeFilter,
    body: RevokeBody,
    connection: Option<(Incoming, Lines)>,
    /// The last line, with the numbers of the whole run.
    last: Option<RevokeProgress>,
    /// The numbers of connections that broke.
    before: Numbers,
    failures: u32,
    is_over: bool,
}

#[derive(Clone, Copy, Default)]
struct Numbers {
    revoked: u64,
    examined: u64,
    unreadable: u64,
}

impl RevokeRun {
    pub(crate) fn new(client: Client, filter: RevokeFilter, body: RevokeBody) -> Self {
        Self {
            client,
            filter,
            body,
            connection: None,
            last: None,
            before: Numbers::default(),
            failures: 0,
            is_over: false,
        }
    }

    /// Returns the last progress that has arrived. Its `filter` and `resume` start another run where
    /// this one is.
    pub fn progress(&self) -> Option<&RevokeProgress> {
        self.last.as_ref()
    }

    /// Waits for the next line of progress; `None` after the last one, whose `state` is `done`.
    /// Dropping the future loses nothing.
    ///
    /// # Errors
    /// If the server refuses or the run fails there, or if the connection breaks more often than the
    /// [`RetryPolicy`](crate::RetryPolicy) allows. See [`Self::progress`] for where to resume.
    pub async fn next(&mut self) -> Result<Option<RevokeProgress>, Error> {
        while !self.is_over {
            if self.connection.is_none() {
                let response = self.client.open(&self.request()?).await?;
                self.connection = Some((response.into_body(), Lines::default()));
            }
            match self.next_line().await {
                Ok(line) => {
                    self.failures = 0;
                    return self.read(line).map(Some);
                }
                Err(error @ Error::Transport(_)) => self.disconnect(error).await?,
                Err(error) => {
                    self.is_over = true;
                    return Err(error);
                }
            }
        }
        Ok(None)
    }

    /// Runs to the end. Returns the last progress.
    ///
    /// # Errors
    /// See [`Self::next`].
    pub async fn finish(&mut self) -> Result<RevokeProgress, Error> {
        while self.next().await?.is_some() {}
        let missing = || Error::UnexpectedAnswer("the stream has no last line".to_owned());
        self.last.clone().ok_or_else(missing)
    }

    fn request(&self) -> Result<Request, Error> {
        let mut body = self.body.clone();
        body.target = RevokeTarget::Filter(self.filter.clone());
        // What is revoked stays revoked, and a filter has absolute times: sending it again is safe.
        let request = Request::with_body(Method::POST, "/v1/revoke", &body, Repeat::Safe)?;
        let accept = "application/x-ndjson, application/problem+json";
        Ok(request.header(ACCEPT, HeaderValue::from_static(accept)))
    }

    async fn next_line(&mut self) -> Result<RevokeProgress, Error> {
        let transport = &self.client.inner.transport;
        let broken = |source| transport.failed(TransportErrorKind::Broken, source);
        let Some((body, lines)) = &mut self.connection else { return Err(broken(None)) };
        let too_long = |_| Error::UnexpectedAnswer("a line of the stream is too long".to_owned());
        loop {
            if let Some(line) = lines.next().map_err(too_long)? {
                return serde_json::from_slice(&line)
                    .map_err(|error| Error::UnexpectedAnswer(text_of(&error)));
            }
            match body.frame().await {
                Some(Ok(frame)) => {
                    if let Some(data) = frame.data_ref() {
                        lines.push(data);
                    }
                }
                Some(Err(error)) => return Err(broken(Some(Box::new(error)))),
                // Without a last line the run is not complete.
                None => return Err(broken(None)),
            }
        }
    }

    fn read(&mut self, mut line: RevokeProgress) -> Result<RevokeProgress, Error> {
        line.revoked += self.before.revoked;
        line.examined += self.before.examined;
        line.unreadable += self.before.unreadable;
        self.is_over = line.state != ProgressState::Running;
        self.last = Some(line.clone());
        match line.error.take() {
            Some(problem) => Err(ApiError::new(*problem, None).into()),
            None => Ok(line),
        }
    }

    /// Ends the connection, and waits before the next one, which resumes after the last line.
    async fn disconnect(&mut self, error: Error) -> Result<(), Error> {
        self.connection = None;
        self.failures += 1;
        if let Some(last) = &self.last {
            self.filter.filter.clone_from(&last.filter);
            self.filter.bind.clear();
            self.filter.resume.clone_from(&last.resume);
            let RevokeProgress { revoked, examined, unreadable, .. } = *last;
            self.before = Numbers { revoked, examined, unreadable };
        }
        let retry = &self.client.inner.retry;
        if self.failures >= retry.max_attempts {
            self.failures = 0;
            return Err(error);
        }
        tracing::debug!(code = error.code(), "a run of revocations resumes");
        let wait = retry.first_wait.saturating_mul(1 << self.failures.min(16)).min(retry.max_wait);
        tokio::time::sleep(wait.mul_f64(random())).await;
        Ok(())
    }
}

impl fmt::Debug for RevokeRun {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RevokeRun")
            .field("client", &self.client)
            .field("filter", &self.filter)
            .field("last", &self.last)
            .finish_non_exhaustive()
    }
}
