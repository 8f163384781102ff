//! At an edge: how many requests may wait for the central server.

use http::StatusCode;
use keyfob::metrics::HttpMetrics;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::respond::failure::Failure;

/// What a server that sends requests on keeps when its settings are replaced.
#[derive(Debug)]
pub(crate) struct Forwarding {
    places: Semaphore,
}

/// The place of a request that waits for the central server, from before its body is read until the answer begins. A
/// stream that has begun holds none, as it holds none of all requests.
#[derive(Debug)]
pub(crate) struct Place<'a>(#[expect(dead_code, reason = "it is held")] SemaphorePermit<'a>);

impl Forwarding {
    /// A quarter of all requests may wait for the central server.
    pub(crate) fn new(max_requests: usize) -> Self {
        Self { places: Semaphore::new((max_requests / 4).clamp(1, Semaphore::MAX_PERMITS)) }
    }

    /// Takes a place.
    ///
    /// # Errors
    /// If all are taken.
    pub(crate) fn place(&self, metrics: &HttpMetrics) -> Result<Place<'_>, Failure> {
        self.places.try_acquire().map(Place).map_err(|_| {
            metrics.handles.requests_shed.increment(1);
            Failure {
                code: "overloaded".into(),
                retry_after: Some(keyfob::Ttl::from_secs(1)),
                ..Failure::new(
                    StatusCode::SERVICE_UNAVAILABLE,
                    "temporarily_unavailable",
                    "too many requests wait for the central server: try again",
                )
            }
        })
    }
}
