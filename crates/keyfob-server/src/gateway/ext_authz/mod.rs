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
mod render;

use std::sync::Arc;

use axum::Router;
use envoy_types::ext_authz::v3::pb::AuthorizationServer;
use tonic_health::pb::health_server::HealthServer;

use crate::shared::Shared;

/// The maximum size of a check request in bytes. Envoy sends the headers of the client, of which it
/// takes 60 KiB unless it is set otherwise, and no body.
const MAX_CHECK_BYTES: usize = 256 * 1024;

/// The maximum size of a request to the health service in bytes.
const MAX_HEALTH_BYTES: usize = 1024;

/// The full name of the service.
const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

/// Adds both services to a router.
pub(crate) fn add_to(router: Router, shared: &Arc<Shared>) -> Router {
    let authorization = check::Authorizer::new(Arc::clone(shared));
    let authorization =
        AuthorizationServer::new(authorization).max_decoding_message_size(MAX_CHECK_BYTES);
    let health = health::HealthService::new(Arc::clone(shared), AUTHORIZATION);
    let health = HealthServer::new(health).max_decoding_message_size(MAX_HEALTH_BYTES);
    router
        .route_service(&format!("/{AUTHORIZATION}/{{method}}"), authorization)
        .route_service("/grpc.health.v1.Health/{method}", health)
}
