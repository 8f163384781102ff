//! The server: a manager, its settings, and the connections.

use std::io;
use std::sync::{Arc, OnceLock};

use axum::Router;
use bytes::Bytes;
use keyfob::metrics::HttpMetrics;
use keyfob::{InvalidValue, TokenManager};
use keyfob_tower::UsedOnce;
use keyfob_tower::dpop::Dpop;
use tokio::net::TcpListener;

use crate::access::assertion;
use crate::access::caller::Authenticator;
use crate::jwt::state::JwtState;
use crate::listen::phase::Phases;
use crate::listen::{self, Drained, Face, Listener, Shares};
use crate::openapi::document;
use crate::pages::{LocalApi, Mounted, Pages};
use crate::readiness::StoreReadiness;
use crate::routes;
use crate::routes::table::routes;
use crate::routes::trace::ContinueTrace;
use crate::routes::waiting::Forwarding;
use crate::settings::{DpopSettings, Settings};
use crate::shared::{RenderMetrics, Shared};
use crate::webhooks::Registry;

/// Returns the OpenAPI document of the service: what `GET /openapi.json` answers.
pub fn openapi_document() -> serde_json::Value {
    document(&routes())
}

/// A server over a manager. Cloning is cheap, and the clones share everything.
#[derive(Clone, Debug)]
pub struct Server {
    shares: Arc<Shares>,
    parts: Parts,
}

/// What a server keeps when its settings are replaced.
#[derive(Clone)]
struct Parts {
    manager: TokenManager,
    /// The OpenAPI document.
    openapi: Bytes,
    metrics: HttpMetrics,
    render_metrics: Option<RenderMetrics>,
    continue_trace: Arc<OnceLock<ContinueTrace>>,
    readiness: Arc<StoreReadiness>,
    phases: Arc<Phases>,
    pages: Mounted,
    dpop: Option<Dpop>,
    /// The assertions of clients that were used.
    used: Option<UsedOnce>,
    webhooks: Arc<Registry>,
    jwt: Arc<JwtState>,
    forwarding: Arc<Forwarding>,
}

impl Server {
    /// Creates a server.
    pub fn new(manager: TokenManager, settings: Settings) -> Self {
        Self::with_metrics(manager, settings, None)
    }

    /// Creates a server whose route `/metrics` answers with what `render_metrics` returns. Its own metrics are
    /// at the recorder that is installed now.
    pub fn with_metrics(
        manager: TokenManager,
        settings: Settings,
        render_metrics: Option<RenderMetrics>,
    ) -> Self {
        let openapi = openapi_document().to_string().into();
        let phases = Arc::new(Phases::new());
        let metrics = HttpMetrics::global();
        let (dpop, used) = (dpop_of(&manager), used_of(&manager));
        let max_requests = settings.bounds.max_requests;
        let webhooks = settings.webhooks.clone();
        let webhooks = Registry::new(manager.clone(), webhooks, max_requests, metrics.clone());
        let parts = Parts {
            manager,
            dpop,
            used,
            webhooks,
            jwt: Arc::default(),
            forwarding: Arc::new(Forwarding::new(max_requests)),
            openapi,
            metrics,
            render_metrics,
            continue_trace: Arc::default(),
            readiness: Arc::default(),
            phases,
            pages: Mounted::default(),
        };
        let (bounds, phases) = (settings.bounds, Arc::clone(&parts.phases));
        let metrics = parts.metrics.clone();
        let shares = Shares::new(parts.routers(settings), bounds, phases, metrics);
        Self { shares: Arc::new(shares), parts }
    }

    /// Continues the traces of callers: `continue_trace` gets the span of each request that has a valid
    /// `traceparent`, before the span starts. Only the first call counts.
    ///
    /// The spans are those of [`TRACE_TARGET`](crate::TRACE_TARGET). With `tracing-opentelemetry`,
    /// `continue_trace` sets the parent of the span.
    pub fn continue_traces(&self, continue_trace: ContinueTrace) {
        let _first_counts = self.parts.continue_trace.set(continue_trace);
    }

    /// Shows pages beside the routes, on the side of management. Only the first call counts.
    pub fn show(&self, pages: Pages) {
        self.parts.pages.set(pages);
    }

