//! The client, and how it sends requests again.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::{HeaderValue, Response};
use http_body_util::Full;
use keyfob_core::random::{OsRandom, Random as _};
use serde::de::DeserializeOwned;

use crate::budget::RetryBudget;
use crate::credentials::Credentials;
use crate::error::{Error, TransportErrorKind};
use crate::in_process::AnswerBody;
use crate::request::Request;
use crate::retry::{Attempt, RetryPolicy};
use crate::transport::Transport;

/// A client of one server, or of several behind one address. Cloning is cheap: the clones share
/// connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) inner: Arc<Inner>,
}

pub(crate) struct Inner {
    pub(crate) transport: Arc<Transport>,
    pub(crate) credentials: Option<Arc<Credentials>>,
    pub(crate) retry: RetryPolicy,
    pub(crate) budget: RetryBudget,
}

impl Client {
    /// Returns the URL of the server.
    pub fn server(&self) -> &str {
        self.inner.transport.server()
    }

    /// Returns a client that sends requests again by another policy. It shares connections with this one, and
    /// nothing else.
    #[must_use]
    pub fn with_retry(&self, retry: RetryPolicy) -> Self {
        let (transport, credentials) =
            (Arc::clone(&self.inner.transport), self.inner.credentials.clone());
        let budget = RetryBudget::new();
        Self { inner: Arc::new(Inner { transport, credentials, retry, budget }) }
    }

    /// Sends a request of somebody else as it is, once, and returns the answer as it is, whatever its status. The
    /// credentials are those in the request, and not those of this client. The path is that of the API.
    ///
    /// # Errors
    /// [`Error::Transport`] if no answer begins in time.
    pub async fn forward(
        &self,
        request: http::Request<Bytes>,
    ) -> Result<Response<AnswerBody>, Error> {
        self.inner.transport.forward(request.map(Full::new)).await
    }

    /// Sends a request until it is answered, and reads the answer.
    pub(crate) async fn call<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Error> {
        let body = self.call_raw(request).await?;
        serde_json::from_slice(&body).map_err(|error| Error::UnexpectedAnswer(text_of(&error)))
    }

    pub(crate) async fn call_raw(&self, request: &Request) -> Result<Bytes, Error> {
        let inner = &self.inner;
        self.repeat(request, |authorization| async move {
            inner.transport.call(request, authorization.as_ref()).await
        })
        .await
    }

    /// Sends a request until its answer begins.
    pub(crate) async fn open(&self, request: &Request) -> Result<Response<AnswerBody>, Error> {
        let inner = &self.inner;
        self.repeat(request, |authorization| async move {
            inner.transport.open(request, authorization.as_ref()).await
        })
        .await
    }

    /// Makes attempts until one succeeds, or until no other one may be made.
    async fn repeat<T, F>(
        &self,
        request: &Request,
        attempt: impl Fn(Option<HeaderValue>) -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let Inner { credentials, retry, budget, .. } = &*self.inner;
        let (begun, mut attempts, mut is_renewed) = (Instant::now(), 0, false);
        loop {
            let authorization = match credentials {
                Some(credentials) => Some(credentials.header().await.map_err(Error::Credentials)?),
                None => None,
            };
            attempts += 1;
            let error = match attempt(authorization.clone()).await {
                Ok(answer) => {
                    budget.deposit();
                    return Ok(answer);
                }
                Err(error) => error,
            };
            // The key in the file may have been replaced.
            if let (false, Some(credentials), Some(refused)) =
                (is_renewed, credentials, &authorization)
                && error.code() == "invalid_client"
                && credentials.renew(refused).await
            {
                is_renewed = true;
                continue;
            }
            let may_repeat = outcome_of(&error).is_some_and(|it| it.may_repeat(request.repeat));
            let wait = match may_repeat {
                true => retry.next_wait(
                    attempts,
                    begun.elapsed(),
                    error.retry_after(),
                    OsRandom.fraction(),
                ),
                false => None,
            };
            match wait {
                Some(wait) if budget.withdraw() => {
                    tracing::debug!(code = error.code(), ?wait, attempts, "sending it again");
                    tokio::time::sleep(wait).await;
                }
                _ => return Err(error),
            }
        }
    }
}

/// Returns what is known of an attempt; `None` if another one would be no better.
fn outcome_of(error: &Error) -> Option<Attempt> {
    match error {
        Error::Transport(error) => Some(match error.kind() {
            TransportErrorKind::Connect => Attempt::NotSent,
            TransportErrorKind::Timeout | TransportErrorKind::Broken => Attempt::NoAnswer,
        }),
        Error::Api(error) => Some(Attempt::Answered(error.status())),
        _ => None,
    }
}

/// Describes an error of JSON without the value that serde quotes: it may be a secret.
pub(crate) fn text_of(error: &serde_json::Error) -> String {
    format!("{:?} at line {} column {}", error.classify(), error.line(), error.column())
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("server", &self.server())
            .field("credentials", &self.inner.credentials)
            .finish_non_exhaustive()
    }
}
