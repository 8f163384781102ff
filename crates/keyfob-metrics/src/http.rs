//! The metrics of the HTTP server. A process that embeds a manager has none of these series.

use std::sync::Arc;

use metrics::Recorder;

use super::catalog::HttpHandles;
use super::labels::{HttpRoute, HttpStatus, Label};
use super::measure::MetricInfo;

/// The metrics of a server, registered with one recorder. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct HttpMetrics {
    /// The handle of each metric. Only the crates of keyfob use it.
    #[doc(hidden)]
    pub handles: Arc<HttpHandles>,
}

impl HttpMetrics {
    /// Returns metrics at the recorder that is installed now. Without a recorder, nothing is counted.
    pub fn global() -> Self {
        metrics::with_recorder(Self::on)
    }

    /// Returns metrics at this recorder.
    pub fn on(recorder: &dyn Recorder) -> Self {
        Self { handles: Arc::new(HttpHandles::register(recorder)) }
    }

    /// Returns the facts about every metric, with every label and every value.
    pub fn catalog() -> Vec<MetricInfo> {
        HttpHandles::catalog()
    }
}

impl HttpRoute {
    /// Returns the route of an operation.
    pub fn of_operation(operation: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|route| route.as_str() == operation)
    }
}

impl HttpStatus {
    /// Returns the class of a status code.
    pub const fn of_code(code: u16) -> Self {
        match code {
            ..300 => Self::Success,
            300..400 => Self::Redirection,
            400..500 => Self::ClientError,
            500.. => Self::ServerError,
        }
    }
}
