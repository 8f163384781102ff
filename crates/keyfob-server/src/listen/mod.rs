//! Connections: accepting them, bounding them, cutting those that are slow, and draining them.
//!
//! ```text
//! listener ─▶ accept ─▶ TLS? ─▶ HTTP/1.1 or HTTP/2 ─▶ requests ─▶ routes
//!               │                       │                 │
//!        max connections      timeouts, heads, streams   max requests
//! ```
//!
//! One task serves one connection. It notices by `activity` that a client is slow, and ends. Nothing
//! that a client does ends the process or another connection.
//!
//! | module | content |
//! |---|---|
//! | `address` | where a server listens |
//! | `bounds` | how much a client may do |
//! | `phase` | from serving to ended |
//! | `activity` | what a connection does, and whether that is acceptable: a function of values |
//! | `watched_io` | tells the activity about reads and blocked writes |
//! | `requests` | one request: bounds, and the guard that counts it |
//! | `connection` | one connection |
//! | `accept` | the loop that accepts them |
//! | `shares` | what all connections of a server share |
//! | `socket` | sockets of the network and of this machine |
//! | `face` | which listener serves which routes |
//! | `tls` | certificates, and their replacement |

mod accept;
pub(crate) mod activity;
mod address;
mod bounds;
mod connection;
mod face;
pub(crate) mod phase;
mod requests;
mod shares;
mod socket;
#[cfg(feature = "tls")]
pub mod tls;
mod watched_io;

pub use accept::{Drained, Listener};
pub use address::{InvalidListenAddress, ListenAddress};
pub use bounds::ConnectionBounds;
pub use face::Face;

pub(crate) use accept::serve;
pub(crate) use shares::Shares;
