//! A server on a free port of the loopback, a client, and a store that can fail.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use axum::Router;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::BodyExt;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keyfob::clock::ManualClock;
use keyfob::random::OsRandom;
use keyfob::store::LaneCount;
use keyfob::store::*;
use keyfob::{
    Grant, Issued, Kind, LimitPolicy, Limits, LocalLimits, MemoryStore, Metrics, Store, Timestamp,
    TokenId, TokenManager,
};
use keyfob_testkit::recorder::MemoryRecorder;

/// A manager over a store that can fail, with a clock that is set by hand.
pub(crate) struct Bench {
    pub(crate) manager: TokenManager,
    pub(crate) clock: ManualClock,
    pub(crate) store: Arc<Failing>,
    pub(crate) metrics: MemoryRecorder,
}

pub(crate) fn bench() -> Bench {
    limited([])
}

pub(crate) fn limited(policies: impl IntoIterator<Item = LimitPolicy>) -> Bench {
    let clock = ManualClock::new(Timestamp::from_millis(1_795_000_000_000));
    let memory = MemoryStore::with(LaneCount::ONE, Arc::new(clock.clone()), &OsRandom).unwrap();
    let store = Arc::new(Failing { inner: memory, is_down: AtomicBool::new(false) });
    let counters = LocalLimits::with(1_000, clock.clone());
    let limits = policies.into_iter().try_fold(Limits::new(counters), Limits::policy).unwrap();
    let metrics = MemoryRecorder::default();
    let manager = TokenManager::builder(Arc::clone(&store) as Arc<dyn Store>)
        .clock(clock.clone())
        .limits(limits)
        .metrics(Metrics::on(&metrics))
        .build();
    Bench { manager, clock, store, metrics }
}

impl Bench {
    pub(crate) async fn issue(&self, grant: Grant) -> Issued {
        self.manager.issue(grant).await.unwrap()
    }

    /// An access token for the audience `shop` with the scope `read`.
    pub(crate) async fn access(&self) -> Issued {
        self.issue(grant()).await
    }
}

pub(crate) fn grant() -> Grant {
    Grant::new(Kind::Access).subject("user123").audience("shop").scope("read")
}

/// Serves a router on a free port, until the test ends.
pub(crate) async fn serve(app: Router) -> SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = app.into_make_service_with_connect_info::<SocketAddr>();
    tokio::spawn(async move { axum::serve(listener, service).await });
    address
}

/// The response of a server.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap()
    }
}

pub(crate) async fn get(address: SocketAddr, path: &str, headers: &[(&str, &str)]) -> Answer {
    send(address, Method::GET, path, headers, "").await
}

pub(crate) async fn send(
    address: SocketAddr,
    method: Method,
    path: &str,
    headers: &[(&str, &str)],
    body: &str,
) -> Answer {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(format!("http://{address}{path}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(body.to_owned()).unwrap();
    let response: Response<_> = client.request(request).await.unwrap();
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let body = String::from_utf8(body.to_vec()).unwrap();
    Answer { status: parts.status, headers: parts.headers, body }
}

pub(crate) fn bearer(issued: &Issued) -> String {
    format!("Bearer {}", issued.bearer.expose())
}

/// A store that fails while it is down.
#[derive(Debug)]
pub(crate) struct Failing {
    inner: MemoryStore,
    is_down: AtomicBool,
}

impl Failing {
    pub(crate) fn fail(&self) {
        self.is_down.store(true, Ordering::SeqCst);
    }
}

impl StoreWrapper for Failing {
    fn inner(&self) -> &dyn Store {
        &self.inner
    }
}

#[async_trait]
impl RecordStore for Failing {
    keyfob::store::forward_store! {
        namespace insert replace consume touch revoke advance stamp time_of
    }

    async fn load(&self, id: TokenId) -> Result<Option<Loaded>, StoreError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(StoreError::unavailable("connection refused by 10.9.8.7"));
        }
        self.inner.load(id).await
    }
}

#[async_trait]
impl TermIndex for Failing {
    keyfob::store::forward_store! { query heads count }
}

#[async_trait]
impl EventLog for Failing {
    keyfob::store::forward_store! { observe entries latest }
}

#[async_trait]
impl Counting for Failing {
    keyfob::store::forward_store! { tallies }
}

#[async_trait]
impl Resealing for Failing {
    keyfob::store::forward_store! { reseal min_key_version raise_min_key_version }
}

#[async_trait]
impl Documents for Failing {
    keyfob::store::forward_store! { read_document write_document list_documents }
}

#[async_trait]
impl Invalidations for Failing {
    keyfob::store::forward_store! { watch }
}

#[async_trait]
impl Maintenance for Failing {
    keyfob::store::forward_store! { report metrics close }
}
