//! What all connections of a server share.

use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use keyfob::metrics::HttpMetrics;
use tokio::sync::Semaphore;

use super::bounds::ConnectionBounds;
use super::face::Face;
use super::phase::Phases;
#[cfg(feature = "tls")]
use super::tls::Certificates;

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shares {
    current: RwLock<Arc<Current>>,
    pub(super) phases: Arc<Phases>,
    pub(super) requests: Semaphore,
    pub(super) connections: Arc<Semaphore>,
    pub(super) max_connections: usize,
    pub(super) metrics: HttpMetrics,
}

/// What a new configuration replaces. A request continues with what it began with.
#[derive(Debug)]
struct Current {
    routers: [Router; 3],
    bounds: ConnectionBounds,
}

/// What the connections of one listener share.
#[derive(Debug)]
pub(crate) struct Accepting {
    pub(super) shares: Arc<Shares>,
    pub(super) face: Face,
    #[cfg(feature = "tls")]
    pub(super) tls: Option<Arc<Certificates>>,
}

impl Shares {
    pub(crate) fn new(
        routers: impl Fn(Face) -> Router,
        bounds: ConnectionBounds,
        phases: Arc<Phases>,
        metrics: HttpMetrics,
    ) -> Self {
        let max_connections = bounds.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            requests: Semaphore::new(bounds.max_requests.clamp(1, Semaphore::MAX_PERMITS)),
            connections: Arc::new(Semaphore::new(max_connections)),
            max_connections,
            metrics,
            current: RwLock::new(Arc::new(Current::new(routers, bounds))),
            phases,
        }
    }

    /// Uses other routes and other bounds from now on. The maximum numbers of connections and of
    /// requests stay.
    pub(crate) fn replace(&self, routers: impl Fn(Face) -> Router, bounds: ConnectionBounds) {
        let next = Arc::new(Current::new(routers, bounds));
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = next;
    }

    fn current(&self) -> Arc<Current> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Returns the routes of a side.
    pub(crate) fn router(&self, face: Face) -> Router {
        self.current().routers[face as usize].clone()
    }

    pub(super) fn bounds(&self) -> ConnectionBounds {
        self.current().bounds
    }

    pub(super) fn open_connections(&self) -> usize {
        self.max_connections - self.connections.available_permits()
    }
}

impl Current {
    fn new(routers: impl Fn(Face) -> Router, bounds: ConnectionBounds) -> Self {
        // In the order of the variants.
        let routers = [Face::All, Face::Public, Face::Management].map(routers);
        Self { routers, bounds }
    }
}
