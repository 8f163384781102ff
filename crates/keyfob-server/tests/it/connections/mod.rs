//! Connections as bytes: clients that are slow, that send what is not HTTP, or that ask for too much.
//! Each gets the right status or is cut, and the server continues.

mod draining;
mod faces;
mod http2;
mod limits;
mod malformed;
mod raw;
mod slow;
#[cfg(feature = "tls")]
mod tls;
