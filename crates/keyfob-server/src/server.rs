//! The server: a manager, its settings, and the connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use keyfob::TokenManager;
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::access::caller::Authenticator;
use crate::openapi::document;
use crate::routes;
use crate::routes::table::routes;
use crate::settings::Settings;
use crate::shared::{RenderMetrics, Shared};

/// Returns the OpenAPI document of the service: what `GET /openapi.json` answers.
pub fn openapi_document() -> serde_json::Value {
    document(&routes())
}

/// A server over a manager. Cloning is cheap, and the clones share everything.
#[derive(Clone, Debug)]
pub struct Server {
    shared: Arc<Shared>,
}

impl Server {
    /// Creates a server.
    pub fn new(manager: TokenManager, settings: Settings) -> Self {
        Self::with_metrics(manager, settings, None)
    }

    /// Creates a server whose route `/metrics` answers with what `render` returns.
    pub fn with_metrics(
        manager: TokenManager,
        settings: Settings,
        render_metrics: Option<RenderMetrics>,
    ) -> Self {
        let authenticator = Authenticator::new(settings.public_clients.clone());
        let draining = watch::Sender::new(false);
        let openapi = openapi_document().to_string().into();
        let shared = Shared { manager, authenticator, settings, openapi, render_metrics, draining };
        Self { shared: Arc::new(shared) }
    }

    /// Returns the routes as a service of axum, to mount them in a server of your own. Serve it with
    /// `into_make_service_with_connect_info::<SocketAddr>()`: without the address of the peer, failed
    /// attempts cannot be counted by address.
    pub fn router(&self) -> Router {
        routes::router(&self.shared)
    }

    /// Serves connections until `shutdown` completes, then ends streams of events and lets the other
    /// requests finish.
    ///
    /// # Errors
    /// If the listener fails.
    pub async fn serve(
        &self,
        listener: TcpListener,
        shutdown: impl Future<Output = ()> + Send + 'static,
    ) -> io::Result<()> {
        let shared = Arc::clone(&self.shared);
        let shutdown = async move {
            shutdown.await;
            shared.draining.send_replace(true);
        };
        let service = self.router().into_make_service_with_connect_info::<SocketAddr>();
        axum::serve(listener, service).with_graceful_shutdown(shutdown).await
    }
}
