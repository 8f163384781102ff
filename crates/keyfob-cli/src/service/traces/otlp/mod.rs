//! Sends traces to a collector of OpenTelemetry.
//!
//! A request never waits for the collector: its span goes into a queue, from which a thread sends
//! batches. What does not fit, or cannot be sent, is lost and counted.
//!
//! | module | content |
//! |---|---|
//! | `queue` | the bound on spans that wait |
//! | `losses` | how many spans were lost, and when to say it |
//! | `parent` | the span of a caller, in the types of OpenTelemetry |

mod losses;
mod parent;
mod queue;

use std::sync::Arc;
use std::time::Duration;

use keyfob_server::config::TracesSection;
use keyfob_server::{ContinueTrace, TRACE_TARGET};
use opentelemetry::KeyValue;
use opentelemetry::trace::TracerProvider as _;
use opentelemetry_otlp::{SpanExporter, WithExportConfig as _, WithTonicConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tonic::transport::{ClientTlsConfig, Endpoint};
use tracing_opentelemetry::OpenTelemetrySpanExt as _;
use tracing_subscriber::Layer as _;
use tracing_subscriber::filter::filter_fn;

use crate::failure::Failure;
use crate::logs::TraceLayer;

/// How long a connection to the collector may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long the collector may take for a batch.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(5);

/// How often a silent connection is tried, so that a collector that vanished is noticed.
const KEEP_ALIVE: Duration = Duration::from_secs(20);

/// How long a server that stops waits for the last batch.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(2);

/// The traces of a service. They are sent until [`Traces::flush`].
pub(crate) struct Traces {
    provider: SdkTracerProvider,
}

/// Starts the traces of a service; `None` if it has no collector. The runtime has to be entered.
pub(crate) fn start(section: &TracesSection) -> Result<Option<(Traces, TraceLayer)>, Failure> {
    let Some(endpoint) = &section.endpoint else { return Ok(None) };
    let invalid = |problem: String| Failure::Usage {
        code: "invalid_value",
        message: format!("traces.endpoint cannot be used: {problem}"),
        details: String::new(),
    };
    let mut channel = Endpoint::from_shared(endpoint.clone())
        .map_err(|error| invalid(error.to_string()))?
        .connect_timeout(CONNECT_TIMEOUT)
        .timeout(EXPORT_TIMEOUT)
        .http2_keep_alive_interval(KEEP_ALIVE)
        .keep_alive_timeout(EXPORT_TIMEOUT);
    if endpoint.starts_with("https") {
        let tls = ClientTlsConfig::new().with_native_roots();
        channel = channel.tls_config(tls).map_err(|error| invalid(error.to_string()))?;
    }
    let exporter = SpanExporter::builder()
        .with_tonic()
        .with_channel(channel.connect_lazy())
        .with_timeout(EXPORT_TIMEOUT)
        .build()
        .map_err(|error| invalid(error.to_string()))?;
    let resource = Resource::builder()
        .with_service_name(section.service_name.clone())
        .with_attribute(KeyValue::new("service.version", env!("CARGO_PKG_VERSION")))
        .build();
    let root = Sampler::TraceIdRatioBased(section.sample_ratio);
    let provider = SdkTracerProvider::builder()
        .with_span_processor(queue::processor(exporter))
        .with_sampler(Sampler::ParentBased(Box::new(root)))
        .with_resource(resource)
        .build();
    let layer = tracing_opentelemetry::layer()
        .with_tracer(provider.tracer("keyfob"))
        .with_context_activation(false)
        .with_tracked_inactivity(false)
        .with_location(false)
        .with_threads(false)
        .with_level(false)
        .with_target(false)
        // Nothing but these spans: no event, which may have any value, and no span of a library.
        .with_filter(filter_fn(|metadata| metadata.is_span() && metadata.target() == TRACE_TARGET))
        .boxed();
    Ok(Some((Traces { provider }, layer)))
}

/// Returns what puts the span of a request into the trace of its caller.
pub(crate) fn continue_trace() -> ContinueTrace {
    Arc::new(|span, caller| {
        if let Some(context) = parent::context(caller) {
            // It fails if no layer records spans, and then there is nothing to continue.
            let _ = span.set_parent(context);
        }
    })
}

impl Traces {
    /// Sends what waits, for a bounded time. The runtime has to be running.
    pub(crate) fn flush(self) {
        if let Err(error) = self.provider.shutdown_with_timeout(FLUSH_TIMEOUT) {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}
