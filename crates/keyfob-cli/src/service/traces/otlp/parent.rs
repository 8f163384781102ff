//! The span of a caller, in the types of OpenTelemetry.

use std::str::FromStr as _;

use keyfob_server::TraceParent;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt as _, TraceFlags, TraceId, TraceState,
};

/// Returns the context within which the span of a request starts.
pub(super) fn context(caller: TraceParent<'_>) -> Option<Context> {
    let trace = TraceId::from_hex(caller.trace_id).ok()?;
    let span = SpanId::from_hex(caller.parent_id).ok()?;
    let flags = if caller.is_sampled { TraceFlags::SAMPLED } else { TraceFlags::default() };
    // A state that is malformed is dropped, and the trace continues (section 3.3 of Trace Context).
    let state = caller.state.and_then(|state| TraceState::from_str(state).ok());
    let span = SpanContext::new(trace, span, flags, true, state.unwrap_or_default());
    Some(Context::new().with_remote_span_context(span))
}
