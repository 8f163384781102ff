//! A real NATS server with JetStream for tests.
//!
//! It listens on a free port of the loopback and keeps its streams in its own folder. It is killed when the
//! tests end, also if they crash. Functions that start or call it block the thread.
//!
//! The program is `$KEYFOB_NATS_SERVER`, or the `nats-server` in the path.

mod client;
mod server;
#[cfg(test)]
mod tests;

pub use crate::launch::{LaunchError, Program};
pub use client::NatsMessage;
pub use server::{NatsServer, NatsServerBuilder};
