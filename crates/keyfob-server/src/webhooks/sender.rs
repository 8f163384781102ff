//! One request to one receiver.
//!
//! The sender resolves the name itself, and connects to an address that it has checked: it asks for the name once, so
//! another answer to a second question gains nothing. A redirect is not followed. Of an answer only a short
//! error of RFC 8935 is read.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HOST, RETRY_AFTER, USER_AGENT};
use http::{HeaderValue, Request};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use keyfob::values::Timestamp;
use keyfob_api::webhook::WebhookFormat;
use keyfob_webhook::address::AddressPolicy;
use keyfob_webhook::answer::Verdict;
use keyfob_webhook::endpoint::Endpoint;
use keyfob_webhook::secret::{ID_HEADER, SIGNATURE_HEADER, Secret, TIMESTAMP_HEADER, sign};
use keyfob_webhook::set;
use tokio::net::TcpStream;
use tokio::sync::Semaphore;

/// How many addresses of a name are tried.
const MAX_ADDRESSES: usize = 3;
/// How many names are resolved at the same time. Each blocks a thread of a pool that others use too, also after the sender
/// has given up.
const MAX_LOOKUPS: usize = 64;
/// The maximum size of the head of an answer.
const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The media type of an event (CloudEvents).
pub(super) const CONTENT_TYPE_OF_EVENTS: &str = "application/cloudevents+json";

/// Sends messages.
pub(super) struct Sender {
    timeout: Duration,
    lookups: Arc<Semaphore>,
    #[cfg(feature = "tls")]
    tls: Option<tokio_rustls::TlsConnector>,
}

/// What shows the receiver who sends.
#[derive(Clone, Copy)]
pub(super) struct Proof<'a> {
    /// The secrets that sign by Standard Webhooks. None: there is no such signature.
    pub(super) secrets: &'a [Secret],
    /// The value of the header `Authorization`.
    pub(super) authorization: Option<&'a str>,
}

/// What is sent.
#[derive(Clone, Debug)]
pub(super) struct Message {
    pub(super) id: String,
    pub(super) body: Bytes,
    pub(super) format: WebhookFormat,
}

/// What came of an attempt.
#[derive(Clone, Debug)]
pub(super) struct Outcome {
    pub(super) verdict: Verdict,
    pub(super) status: Option<u16>,
    pub(super) error: Option<String>,
}

impl Outcome {
    pub(super) fn failed(error: String) -> Self {
        Self { verdict: Verdict::Retry { after: None }, status: None, error: Some(error) }
    }
}

impl Sender {
    pub(super) fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            lookups: Arc::new(Semaphore::new(MAX_LOOKUPS)),
            #[cfg(feature = "tls")]
            tls: connector(),
        }
    }

    /// Sends a message, with what shows who sends it, to an address that is allowed.
    pub(super) async fn send(
        &self,
        endpoint: &Endpoint,
        addresses: &AddressPolicy,
        proof: Proof<'_>,
        message: &Message,
        now: Timestamp,
    ) -> Outcome {
        let attempt = self.attempt(endpoint, addresses, proof, message, now);
        match tokio::time::timeout(self.timeout, attempt).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Outcome::failed(error),
            Err(_) => Outcome::failed(format!("no answer within {:?}", self.timeout)),
        }
    }

    async fn attempt(
        &self,
        endpoint: &Endpoint,
        addresses: &AddressPolicy,
        proof: Proof<'_>,
        message: &Message,
        now: Timestamp,
    ) -> Result<Outcome, String> {
        let header =
            |text: String| HeaderValue::try_from(text).map_err(|_| "a header is not valid");
        let mut request = Request::post(endpoint.path_and_query())
            .header(HOST, header(endpoint.authority())?)
            .header(USER_AGENT, concat!("keyfob/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, media_type(message.format));
        if !proof.secrets.is_empty() {
            let signature = sign(proof.secrets, &message.id, now, &message.body);
            request = request
                .header(ID_HEADER, header(message.id.clone())?)
                .header(TIMESTAMP_HEADER, now.as_secs())
                .header(SIGNATURE_HEADER, header(signature)?);
        }
        if let Some(authorization) = proof.authorization {
            let mut value = header(authorization.to_owned())?;
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        if message.format == WebhookFormat::Set {
            // For the error of RFC 8935 section 2.3.
            request = request.header(ACCEPT, "application/json");
        }
        let request = request
            .body(Full::new(message.body.clone()))
            .map_err(|error| format!("the request cannot be made: {error}"))?;
        let stream = self.connect(endpoint, addresses).await?;
        if !endpoint.is_tls() {
            return answer(stream, request, message.format).await;
        }
        #[cfg(feature = "tls")]
        {
            let tls = self.tls.as_ref().ok_or("TLS cannot be set up: the log says why")?;
            let name = tokio_rustls::rustls::pki_types::ServerName::try_from(endpoint.host())
                .map_err(|_| "the host is no name of a certificate")?;
            let stream = tls.connect(name.to_owned(), stream).await;
            let stream = stream.map_err(|error| format!("TLS failed: {error}"))?;
            answer(stream, request, message.format).await
        }
        #[cfg(not(feature = "tls"))]
        Err("this server was built without TLS".to_owned())
    }

    /// Returns the addresses of a name.
    async fn resolve(&self, endpoint: &Endpoint) -> Result<Vec<SocketAddr>, String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("the name cannot be resolved: {error}");
        let permit = Arc::clone(&self.lookups).acquire_owned().await;
        let permit = permit.map_err(|error| failed(&error))?;
        let host = (endpoint.host().to_owned(), endpoint.port());
        let resolving = tokio::task::spawn_blocking(move || {
            let _until_it_ends = permit;
            host.to_socket_addrs().map(Vec::from_iter)
        });
        let found = resolving.await.map_err(|error| failed(&error))?;
        found.map_err(|error| failed(&error))
    }

    /// Connects to an address that is allowed.
    async fn connect(
        &self,
        endpoint: &Endpoint,
        addresses: &AddressPolicy,
    ) -> Result<TcpStream, String> {
        let found: Vec<SocketAddr> = match endpoint.address() {
            Some(address) => vec![SocketAddr::from((address, endpoint.port()))],
            None => self.resolve(endpoint).await?,
        };
        let is_allowed = |found: &&SocketAddr| addresses.allows(found.ip(), endpoint.is_tls());
        let allowed: Vec<_> = found.iter().filter(is_allowed).take(MAX_ADDRESSES).collect();
        if allowed.is_empty() {
            return Err(refused(found.first().map(SocketAddr::ip)));
        }
        let mut last = String::new();
        for address in allowed {
            match TcpStream::connect(address).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = format!("{address} cannot be reached: {error}"),
            }
        }
        Err(last)
    }
}

