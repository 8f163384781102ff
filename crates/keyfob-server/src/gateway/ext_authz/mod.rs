//! Envoy's external authorization over gRPC (`envoy.service.auth.v3.Authorization`), and the health
//! service (`grpc.health.v1.Health`), on the same listener as HTTP.
//!
//! The demands are context extensions of the route (`CheckSettings.context_extensions`), with the same
//! names as in the query of `/authz`.
//!
//! A request that may not pass is answered with the response for the client, and never with an error of
//! gRPC: with `failure_mode_allow`, Envoy lets a request pass after an error.

mod check;
mod health;
mod messages;
mod render;
mod unary;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::Router;
use axum::extract::{ConnectInfo, Request};
use axum::routing::any;
use http::Response;
use tonic::body::Body;

use crate::shared::Shared;

/// The maximum size of a check request in bytes. Envoy sends the headers of the client, of which it
/// takes 60 KiB unless it is set otherwise, and no body.
const MAX_CHECK_BYTES: usize = 256 * 1024;

/// The maximum size of a request to the health service in bytes.
const MAX_HEALTH_BYTES: usize = 1024;

/// The full name of the service that Envoy asks.
const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

/// Adds the methods of both services to a router.
pub(crate) fn add_to(router: Router, shared: &Arc<Shared>) -> Router {
    let check = {
        let shared = Arc::clone(shared);
        move |request: Request| check(Arc::clone(&shared), request)
    };
    let health = {
        let shared = Arc::clone(shared);
        move |request: Request| health(Arc::clone(&shared), request)
    };
    router
        .route(&format!("/{AUTHORIZATION}/Check"), any(check))
        .route("/grpc.health.v1.Health/Check", any(health))
}

async fn check(shared: Arc<Shared>, request: Request) -> Response<Body> {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let handler = |check| {
        let shared = Arc::clone(&shared);
        async move { Ok(render::render(check::verdict(&shared, &check, peer).await)) }
    };
    unary::answer(request, MAX_CHECK_BYTES, handler).await
}

async fn health(shared: Arc<Shared>, request: Request) -> Response<Body> {
    let handler = |asked| {
        let shared = Arc::clone(&shared);
        async move { health::check(&shared, &asked, AUTHORIZATION).await }
    };
    unary::answer(request, MAX_HEALTH_BYTES, handler).await
}
