//! The health service of gRPC: whether this replica can do its work, as `/readyz` answers it.

use std::sync::Arc;

use tonic::codegen::BoxStream;
use tonic::{Request, Response, Status};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_server::Health;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};

use crate::operations::{Readiness, readiness_of};
use crate::shared::Shared;

/// The health service.
#[derive(Debug)]
pub(super) struct HealthService {
    shared: Arc<Shared>,
    service: &'static str,
}

impl HealthService {
    /// Creates the service, for the service of this full name.
    pub(super) fn new(shared: Arc<Shared>, service: &'static str) -> Self {
        Self { shared, service }
    }
}

#[tonic::async_trait]
impl Health for HealthService {
    async fn check(
        &self,
        request: Request<HealthCheckRequest>,
    ) -> Result<Response<HealthCheckResponse>, Status> {
        // The empty name asks about the server as a whole.
        if !["", self.service].contains(&&*request.get_ref().service) {
            return Err(Status::not_found("there is no service of this name"));
        }
        let status = match readiness_of(&self.shared).await {
            Readiness::Ready => ServingStatus::Serving,
            Readiness::NotReady | Readiness::Stopping => ServingStatus::NotServing,
        };
        Ok(Response::new(HealthCheckResponse { status: status.into() }))
    }

    type WatchStream = BoxStream<HealthCheckResponse>;

    /// Is not offered: each watch would ask the store again and again. A client that watches then
    /// considers the server healthy, as the protocol says.
    async fn watch(
        &self,
        _: Request<HealthCheckRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        Err(Status::unimplemented("ask by the method Check"))
    }
}