fn media_type(format: WebhookFormat) -> &'static str {
    match format {
        WebhookFormat::CloudEvents => CONTENT_TYPE_OF_EVENTS,
        WebhookFormat::Set => set::MEDIA_TYPE,
    }
}

fn refused(address: Option<IpAddr>) -> String {
    match address {
        Some(address) => format!(
            "{address} is not allowed: it is not public, or the URL is not https. An operator may allow its network \
             in allowed_networks of [webhooks], or of [signals] for a stream that its receiver manages"
        ),
        None => "the name has no address".to_owned(),
    }
}

async fn answer<S>(
    stream: S,
    request: Request<Full<Bytes>>,
    format: WebhookFormat,
) -> Result<Outcome, String>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| format!("the receiver does not speak HTTP: {error}");
    let (mut requests, connection) = http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // Dropped with this future, and then the connection is closed.
    let response = requests.send_request(request);
    tokio::pin!(connection, response);
    let mut is_ended = false;
    let response = tokio::select! {
        response = &mut response => response.map_err(failed)?,
        ended = &mut connection => {
            ended.map_err(failed)?;
            is_ended = true;
            response.await.map_err(failed)?
        }
    };
    let status = response.status().as_u16();
    let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| value.to_str().ok());
    let verdict = match format {
        WebhookFormat::CloudEvents => Verdict::of(status, retry_after),
        WebhookFormat::Set => Verdict::of_set(status, retry_after),
    };
    if verdict == Verdict::Delivered {
        return Ok(Outcome { verdict, status: Some(status), error: None });
    }
    let mut error = format!("the receiver answered {status}");
    match (format, status) {
        (_, 300..=399) => error.push_str(": redirects are not followed"),
        (WebhookFormat::Set, 200..=299) => {
            error.push_str(": only 202 says that it has a security event token (RFC 8935)");
        }
        (WebhookFormat::Set, 400..=499) => {
            let body = Limited::new(response.into_body(), set::MAX_ANSWER_BYTES).collect();
            let body = tokio::select! {
                body = body => body.ok(),
                // Closed before the body was whole.
                _ = &mut connection, if !is_ended => None,
            };
            if let Some(reason) = body.and_then(|body| set::rejection(&body.to_bytes())) {
                error = format!("{error}: {reason}");
            }
        }
        _ => {}
    }
    Ok(Outcome { verdict, status: Some(status), error: Some(error) })
}

/// Returns what opens connections with TLS, trusting the roots of the system.
#[cfg(feature = "tls")]
fn connector() -> Option<tokio_rustls::TlsConnector> {
    let config = super::tls::config(None);
    let config =
        config.inspect_err(|error| tracing::error!(error, "webhooks with https fail")).ok()?;
    Some(tokio_rustls::TlsConnector::from(Arc::new(config)))
}
