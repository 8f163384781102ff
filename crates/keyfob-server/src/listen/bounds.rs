//! How much a client may do.

use std::time::Duration;

/// Bounds on connections and on the requests of a connection.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ConnectionBounds {
    /// How long a client may take to send the head of a request, or for the handshake of TLS.
    pub header_timeout: Duration,
    /// How long a connection may be open without a request.
    pub idle_timeout: Duration,
    /// How long a client may leave an answer unread.
    pub write_timeout: Duration,
    /// How long a server that stops waits for its requests.
    pub drain_timeout: Duration,
    /// How long a server that is asked to stop continues, with `/readyz` red.
    pub drain_delay: Duration,
    /// The maximum number of connections of a server.
    pub max_connections: usize,
    /// The maximum number of requests at the same time.
    pub max_requests: usize,
    /// The maximum number of requests at the same time on one connection of HTTP/2.
    pub max_streams: u32,
    /// How many requests a connection may cancel, if they are more than half of all.
    pub max_resets: u32,
    /// The maximum size of the head of a request, in bytes. At least 8 KiB.
    pub max_header_bytes: usize,
    /// The maximum number of header fields.
    pub max_headers: usize,
}

impl ConnectionBounds {
    /// The minimum of [`ConnectionBounds::max_header_bytes`].
    pub const MIN_HEADER_BYTES: usize = 8 * 1024;
}

impl Default for ConnectionBounds {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(120),
            write_timeout: Duration::from_secs(30),
            drain_timeout: Duration::from_secs(30),
            drain_delay: Duration::ZERO,
            max_connections: 20_000,
            max_requests: 2_048,
            max_streams: 256,
            max_resets: 200,
            max_header_bytes: 32 * 1024,
            max_headers: 100,
        }
    }
}
