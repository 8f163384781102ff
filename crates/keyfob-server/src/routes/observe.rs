//! What is counted and logged of a request, over HTTP and over gRPC.

use std::time::Instant;

use http::StatusCode;
use keyfob::metrics::{HttpMetrics, HttpRoute, HttpStatus};
use tracing::Span;

use super::trace;

/// Counts a request from its head to the head of its answer. If it is dropped before, the client went away.
pub(super) struct Observed<'a> {
    metrics: &'a HttpMetrics,
    /// The span in traces, which ends with this.
    traced: Span,
    route: HttpRoute,
    begun: Instant,
    status: HttpStatus,
}

impl<'a> Observed<'a> {
    pub(super) fn begin(metrics: &'a HttpMetrics, route: HttpRoute, traced: Span) -> Self {
        metrics.handles.requests_in_flight.increment(1.0);
        Self { metrics, traced, route, begun: Instant::now(), status: HttpStatus::Cancelled }
    }

    /// Notes the answer, with a line in the log if there is to be one.
    pub(super) fn end(mut self, status: StatusCode, is_logged: bool) {
        self.status = HttpStatus::of_code(status.as_u16());
        trace::answered(&self.traced, status);
        if is_logged {
            let milliseconds = self.begun.elapsed().as_secs_f64() * 1e3;
            tracing::info!(status = status.as_u16(), milliseconds, "answered");
        }
    }
}

impl Drop for Observed<'_> {
    fn drop(&mut self) {
        let handles = &self.metrics.handles;
        handles.requests_in_flight.decrement(1.0);
        handles.requests.of(self.route).of(self.status).increment(1);
        handles.request_seconds.of(self.route).record(self.begun.elapsed());
    }
}
