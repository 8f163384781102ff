//! The console, and what all its requests share.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as PageRequest;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use keyfob_client::{BuildError, Client, RetryPolicy};
use keyfob_core::{Clock, SystemClock, Timestamp};
use tokio::time::MissedTickBehavior;

use crate::activity::{self, Activity};
use crate::dispatch;
use crate::session::Throttle;

/// The path of the console.
pub(crate) const PREFIX: &str = "/console";

/// The maximum length of a metrics page in bytes.
const MAX_METRICS_BYTES: usize = 4 * 1024 * 1024;

type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Answers requests to the API.
type Api = dyn Fn(Request<Full<Bytes>>) -> Answering + Send + Sync;

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
    api: Arc<Api>,
    pub(crate) throttle: Throttle,
    pub(crate) activity: Activity,
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
        B: http_body::Body<Data = Bytes> + Send + 'static,
        B::Error: Into<Box<dyn StdError + Send + Sync>>,
    {
        let api = move |request| -> Answering {
            let answer = answer(request);
            Box::pin(async move { answer.await.map(Body::new) })
        };
        let shared = Shared {
            api: Arc::new(api),
            throttle: Throttle::new(),
            activity: Activity::default(),
            clock: SystemClock,
        };
        Self { shared: Arc::new(shared) }
    }

    /// Remembers what the server does, for the charts of the overview. Run it beside the server. It never
    /// ends.
    pub async fn record_activity(&self) -> Infallible {
        let mut ticks = tokio::time::interval(activity::INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            ticks.tick().await;
            let Ok(request) = Request::get("/metrics").body(Full::default()) else { continue };
            let answer = self.shared.pass_on(Origin::default(), request).await;
            if !answer.status().is_success() {
                continue;
            }
            let Ok(page) = Limited::new(answer.into_body(), MAX_METRICS_BYTES).collect().await
            else {
                continue;
            };
            let page = String::from_utf8_lossy(&page.to_bytes()).into_owned();
            self.shared.activity.record(&page, self.shared.now());
        }
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

impl Origin {
    fn give_to(self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        request.extensions_mut().extend(self.extensions);
        request.headers_mut().extend(self.headers);
        request
    }
}

impl Shared {
    /// Returns a client of the API for one request, which has these credentials.
    pub(crate) fn client(
        &self,
        origin: Origin,
        bearer: Option<&str>,
    ) -> Result<Client, BuildError> {
        let api = Arc::clone(&self.api);
        let client = Client::in_process(move |request| api(origin.clone().give_to(request)));
        // The server is in this process: sending a request again would help nobody.
        let mut builder = client.retry(RetryPolicy::default().max_attempts(1));
        if let Some(bearer) = bearer {
            builder = builder.bearer(bearer);
        }
        builder.build()
    }

    /// Answers a request to the API as the API does.
    pub(crate) async fn pass_on(
        &self,
        origin: Origin,
        request: Request<Full<Bytes>>,
    ) -> Response<Body> {
        (self.api)(origin.give_to(request)).await
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
