//! The console of a server: its pages, and the record of what the server does.

use std::convert::Infallible;
use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::extract::Request as PageRequest;
use axum::routing::any;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full, Limited};
use tokio::time::MissedTickBehavior;

use crate::activity;
use crate::dispatch;
use crate::shared::{Answering, Origin, PREFIX, Shared};

/// The maximum length of a metrics page in bytes.
const MAX_METRICS_BYTES: usize = 4 * 1024 * 1024;

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
        Self { shared: Arc::new(Shared::new(api)) }
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

    /// Returns the pages, all below `/console`. Give each request the address of the client as an extension
    /// (`std::net::IpAddr`): attempts to sign in are counted by address. Without it, all share one count.
    pub fn router(&self) -> Router {
        let shared = Arc::clone(&self.shared);
        let answer = move |request: PageRequest| {
            let shared = Arc::clone(&shared);
            async move { dispatch::answer(shared, request).await }
        };
        Router::new().fallback(any(answer))
    }
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Console")
    }
}
