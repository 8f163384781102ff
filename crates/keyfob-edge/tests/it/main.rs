//! An edge in front of a central server, both over the network of this machine.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod central;
mod feed;
mod store;
