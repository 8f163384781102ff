//! What operators and orchestrators ask: health, readiness, metrics.

use axum::body::Body;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Response, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

use crate::call::Call;
use crate::listen::phase::Phase;
use crate::respond::failure::Failure;
use crate::respond::json::{self, Answer};
use crate::shared::Shared;

/// Whether the service works.
#[derive(Serialize, JsonSchema)]
#[schemars(rename = "ServiceStatus")]
pub(crate) struct Status {
    /// `ok`, `ready` or `not_ready`.
    status: &'static str,
}

/// Answers that the process lives. It asks no store.
pub(crate) async fn health(_: Call) -> Answer {
    json::ok(&Status { status: "ok" })
}

/// Answers whether this replica can do its work: the store answers and has no fault, and the server is
/// not about to stop.
pub(crate) async fn readiness(call: Call) -> Answer {
    let (status, text) = match readiness_of(&call.shared).await {
        Readiness::Ready => (StatusCode::OK, "ready"),
        Readiness::NotReady => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
        Readiness::Stopping => (StatusCode::SERVICE_UNAVAILABLE, "stopping"),
    };
    json::with_status(status, &Status { status: text })
}

/// Whether this replica can do its work.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Readiness {
    /// The store answers and has no fault.
    Ready,
    /// It does not answer, or has a fault.
    NotReady,
    /// The server is about to stop.
    Stopping,
}

/// Returns whether this replica can do its work. What the store said is at most a second old.
pub(crate) async fn readiness_of(shared: &Shared) -> Readiness {
    if shared.phases.current() > Phase::Serving {
        return Readiness::Stopping;
    }
    match shared.readiness.of(&shared.manager).await {
        true => Readiness::Ready,
        false => Readiness::NotReady,
    }
}

/// Answers with all metrics in the text format of Prometheus.
pub(crate) async fn metrics(call: Call) -> Answer {
    let Some(render) = &call.shared.render_metrics else {
        return Err(Failure::missing("no_metrics", "no metrics are recorded"));
    };
    // Publishes what the fast path has counted since the last second.
    let _ = call.manager().cache_report();
    let mut response = Response::new(Body::from(render()));
    let headers = response.headers_mut();
    let text = "text/plain; version=0.0.4; charset=utf-8";
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(text));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
