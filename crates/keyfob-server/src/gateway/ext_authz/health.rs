//! The health service of gRPC: whether this replica can do its work, as `/readyz` answers it.
//!
//! The method `Watch` is not offered: each watch would ask the store again and again. A client that
//! watches then considers the server healthy, as the protocol says.

use http::StatusCode;
use tonic::Status;

use super::messages::{HealthCheckRequest, HealthCheckResponse, ServingStatus};
use crate::operations::{Readiness, readiness_of};
use crate::shared::Shared;

/// Answers for the server as a whole, and for the service of this full name.
pub(super) async fn check(
    shared: &Shared,
    asked: &HealthCheckRequest,
    service: &str,
) -> Result<(StatusCode, HealthCheckResponse), Status> {
    // The empty name asks about the server as a whole.
    if !["", service].contains(&&*asked.service) {
        return Err(Status::not_found("there is no service of this name"));
    }
    let (answered, status) = match readiness_of(shared).await {
        Readiness::Ready => (StatusCode::OK, ServingStatus::Serving),
        Readiness::NotReady | Readiness::Stopping => {
            (StatusCode::SERVICE_UNAVAILABLE, ServingStatus::NotServing)
        }
    };
    Ok((answered, HealthCheckResponse { status: status.into() }))
}