    /// Returns a way to call the routes in this process, for pages.
    pub fn local_api(&self) -> LocalApi {
        LocalApi::new(&self.shares)
    }

    /// Returns the routes as a service of axum, to mount them in a server of your own. Serve it with
    /// `into_make_service_with_connect_info::<SocketAddr>()`: without the address of the peer, failed
    /// attempts cannot be counted by address.
    ///
    /// The bounds on connections are then those of that server.
    pub fn router(&self) -> Router {
        self.shares.router(Face::All)
    }

    /// Uses other settings from now on. Requests that run continue with those that they began with.
    ///
    /// [`ConnectionBounds::max_connections`](crate::listen::ConnectionBounds::max_connections) and
    /// [`ConnectionBounds::max_requests`](crate::listen::ConnectionBounds::max_requests) stay as they are.
    pub fn reload(&self, settings: Settings) {
        let bounds = settings.bounds;
        self.shares.replace(self.parts.routers(settings), bounds);
    }

    /// Sends events to the receivers of webhooks, until `stop` completes. One replica at a time delivers for each
    /// subscription. Without a call of this, subscriptions are kept and nothing is sent.
    pub async fn deliver_webhooks(&self, stop: impl Future<Output = ()>) {
        Arc::clone(&self.parts.webhooks).run(stop).await;
    }

    /// Serves every route at one address, without TLS. See [`Server::serve_all`].
    ///
    /// # Errors
    /// None at present.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send,
    ) -> io::Result<()> {
        let Drained { cut: _ } = self.serve_all(vec![Listener::new(listener)], shutdown).await;
        Ok(())
    }

    /// Serves connections until `shutdown` completes, then ends streams of events and lets the other
    /// requests finish, for as long as the settings allow.
    ///
    /// A server serves once. Connections that the system accepted before the end are served too.
    pub async fn serve_all(
        &self,
        listeners: Vec<Listener>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Drained {
        listen::serve(&self.shares, listeners, shutdown).await
    }
}

impl Parts {
    /// Returns the routes of each side under these settings.
    fn routers(&self, settings: Settings) -> impl Fn(Face) -> Router + use<> {
        self.webhooks.transmit_as(settings.issuer.as_ref(), &settings.jwt);
        let shared = Arc::new(Shared {
            manager: self.manager.clone(),
            authenticator: Authenticator::new(
                settings.public_clients.clone(),
                self.used.clone(),
                self.metrics.clone(),
            ),
            limits: Shared::limits_of(&settings, &self.manager),
            dpop: self.dpop.clone().and_then(|dpop| with_settings(dpop, settings.dpop)),
            jwt: Arc::clone(&self.jwt),
            forwarding: Arc::clone(&self.forwarding),
            settings,
            metrics: self.metrics.clone(),
            openapi: self.openapi.clone(),
            render_metrics: self.render_metrics.clone(),
            continue_trace: Arc::clone(&self.continue_trace),
            readiness: Arc::clone(&self.readiness),
            phases: Arc::clone(&self.phases),
            pages: self.pages.clone(),
            webhooks: Arc::clone(&self.webhooks),
        });
        move |face| routes::router(&shared, face)
    }
}

/// Returns what checks proofs of possession, if the manager has a store that remembers those that were used.
fn dpop_of(manager: &TokenManager) -> Option<Dpop> {
    let used = Arc::clone(manager.limiter()?.store());
    Dpop::new(manager, used).inspect_err(refuse_proofs).ok()
}

/// Returns what remembers the assertions of clients that were used, under the same condition.
fn used_of(manager: &TokenManager) -> Option<UsedOnce> {
    let store = Arc::clone(manager.limiter()?.store());
    UsedOnce::new(store, assertion::WINDOW).inspect_err(refuse_proofs).ok()
}

fn with_settings(dpop: Dpop, settings: DpopSettings) -> Option<Dpop> {
    let dpop = dpop.policy(settings.policy).inspect_err(refuse_proofs).ok()?;
    Some(if settings.needs_nonce { dpop.require_nonce() } else { dpop })
}

fn refuse_proofs(invalid: &InvalidValue) {
    tracing::error!(%invalid, "proofs of possession are refused: their times are not valid");
}

impl std::fmt::Debug for Parts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parts").field("manager", &self.manager).finish_non_exhaustive()
    }
}
