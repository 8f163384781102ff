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
    if call.shared.phases.current() > Phase::Serving {
        let status = Status { status: "stopping" };
        return json::with_status(StatusCode::SERVICE_UNAVAILABLE, &status);
    }
    let is_ready = match call.manager().report().await {
        Ok(report) => report.is_ready(),
        Err(error) => {
            tracing::warn!(code = error.code(), %error, "not ready");
            false
        }
    };
    let (status, text) = match is_ready {
        true => (StatusCode::OK, "ready"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "not_ready"),
    };
    json::with_status(status, &Status { status: text })
}

/// Answers with all metrics in the text format of Prometheus.
pub(crate) async fn metrics(call: Call) -> Answer {
    let Some(render) = &call.shared.render_metrics else {
        return Err(Failure {
            code: "no_metrics".into(),
            ..Failure::new(StatusCode::NOT_FOUND, "invalid_request", "no metrics are recorded")
        });
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
