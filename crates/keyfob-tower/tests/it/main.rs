//! Drives the layer and the extractors over real HTTP.

mod answers;
mod cookies;
mod examples;
mod grpc;
mod harness;
mod limits;
mod proxies;
