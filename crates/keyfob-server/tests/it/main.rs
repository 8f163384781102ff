//! The server as clients meet it: over sockets.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod authorization;
mod bad_input;
mod certificates;
mod client_assertion;
mod client_keys;
mod config;
mod connections;
mod dpop;
mod failing_store;
mod forward;
mod fuzz;
mod gateway;
mod introspection;
mod jwt;
mod jwt_bound;
mod jwt_reach;
mod jwt_redis;
mod jwt_refresh;
mod leaks;
#[path = "../../../keyfob/tests/it/mutations.rs"]
mod mutations;
#[cfg(all(feature = "nats", unix))]
mod nats;
mod openapi;
mod operations;
mod page;
mod revocation;
mod signals;
mod streams;
mod support;
mod token_endpoint;
mod v1;
mod webhook_filters;
mod webhooks;
