//! The loop that accepts connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
#[cfg(unix)]
use tokio::net::UnixListener;
use tokio::sync::OwnedSemaphorePermit;

use super::connection;
use super::face::Face;
use super::phase::{Phase, reached};
use super::shares::{Accepting, Shares};
use super::socket::{Socket, Stream};
#[cfg(feature = "tls")]
use super::tls::Certificates;

/// An address that a server listens on.
#[derive(Debug)]
pub struct Listener {
    socket: Socket,
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

impl Listener {
    /// Returns a listener without TLS for every route.
    pub fn new(tcp: TcpListener) -> Self {
        Self::over(Socket::Tcp(tcp))
    }

    /// Returns a listener for every route at a Unix socket. Its clients count as clients at 127.0.0.1.
    #[cfg(unix)]
    pub fn unix(socket: UnixListener) -> Self {
        Self::over(Socket::Unix(socket))
    }

    fn over(socket: Socket) -> Self {
        Self {
            socket,
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

    /// Sets the certificates. A Unix socket has none.
    #[cfg(feature = "tls")]
    #[must_use]
    pub fn tls(self, certificates: Arc<Certificates>) -> Self {
        Self { tls: Some(certificates), ..self }
    }

    /// Returns the address; 127.0.0.1 and port 0 for a Unix socket.
    ///
    /// # Errors
    /// If the system does not know it.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }
}

/// Serves the listeners until `shutdown` completes, and lets the requests finish.
pub(crate) async fn serve(
    shares: &Arc<Shares>,
    listeners: Vec<Listener>,
    shutdown: impl Future<Output = ()> + Send,
) -> Drained {
    let mut tasks = Vec::new();
    for listener in listeners {
        let accepting = Arc::new(Accepting {
            shares: Arc::clone(shares),
            face: listener.face,
            #[cfg(feature = "tls")]
            tls: listener.tls,
        });
        tasks.push(tokio::spawn(accept(accepting, listener.socket)));
    }
    shutdown.await;
    let delay = shares.bounds().drain_delay;
    shares.phases.enter(Phase::Leaving);
    if !delay.is_zero() {
        tracing::info!(?delay, "the server leaves: it is no longer ready");
        tokio::time::sleep(delay).await;
    }
    shares.phases.enter(Phase::Draining);
    for task in tasks {
        if let Err(error) = task.await {
            tracing::error!(%error, "a listener failed");
        }
    }
    drain(shares).await
}

/// Waits until no connection is left, or until the time for it is over.
async fn drain(shares: &Shares) -> Drained {
    let (open, timeout) = (shares.open_connections(), shares.bounds().drain_timeout);
    tracing::info!(connections = open, ?timeout, "the server drains: it waits for its requests");
    let all = u32::try_from(shares.max_connections).unwrap_or(u32::MAX);
    let cut = match tokio::time::timeout(timeout, shares.connections.acquire_many(all)).await {
        Ok(_) => 0,
        Err(_) => shares.open_connections(),
    };
    shares.phases.enter(Phase::Ended);
    match cut {
        0 => tracing::info!("the server has drained"),
        cut => tracing::warn!(connections = cut, "connections are cut: they took too long"),
    }
    Drained { cut }
}

/// Accepts connections until the server drains.
async fn accept(accepting: Arc<Accepting>, socket: Socket) {
    let mut phases = accepting.shares.phases.subscribe();
    loop {
        let next = async {
            let permit = room(&accepting.shares).await;
            (permit, socket.accept().await)
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
    for (stream, peer) in socket.completed() {
        if let Ok(permit) = Arc::clone(&accepting.shares.connections).try_acquire_owned() {
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
    stream: Stream,
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
