//! One connection, from its first byte to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use keyfob::metrics::ConnectionCut;
use metrics::Gauge;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::activity::{Activity, Cut, fault};
use super::bounds::ConnectionBounds;
use super::face::Face;
use super::phase::{Phase, reached};
use super::requests::{GuardedBody, Peer, answer};
use super::shares::{Accepting, Shares};
use super::socket::Stream;
#[cfg(feature = "tls")]
use super::tls;
use super::watched_io::WatchedIo;

/// How long an idle connection of HTTP/1.1 stays open while the server drains. A request that the client
/// has sent in the meantime is answered, and its answer closes the connection.
const LINGER: Duration = Duration::from_millis(500);

/// How often a connection is looked at while the server drains.
const DRAIN_TICK: Duration = Duration::from_millis(50);

/// Serves a connection until it ends.
pub(super) async fn serve(accepting: Arc<Accepting>, stream: Stream, peer: SocketAddr) {
    let handles = &accepting.shares.metrics.handles;
    let _open = OpenConnection::new(&handles.connections);
    let bounds = accepting.shares.bounds();
    let stream = match stream {
        Stream::Tcp(stream) => stream,
        #[cfg(unix)]
        Stream::Unix(stream) => {
            let peer = Peer { address: peer, certificate: None };
            return drive(&accepting, bounds, stream, peer).await;
        }
    };
    // Answers are small, and are written at once.
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "tls")]
    if let Some(tls) = &accepting.tls {
        match tokio::time::timeout(bounds.header_timeout, tls.acceptor().accept(stream)).await {
            Ok(Ok(stream)) => {
                let certificate = tls::client_certificate(&stream);
                let peer = Peer { address: peer, certificate };
                drive(&accepting, bounds, stream, peer).await;
            }
            Ok(Err(error)) => {
                handles.tls_handshakes_failed.increment(1);
                tracing::debug!(%peer, %error, "the handshake of TLS failed");
            }
            Err(_) => {
                handles.tls_handshakes_failed.increment(1);
                tracing::debug!(%peer, "the handshake of TLS took too long");
            }
        }
        return;
    }
    drive(&accepting, bounds, stream, Peer { address: peer, certificate: None }).await;
}

/// Counts an open connection.
struct OpenConnection<'a>(&'a Gauge);

impl<'a> OpenConnection<'a> {
    fn new(open: &'a Gauge) -> Self {
        open.increment(1.0);
        Self(open)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

async fn drive<I>(accepting: &Accepting, bounds: ConnectionBounds, io: I, peer: Peer)
where
    I: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let activity = Arc::new(Activity::new());
    let (shares, face) = (Arc::clone(&accepting.shares), accepting.face);
    let builder = builder(&bounds);
    let io = TokioIo::new(WatchedIo::new(io, Arc::clone(&activity)));
    let address = peer.address;
    let service = service(Arc::clone(&shares), Arc::clone(&activity), face, peer);
    let mut connection = pin!(builder.serve_connection(io, service));
    let mut phases = shares.phases.subscribe();
    let mut ticks = ticks(period(&bounds));
    let cuts = &shares.metrics.handles.connections_cut;
    let (mut draining, mut is_closing) = (None, false);
    loop {
        let next = if draining.is_some() { Phase::Ended } else { Phase::Draining };
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!(peer = %address, %error, "a connection ended early");
                }
                return;
            }
            () = reached(&mut phases, next) => {
                if next == Phase::Ended {
                    cuts.of(ConnectionCut::Drain).increment(1);
                    return;
                }
                draining = Some(tokio::time::Instant::now());
                ticks = self::ticks(DRAIN_TICK);
            }
            _ = ticks.tick() => {
                let seen = activity.snapshot();
                match fault(&seen, &bounds) {
                    None => {}
                    Some(Cut::Idle) if !is_closing => {
                        is_closing = true;
                        cuts.of(Cut::Idle.into()).increment(1);
                        connection.as_mut().graceful_shutdown();
                    }
                    Some(cut) => {
                        cuts.of(cut.into()).increment(1);
                        tracing::debug!(peer = %address, ?cut, "a connection is cut");
                        return;
                    }
                }
            }
        }
        let has_lingered = draining.is_some_and(|since| since.elapsed() > LINGER);
        if !is_closing && (has_lingered || draining.is_some() && activity.is_http2()) {
            is_closing = true;
            connection.as_mut().graceful_shutdown();
        }
    }
}

fn service(
    shares: Arc<Shares>,
    activity: Arc<Activity>,
    face: Face,
    peer: Peer,
) -> impl hyper::service::Service<
    http::Request<hyper::body::Incoming>,
    Response = http::Response<GuardedBody>,
    Error = std::convert::Infallible,
    Future: Send + 'static,
> {
    service_fn(move |request| {
        answer(Arc::clone(&shares), Arc::clone(&activity), face, peer.clone(), request)
    })
}

fn builder(bounds: &ConnectionBounds) -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    let header_bytes = bounds.max_header_bytes.max(ConnectionBounds::MIN_HEADER_BYTES);
    builder
        .http1()
        .timer(TokioTimer::new())
        // The activity of the connection decides: this would cut idle connections too.
        .header_read_timeout(None)
        .max_headers(bounds.max_headers)
        .max_buf_size(header_bytes);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(bounds.max_streams)
        .max_header_list_size(u32::try_from(header_bytes).unwrap_or(u32::MAX))
        // A client that resets its streams (CVE-2023-44487), or makes the server reset them.
        .max_pending_accept_reset_streams(20)
        .max_local_error_reset_streams(256)
        // A peer that is gone does not keep its connection.
        .keep_alive_interval(bounds.idle_timeout)
        .keep_alive_timeout(bounds.header_timeout);
    builder
}

/// Returns how often a connection is looked at: often enough that no time is exceeded by much.
fn period(bounds: &ConnectionBounds) -> Duration {
    let shortest = bounds.header_timeout.min(bounds.idle_timeout).min(bounds.write_timeout);
    (shortest / 4).clamp(Duration::from_millis(20), Duration::from_secs(5))
}

fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}
