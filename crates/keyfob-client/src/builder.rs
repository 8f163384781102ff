//! Building a client.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::HeaderValue;
use http_body_util::Full;
use keyfob_api::SecretText;

use crate::base_url::{BaseUrl, InvalidBaseUrl};
use crate::budget::RetryBudget;
use crate::client::{Client, Inner};
use crate::credentials::Credentials;
use crate::in_process::InProcess;
use crate::retry::RetryPolicy;
#[cfg(feature = "tls")]
use crate::tls::{Tls, TlsError};
use crate::transport::{Connector, Route, Timeouts, Transport, tcp};

/// Builds a [`Client`].
///
/// ```
/// use std::time::Duration;
/// use keyfob_client::{Client, RetryPolicy};
///
/// let client = Client::builder("http://127.0.0.1:8700")
///     .bearer("fob_ak_…".replace('…', "x"))
///     .timeout(Duration::from_secs(2))
///     .retry(RetryPolicy::default().max_attempts(6))
///     .build()?;
/// # Ok::<(), keyfob_client::BuildError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct ClientBuilder {
    url: String,
    server: Server,
    key: Key,
    timeouts: Timeouts,
    retry: RetryPolicy,
    user_agent: String,
    #[cfg(feature = "tls")]
    tls: Tls,
}

#[derive(Debug)]
enum Key {
    None,
    Value(SecretText),
    File(PathBuf),
}

#[derive(Debug)]
enum Server {
    Network,
    InProcess(InProcess),
}

/// Why a client cannot be built. It contains no secret.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The URL is not that of a server.
    #[error("the URL of the server is not valid: {0}")]
    Url(String),
    /// The key is no text for a header.
    #[error("the key of the client is not valid: it is empty, or has a character that no key has")]
    Key,
    /// The name of the user agent is no text for a header.
    #[error("the name of the user agent is not valid")]
    UserAgent,
    /// The URL is for TLS, and this client was built without it.
    #[error("the URL begins with https, and this client was built without the feature tls")]
    NoTls,
    /// A certificate or a key is not valid.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl From<InvalidBaseUrl> for BuildError {
    fn from(invalid: InvalidBaseUrl) -> Self {
        Self::Url(invalid.to_string())
    }
}

impl Client {
    /// Starts to build a client of the server at this URL.
    pub fn builder(url: impl Into<String>) -> ClientBuilder {
        ClientBuilder::new(url.into(), Server::Network)
    }

    /// Starts to build a client of a server in the same process: `answer` gets each request, and no
    /// connection is made.
    ///
    /// ```
    /// use http_body_util::Full;
    /// use keyfob_client::Client;
    ///
    /// let client = Client::in_process(|request| async move {
    ///     assert_eq!(request.uri().path(), "/v1/stats");
    ///     http::Response::new(Full::new(bytes::Bytes::from("{}")))
    /// })
    /// .build()?;
    /// # let _stats = client.stats();
    /// # Ok::<(), keyfob_client::BuildError>(())
    /// ```
    pub fn in_process<F, A, B>(answer: F) -> ClientBuilder
    where
        F: Fn(http::Request<Full<Bytes>>) -> A + Send + Sync + 'static,
        A: Future<Output = http::Response<B>> + Send + 'static,
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    {
        let server = Server::InProcess(InProcess::new(answer));
        ClientBuilder::new("http://in-process".to_owned(), server)
    }
}

impl ClientBuilder {
    fn new(url: String, server: Server) -> Self {
        let timeouts =
            Timeouts { connect: Duration::from_secs(3), attempt: Duration::from_secs(10) };
        Self {
            url,
            server,
            key: Key::None,
            timeouts,
            retry: RetryPolicy::default(),
            user_agent: concat!("keyfob-client/", env!("CARGO_PKG_VERSION")).to_owned(),
            #[cfg(feature = "tls")]
            tls: Tls::new(),
        }
    }

    /// Authenticates with this API key, or with an access token that was derived from one.
    pub fn bearer(self, bearer: impl Into<String>) -> Self {
        Self { key: Key::Value(SecretText::new(bearer)), ..self }
    }

    /// Authenticates with the API key in this file. It is read again every ten seconds while the
    /// client is used, and when the server does not accept the key, so a key can be replaced.
    pub fn bearer_file(self, path: impl Into<PathBuf>) -> Self {
        Self { key: Key::File(path.into()), ..self }
    }

    /// Sets the maximum time of one attempt: until its answer is read, or a stream begins. Default:
    /// 10 s.
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.attempt = timeout;
        self
    }

    /// Sets the maximum time until there is a connection. Default: 3 s.
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.timeouts.connect = timeout;
        self
    }

    /// Sets how often requests are sent again.
    pub fn retry(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// Sets the name by which the server's log knows the client.
    pub fn user_agent(self, name: impl Into<String>) -> Self {
        Self { user_agent: name.into(), ..self }
    }

    /// Sets whom to trust, and the certificate of the client. Default: the roots of the system.
    #[cfg(feature = "tls")]
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls, ..self }
    }

    /// Builds the client. It connects when it sends its first request.
    ///
    /// # Errors
    /// If a setting is not valid.
    pub fn build(self) -> Result<Client, BuildError> {
        let base = BaseUrl::parse(&self.url)?;
        let credentials = match &self.key {
            Key::None => None,
            Key::Value(bearer) => {
                Some(Arc::new(Credentials::value(bearer).ok_or(BuildError::Key)?))
            }
            Key::File(path) => Some(Arc::new(Credentials::file(path.clone()))),
        };
        let user_agent =
            HeaderValue::try_from(&self.user_agent).map_err(|_| BuildError::UserAgent)?;
        let route = match &self.server {
            Server::Network => Route::network(self.connector(&base)?),
            Server::InProcess(server) => Route::InProcess(server.clone()),
        };
        let inner = Inner {
            transport: Arc::new(Transport::new(base, route, self.timeouts, user_agent)),
            credentials,
            retry: self.retry,
            budget: RetryBudget::new(),
        };
        Ok(Client { inner: Arc::new(inner) })
    }

    #[cfg(feature = "tls")]
    fn connector(&self, base: &BaseUrl) -> Result<Connector, BuildError> {
        let config = match base.is_tls {
            true => self.tls.config()?,
            false => Tls::without_roots()?,
        };
        let connector = hyper_rustls::HttpsConnectorBuilder::new().with_tls_config(config);
        let connector = connector.https_or_http().enable_all_versions();
        Ok(connector.wrap_connector(tcp(self.timeouts)))
    }

    #[cfg(not(feature = "tls"))]
    fn connector(&self, base: &BaseUrl) -> Result<Connector, BuildError> {
        if base.is_tls { Err(BuildError::NoTls) } else { Ok(tcp(self.timeouts)) }
    }
}
