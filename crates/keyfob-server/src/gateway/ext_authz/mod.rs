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
use std::sync::{Arc, OnceLock};

use axum::extract::{ConnectInfo, Request};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use http::{Response, StatusCode};
use tonic::body::Body;

use crate::routes::context;
use crate::routes::request_id;
use crate::shared::Shared;

/// The maximum size of a check request in bytes. Envoy sends the headers of the client, of which it
/// takes 60 KiB unless it is set otherwise, and no body.
const MAX_CHECK_BYTES: usize = 256 * 1024;

/// The maximum size of a request to the health service in bytes.
const MAX_HEALTH_BYTES: usize = 1024;

/// The full name of the service that Envoy asks.
const AUTHORIZATION: &str = "envoy.service.auth.v3.Authorization";

/// A method of gRPC.
#[derive(Debug)]
pub(crate) struct Method {
    /// The path: the full name of the service, and the name of the method.
    pub(crate) path: &'static str,
    /// What it is counted and logged as.
    pub(crate) operation: &'static str,
    /// Answers a request, within its span.
    pub(crate) answer: fn(Arc<Shared>, Request) -> BoxFuture<'static, Answered>,
}

/// The methods of both services.
pub(crate) const METHODS: &[Method] = &[
    Method {
        path: "/envoy.service.auth.v3.Authorization/Check",
        operation: "extAuthz",
        answer: |shared, request| check(shared, request).boxed(),
    },
    Method {
        path: "/grpc.health.v1.Health/Check",
        operation: "grpcHealth",
        answer: |shared, request| health(shared, request).boxed(),
    },
];

/// An answer, with the status that it would have over HTTP.
pub(crate) type Answered = (StatusCode, Response<Body>);

/// The status of a request that had no message that can be read, or that asked about what is not there.
const UNREADABLE: StatusCode = StatusCode::BAD_REQUEST;

async fn check(shared: Arc<Shared>, request: Request) -> Answered {
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip());
    let status = OnceLock::new();
    let handler = |of_envoy, check| {
        let (shared, status) = (&shared, &status);
        async move {
            let headers = check::ids(&check, of_envoy);
            context::identify(request_id::of(&headers), &headers);
            let verdict = check::verdict(shared, &check, peer).await;
            let (answered, response) = render::render(verdict);
            let _once = status.set(answered);
            Ok(response)
        }
    };
    let response = unary::answer(request, MAX_CHECK_BYTES, handler).await;
    (status.into_inner().unwrap_or(UNREADABLE), response)
}

async fn health(shared: Arc<Shared>, request: Request) -> Answered {
    context::identify(request_id::of(request.headers()), request.headers());
    let status = OnceLock::new();
    let handler = |_, asked| {
        let (shared, status) = (&shared, &status);
        async move {
            let (answered, response) = health::check(shared, &asked, AUTHORIZATION).await?;
            let _once = status.set(answered);
            Ok(response)
        }
    };
    let response = unary::answer(request, MAX_HEALTH_BYTES, handler).await;
    (status.into_inner().unwrap_or(UNREADABLE), response)
}
