//! What all requests share: the API, and the clock; and what a request to the API keeps of the one for a
//! page.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use http::header::FORWARDED;
use http::{HeaderName, Request, Response};
use http_body_util::Full;
use keyfob_client::{BuildError, Client, RetryPolicy};
use keyfob_core::{Clock as _, SystemClock, Timestamp, Ttl};

use crate::activity::Activity;
use crate::session::Throttle;

/// The path of the console.
pub(crate) const PREFIX: &str = "/console";

/// How long the API may take. It may wait 15 s for the receiver of a webhook, and then there is an answer.
const MAX_ANSWER_TIME: Duration = Duration::from_secs(20);

/// The headers of a request for a page that the API gets too: they name the client, its certificate, and the request.
/// The API believes them as far as it would if they came straight to it.
const PASSED_ON: [HeaderName; 6] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("client-cert"),
    HeaderName::from_static("x-forwarded-client-cert"),
    HeaderName::from_static("ssl-client-cert"),
    HeaderName::from_static("x-request-id"),
];

pub(crate) type Answering = Pin<Box<dyn Future<Output = Response<Body>> + Send>>;

/// Answers requests to the API.
type Api = dyn Fn(Request<Full<Bytes>>) -> Answering + Send + Sync;

/// What all requests share.
pub(crate) struct Shared {
    api: Arc<Api>,
    pub(crate) throttle: Throttle,
    pub(crate) activity: Activity,
    /// How long after a revocation this server may still accept a token. The API says it to some only.
    pub(crate) max_staleness: OnceLock<Ttl>,
    clock: SystemClock,
}

/// What a request to the API keeps of the request for the page: where it comes from, and its id.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) extensions: http::Extensions,
    pub(crate) headers: http::HeaderMap,
}

impl Origin {
    fn give_to(self, mut request: Request<Full<Bytes>>) -> Request<Full<Bytes>> {
        request.extensions_mut().extend(self.extensions);
        request.headers_mut().extend(self.headers);
        request
    }
}

impl Shared {
    pub(crate) fn new(
        api: impl Fn(Request<Full<Bytes>>) -> Answering + Send + Sync + 'static,
    ) -> Self {
        Self {
            api: Arc::new(api),
            throttle: Throttle::new(),
            activity: Activity::default(),
            max_staleness: OnceLock::new(),
            clock: SystemClock,
        }
    }

    /// Returns a client of the API for one request, which has these credentials.
    pub(crate) fn client(
        &self,
        origin: Origin,
        bearer: Option<&str>,
    ) -> Result<Client, BuildError> {
        let api = Arc::clone(&self.api);
        let client = Client::in_process(move |request| api(origin.clone().give_to(request)));
        // The server is in this process: sending a request again would help nobody.
        let mut builder =
            client.retry(RetryPolicy::default().max_attempts(1)).timeout(MAX_ANSWER_TIME);
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

/// Returns what the API has to know of where a request comes from.
pub(crate) fn origin_of(headers: &http::HeaderMap, extensions: &http::Extensions) -> Origin {
    let mut origin = Origin { extensions: extensions.clone(), ..Origin::default() };
    for name in PASSED_ON {
        for value in headers.get_all(&name) {
            origin.headers.append(&name, value.clone());
        }
    }
    origin
}
