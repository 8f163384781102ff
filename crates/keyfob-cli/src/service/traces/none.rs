//! Refuses a collector, in a build without the feature `otlp`.

use keyfob_server::ContinueTrace;
use keyfob_server::config::TracesSection;

use crate::failure::Failure;
use crate::logs::TraceLayer;

/// The traces of a service: there are none.
pub(crate) enum Traces {}

/// Refuses a collector.
pub(crate) fn start(section: &TracesSection) -> Result<Option<(Traces, TraceLayer)>, Failure> {
    match section.endpoint {
        None => Ok(None),
        Some(_) => Err(Failure::Usage {
            code: "invalid_configuration",
            message: "traces.endpoint: this keyfob was built without the feature otlp".to_owned(),
            details: "Remove the setting, or build keyfob with that feature.".to_owned(),
        }),
    }
}

/// Returns what continues traces: nothing.
pub(crate) fn continue_trace() -> ContinueTrace {
    std::sync::Arc::new(|_, _| {})
}

impl Traces {
    /// Sends what waits.
    pub(crate) fn flush(self) {
        match self {}
    }
}
