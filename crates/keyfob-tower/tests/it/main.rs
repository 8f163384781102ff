//! Drives the layer and the extractors over real HTTP.

#![expect(clippy::unwrap_used, reason = "in a test, that is an assertion")]

mod answers;
#[cfg(all(feature = "dpop", feature = "jwt"))]
mod bound_jwts;
mod certificates;
mod cookies;
#[cfg(feature = "dpop")]
mod dpop;
mod examples;
mod grpc;
mod harness;
#[cfg(feature = "jwt")]
mod jwt;
mod limits;
mod proxies;
