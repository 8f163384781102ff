//! Several servers, each a process of its own, on one Redis: what they must hold to together, and when
//! one of them or Redis fails.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod client;
mod edge;
mod forwarding;
mod idempotency;
mod lifecycle;
#[cfg(feature = "nats")]
mod nats;
mod outage;
mod poll;
mod propagation;
mod refreshing;
mod replica;
mod signals;
mod webhooks;
