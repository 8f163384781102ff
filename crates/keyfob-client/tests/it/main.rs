//! The client against real servers, over sockets.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod answers;
mod events;
mod keys;
mod repeating;
mod revoking;
mod signals;
mod support;
mod tls;
mod tour;
mod webhooks;
