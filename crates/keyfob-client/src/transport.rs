//! One attempt: a request is sent, and its answer is read, each within a time.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER, USER_AGENT};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper_util::client::legacy::Client as HyperClient;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use keyfob_api::Problem;

use crate::base_url::BaseUrl;
use crate::error::{ApiError, Error, TransportError, TransportErrorKind};
use crate::in_process::{AnswerBody, InProcess, boxed};
use crate::request::Request;

#[cfg(feature = "tls")]
pub(crate) type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
pub(crate) type Connector = HttpConnector;

/// The maximum length of an answer in bytes: a page of a thousand tokens with long claims fits.
const MAX_ANSWER_BYTES: usize = 128 * 1024 * 1024;
/// The maximum length of an error in bytes.
const MAX_PROBLEM_BYTES: usize = 64 * 1024;

/// How long the parts of an attempt may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Timeouts {
    /// Until there is a connection.
    pub(crate) connect: Duration,
    /// Until the answer is read, or for a stream, until it begins.
    pub(crate) attempt: Duration,
}

/// How requests reach a server.
#[derive(Debug)]
pub(crate) enum Route {
    /// By connections.
    Network(Box<HyperClient<Connector, Full<Bytes>>>),
    /// The server is in this process.
    InProcess(InProcess),
}

/// The way to one server.
#[derive(Debug)]
pub(crate) struct Transport {
    route: Route,
    base: BaseUrl,
    timeouts: Timeouts,
    user_agent: HeaderValue,
}

/// Creates the connector below TLS.
pub(crate) fn tcp(timeouts: Timeouts) -> HttpConnector {
    let mut tcp = HttpConnector::new();
    tcp.set_connect_timeout(Some(timeouts.connect));
    tcp.set_nodelay(true);
    tcp.enforce_http(false);
    tcp
}

impl Route {
    pub(crate) fn network(connector: Connector) -> Self {
        let client = HyperClient::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(30))
            .build(connector);
        Self::Network(Box::new(client))
    }
}

impl Transport {
    pub(crate) fn new(
        base: BaseUrl,
        route: Route,
        timeouts: Timeouts,
        user_agent: HeaderValue,
    ) -> Self {
        Self { route, base, timeouts, user_agent }
    }

    pub(crate) fn server(&self) -> &str {
        self.base.as_str()
    }

    /// Sends a request and reads the answer.
    pub(crate) async fn call(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
    ) -> Result<Bytes, Error> {
        let attempt = async {
            let response = self.send(request, authorization).await?;
            self.read(response.into_body(), MAX_ANSWER_BYTES).await
        };
        self.within(attempt).await
    }

    /// Sends a request and returns its answer, whose body is read piece by piece.
    pub(crate) async fn open(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<AnswerBody>, Error> {
        self.within(self.send(request, authorization)).await
    }

    async fn within<T>(&self, attempt: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        match tokio::time::timeout(self.timeouts.attempt, attempt).await {
            Ok(outcome) => outcome,
            Err(_) => Err(self.failed(TransportErrorKind::Timeout, None)),
        }
    }

    /// Returns the answer if the request succeeded.
    async fn send(
        &self,
        request: &Request,
        authorization: Option<&HeaderValue>,
    ) -> Result<Response<AnswerBody>, Error> {
        let invalid = |error: http::Error| Error::Request(error.to_string());
        let uri = self.base.join(&request.path).map_err(|error| invalid(error.into()))?;
        let mut sent = http::Request::builder().method(&request.method).uri(uri);
        sent = sent.header(USER_AGENT, &self.user_agent);
        if !request.headers.iter().any(|(name, _)| name == ACCEPT) {
            sent = sent.header(ACCEPT, "application/json, application/problem+json");
        }
        for (name, value) in &request.headers {
            sent = sent.header(name, value);
        }
        if let Some(value) = authorization {
            sent = sent.header(AUTHORIZATION, value);
        }
        if request.body.is_some() {
            sent = sent.header(CONTENT_TYPE, "application/json");
        }
        let body = Full::new(request.body.clone().unwrap_or_default());
        let response = self.exchange(sent.body(body).map_err(invalid)?).await?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (head, body) = response.into_parts();
        let body = self.read(body, MAX_PROBLEM_BYTES).await?;
        Err(answered(head.status, &head.headers, &body))
    }

    /// Sends a request as it is, and returns its answer as it is.
    pub(crate) async fn forward(
        &self,
        mut request: http::Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, Error> {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let uri = self.base.join(path).map_err(|error| Error::Request(error.to_string()))?;
        *request.uri_mut() = uri;
        self.within(self.exchange(request)).await
    }

    async fn exchange(
        &self,
        request: http::Request<Full<Bytes>>,
    ) -> Result<Response<AnswerBody>, Error> {
        match &self.route {
            Route::InProcess(server) => Ok(server.answer(request).await),
            Route::Network(client) => {
                let answered = client.request(request).await.map_err(|error| {
                    let kind = match error.is_connect() {
                        true => TransportErrorKind::Connect,
                        false => TransportErrorKind::Broken,
                    };
                    self.failed(kind, Some(Box::new(error)))
                });
                Ok(answered?.map(boxed))
            }
        }
    }

    async fn read(&self, mut body: AnswerBody, max: usize) -> Result<Bytes, Error> {
        let mut read = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame =
                frame.map_err(|error| self.failed(TransportErrorKind::Broken, Some(error)))?;
            let Ok(data) = frame.into_data() else { continue };
            if read.len() + data.len() > max {
                return Err(Error::UnexpectedAnswer(format!("it is longer than {max} bytes")));
            }
            read.extend_from_slice(&data);
        }
        Ok(read.freeze())
    }

    pub(crate) fn failed(
        &self,
        kind: TransportErrorKind,
        source: Option<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        Error::Transport(TransportError::new(kind, self.server(), source))
    }
}

/// Returns the error of an answer that is no success.
fn answered(status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Error {
    // A proxy in front of the server may answer without a problem document.
    let mut problem = serde_json::from_slice::<Problem>(body).unwrap_or_else(|_| {
        let title = status.canonical_reason().unwrap_or("an error without a name");
        let detail = format!("the answer was {status}, and not one of a keyfob server");
        Problem::new(status.as_u16(), title, "unexpected_answer").detail(detail)
    });
    problem.status = status.as_u16();
    ApiError::new(problem, retry_after(headers)).into()
}

/// Reads the header in seconds. Its form as a date is not used by this API.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let seconds = headers.get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}
