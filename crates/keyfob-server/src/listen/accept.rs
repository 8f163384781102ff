//! The loop that accepts connections, and what all connections of a server share.

use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use axum::Router;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::bounds::ConnectionBounds;
use super::connection;
use super::face::Face;
use super::phase::{Phase, Phases, reached};
#[cfg(feature = "tls")]
use super::tls::Certificates;

/// An address that a server listens on.
#[derive(Debug)]
pub struct Listener {
    tcp: TcpListener,
    face: Face,
    #[cfg(feature = "tls")]
    tls: Option<Arc<Certificates>>,
}

/// How a server ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct Drained {
    /// How many connections were cut, because their requests took longer than the server waits.
    pub cut: usize,
}

/// What all connections of a server share.
#[derive(Debug)]
pub(crate) struct Shares {
    current: RwLock<Arc<Current>>,
    pub(super) phases: Arc<Phases>,
    pub(super) requests: Semaphore,
    connections: Arc<Semaphore>,
    max_connections: usize,
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

impl Listener {
    /// Returns a listener without TLS for every route.
    pub fn new(tcp: TcpListener) -> Self {
        Self {
            tcp,
            face: Face::All,
            #[cfg(feature = "tls")]
            tls: None,
        }
    }

    /// Sets which routes it serves.
    #[must_use]
    pub fn face(self, face: Face) -> Self {
        Self { face, ..self }
    }

    /// Sets the certificates.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, certificates: Arc<Certificates>) -> Self {
        Self { tls: Some(certificates), ..self }
    }

    /// Returns the address.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

impl Shares {
    pub(crate) fn new(
        routers: impl Fn(Face) -> Router,
        bounds: ConnectionBounds,
        phases: Arc<Phases>,
    ) -> Self {
        let max_connections = bounds.max_connections.clamp(1, Semaphore::MAX_PERMITS);
        Self {
            requests: Semaphore::new(bounds.max_requests.clamp(1, Semaphore::MAX_PERMITS)),
            connections: Arc::new(Semaphore::new(max_connections)),
            max_connections,
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

    fn open_connections(&self) -> usize {
        self.max_connections - self.connections.available_permits()
    }

    /// Serves the listeners until `shutdown` completes, and lets the requests finish.
    pub(crate) async fn serve(
        self: &Arc<Self>,
        listeners: Vec<Listener>,
        shutdown: impl Future<Output = ()> + Send,
    ) -> Drained {
        let mut tasks = Vec::new();
        for listener in listeners {
            let accepting = Arc::new(Accepting {
                shares: Arc::clone(self),
                face: listener.face,
                #[cfg(feature = "tls")]
                tls: listener.tls,
            });
            tasks.push(tokio::spawn(accept(accepting, listener.tcp)));
        }
        shutdown.await;
        let delay = self.bounds().drain_delay;
        self.phases.enter(Phase::Leaving);
        if !delay.is_zero() {
            tracing::info!(?delay, "the server leaves: it is no longer ready");
            tokio::time::sleep(delay).await;
        }
        self.phases.enter(Phase::Draining);
        for task in tasks {
            if let Err(error) = task.await {
                tracing::error!(%error, "a listener failed");
            }
        }
        self.drain().await
    }

    /// Waits until no connection is left, or until the time for it is over.
    async fn drain(&self) -> Drained {
        let (open, timeout) = (self.open_connections(), self.bounds().drain_timeout);
        tracing::info!(
            connections = open,
            ?timeout,
            "the server drains: it waits for its requests"
        );
        let all = u32::try_from(self.max_connections).unwrap_or(u32::MAX);
        let cut = match tokio::time::timeout(timeout, self.connections.acquire_many(all)).await {
            Ok(_) => 0,
            Err(_) => self.open_connections(),
        };
        self.phases.enter(Phase::Ended);
        match cut {
            0 => tracing::info!("the server has drained"),
            cut => tracing::warn!(connections = cut, "connections are cut: they took too long"),
        }
        Drained { cut }
    }
}

impl Current {
    fn new(routers: impl Fn(Face) -> Router, bounds: ConnectionBounds) -> Self {
        // In the order of the variants.
        let routers = [Face::All, Face::Public, Face::Management].map(routers);
        Self { routers, bounds }
    }
}

/// Accepts connections until the server drains.
async fn accept(accepting: Arc<Accepting>, listener: TcpListener) {
    let mut phases = accepting.shares.phases.subscribe();
    loop {
        let next = async {
            let permit = room(&accepting.shares).await;
            (permit, listener.accept().await)
        };
        let (permit, accepted) = tokio::select! {
            biased;
            () = reached(&mut phases, Phase::Draining) => break,
            next = next => next,
        };
        match accepted {
            Ok((stream, peer)) => spawn(&accepting, stream, peer, permit),
            Err(error) => refused(&error).await,
        }
    }
    // The system has completed these connections: their clients may have sent a request.
    let Ok(listener) = listener.into_std() else { return };
    while let Ok((stream, peer)) = listener.accept() {
        let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
        let permit = Arc::clone(&accepting.shares.connections).try_acquire_owned();
        if let (Ok(stream), Ok(permit)) = (stream, permit) {
            spawn(&accepting, stream, peer, Some(permit));
        }
    }
}

/// Waits until there is room for one more connection.
async fn room(shares: &Shares) -> Option<OwnedSemaphorePermit> {
    if shares.connections.available_permits() == 0 {
        let max = shares.max_connections;
        tracing::warn!(max, "the server has as many connections as it may have: others wait");
    }
    Arc::clone(&shares.connections).acquire_owned().await.ok()
}

fn spawn(
    accepting: &Arc<Accepting>,
    stream: TcpStream,
    peer: SocketAddr,
    permit: Option<OwnedSemaphorePermit>,
) {
    let serving = connection::serve(Arc::clone(accepting), stream, peer);
    tokio::spawn(async move {
        serving.await;
        drop(permit);
    });
}

/// Waits after a connection could not be accepted, unless the fault is the connection's own.
async fn refused(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset, Interrupted};
    if matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset | Interrupted)
    {
        return;
    }
    // Such as too many open files: other connections have to end first.
    tracing::error!(%error, "no connection can be accepted");
    tokio::time::sleep(Duration::from_secs(1)).await;
}
