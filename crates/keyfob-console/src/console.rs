//! The console, and what all its requests share.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request as PageRequest;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use keyfob_client::{BuildError, Client, ClientBuilder, RetryPolicy};
use keyfob_core::{Clock, SystemClock, Timestamp};

use crate::dispatch;
use crate::session::Throttle;

/// The path of the console.
pub(crate) const PREFIX: &str = "/console";

type StartClient = dyn Fn(Origin) -> ClientBuilder + Send + Sync;

/// The console of one server.
///
/// ```
/// use keyfob_console::Console;
///
/// let console = Console::new(|_request| async {
///     // Pass the request to the routes of the server.
///     http::Response::new(http_body_util::Full::new(bytes::Bytes::new()))
/// });
/// let router: axum::Router = console.router();
/// ```
#[derive(Clone)]
pub struct Console {
    shared: Arc<Shared>,
}

/// What all requests share.
pub(crate) struct Shared {
    start_client: Box<StartClient>,
    pub(crate) throttle: Throttle,
    clock: SystemClock,
}

/// What a request to the API keeps of the request for the page: where it comes from, and its id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) extensions: http::Extensions,
    pub(crate) headers: http::HeaderMap,
}

impl Console {
    /// The path that all pages are below.
    pub const PATH: &'static str = PREFIX;

    /// Creates a console. `answer` gets each request to the HTTP API.
    pub fn new<F, A, B>(answer: F) -> Self
    where
        F: Fn(Request<Full<Bytes>>) -> A + Send + Sync + 'static,
        A: Future<Output = Response<B>> + Send + 'static,
        B: http_body_util::BodyExt<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let answer = Arc::new(answer);
        let start_client = move |origin: Origin| {
            let answer = Arc::clone(&answer);
            Client::in_process(move |mut request: Request<Full<Bytes>>| {
                request.extensions_mut().extend(origin.extensions.clone());
                request.headers_mut().extend(origin.headers.clone());
                answer(request)
            })
        };
        let shared = Shared {
            start_client: Box::new(start_client),
            throttle: Throttle::new(),
            clock: SystemClock::default(),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the pages, all below `/console`. Serve them with the address of the peer
    /// (`axum::extract::ConnectInfo<SocketAddr>`): attempts to sign in are counted by address.
    pub fn router(&self) -> Router {
        let shared = Arc::clone(&self.shared);
        let answer = move |request: PageRequest| {
            let shared = Arc::clone(&shared);
            async move { dispatch::answer(shared, request).await }
        };
        Router::new().fallback(any(answer))
    }
}

impl Shared {
    /// Returns a client of the API for one request, which has these credentials.
    pub(crate) fn client(
        &self,
        origin: Origin,
        bearer: Option<&str>,
    ) -> Result<Client, BuildError> {
        // The server is in this process: sending a request again would help nobody.
        let mut builder = (self.start_client)(origin).retry(RetryPolicy::default().max_attempts(1));
        if let Some(bearer) = bearer {
            builder = builder.bearer(bearer);
        }
        builder.build()
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}
