//! The trace that a request belongs to (W3C Trace Context), and the span that it has there.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, Method, StatusCode};
use tracing::Span;
use tracing::field::Empty;

/// The header that carries the ids.
pub(crate) const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// The maximum length of a `tracestate` that is kept (section 3.3.1.5).
const MAX_STATE_BYTES: usize = 512;

/// Requests of these paths have no span: they come every few seconds, and say nothing about callers.
const PROBES: [&str; 4] = ["/healthz", "/readyz", "/metrics", "/grpc.health.v1.Health/Check"];

/// The target of the spans that requests have in traces. Each is at the level `TRACE`, has the fields of
/// `tracing-opentelemetry`, and is there only for a layer that takes this target.
///
/// It has the method, the route, the status and the request id; never a path, a query, a header, or
/// anything about a token.
pub const TRACE_TARGET: &str = "keyfob_server::traces";

/// Puts the span of a request into the trace of its caller. See
/// [`Server::continue_traces`](crate::Server::continue_traces).
pub type ContinueTrace = Arc<dyn Fn(&Span, TraceParent<'_>) + Send + Sync>;

/// The span of a caller: what a valid `traceparent` says (section 3.2).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TraceParent<'a> {
    /// The trace: 32 hexadecimal digits.
    pub trace_id: &'a str,
    /// The span of the caller: 16 hexadecimal digits.
    pub parent_id: &'a str,
    /// Whether the caller records its span.
    pub is_sampled: bool,
    /// The `tracestate`, unless it is too long.
    pub state: Option<&'a str>,
}

impl<'a> TraceParent<'a> {
    /// Returns what the headers say; `None` if the field is missing, is there twice, or is malformed.
    pub(crate) fn of(headers: &'a HeaderMap) -> Option<Self> {
        let value = only(headers, &TRACEPARENT)?;
        let mut parts = value.split('-');
        let version = parts.next().filter(|version| is_id(version, 2) && *version != "ff")?;
        let trace_id = parts.next().filter(|id| is_id(id, 32) && !is_zero(id))?;
        let parent_id = parts.next().filter(|id| is_id(id, 16) && !is_zero(id))?;
        let flags = parts.next().filter(|flags| is_id(flags, 2))?;
        // A later version may have more parts.
        if version == "00" && parts.next().is_some() {
            return None;
        }
        let is_sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
        let state = only(headers, &TRACESTATE).filter(|state| state.len() <= MAX_STATE_BYTES);
        Some(Self { trace_id, parent_id, is_sampled, state })
    }
}

/// Returns the value of a field that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut all = headers.get_all(name).iter();
    let (value, None) = (all.next()?.to_str().ok()?, all.next()) else { return None };
    Some(value)
}

/// Returns the span of a request of a route, for traces.
pub(super) fn of_request(
    method: &Method,
    path: &'static str,
    id: &str,
    headers: &HeaderMap,
    continue_trace: Option<&ContinueTrace>,
) -> Span {
    if PROBES.contains(&path) {
        return Span::none();
    }
    let span = tracing::trace_span!(
        target: TRACE_TARGET,
        "request",
        otel.name = format_args!("{method} {path}"),
        otel.kind = "server",
        otel.status_code = Empty,
        http.request.method = method.as_str(),
        http.route = path,
        http.response.status_code = Empty,
        "error.type" = Empty,
        request_id = id,
    );
    continued(span, headers, continue_trace)
}

/// Returns the span of a call of gRPC, for traces. It has a status only if it is an error.
pub(super) fn of_call(
    path: &'static str,
    headers: &HeaderMap,
    continue_trace: Option<&ContinueTrace>,
) -> Span {
    let method = path.trim_start_matches('/');
    if PROBES.contains(&path) {
        return Span::none();
    }
    let span = tracing::trace_span!(
        target: TRACE_TARGET,
        "call",
        otel.name = method,
        otel.kind = "server",
        rpc.system.name = "grpc",
        rpc.method = method,
        otel.status_code = Empty,
        "error.type" = Empty,
    );
    continued(span, headers, continue_trace)
}

fn continued(span: Span, headers: &HeaderMap, continue_trace: Option<&ContinueTrace>) -> Span {
    if !span.is_disabled()
        && let Some(parent) = TraceParent::of(headers)
        && let Some(continue_trace) = continue_trace
    {
        continue_trace(&span, parent);
    }
    span
}

/// Notes the status of the answer. Only a fault of the server is an error: what a client did wrong is
/// none of a server (semantic conventions for HTTP spans).
pub(super) fn answered(span: &Span, status: StatusCode) {
    // A number for the collector too: it takes no unsigned ones.
    span.record("http.response.status_code", i64::from(status.as_u16()));
    if status.is_server_error() {
        span.record("error.type", status.as_str());
        span.record("otel.status_code", "error");
    }
}

fn is_id(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_zero(id: &str) -> bool {
    id.bytes().all(|byte| byte == b'0')
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fmt;
    use std::sync::Mutex;
    use tracing::Subscriber;
    use tracing::field::Field;
    use tracing::span::{Attributes, Id, Record};
    use tracing_subscriber::Layer;
    use tracing_subscriber::layer::{Context, SubscriberExt as _};

    const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
    const SPAN: &str = "b7ad6b7169203331";

    #[test]
    fn the_ids_of_a_traceparent_are_read() {
        let read = |value: String| {
            let headers = HeaderMap::from_iter([(TRACEPARENT, value.parse().unwrap())]);
            TraceParent::of(&headers).map(|p| (p.trace_id.to_owned(), p.parent_id.to_owned()))
        };
        let ids = Some((TRACE.to_owned(), SPAN.to_owned()));
        assert_eq!(read(format!("00-{TRACE}-{SPAN}-01")), ids);
        assert_eq!(read(format!("42-{TRACE}-{SPAN}-01-more")), ids);
        for value in [
            String::new(),
            format!("00-{TRACE}-{SPAN}"),
            format!("00-{TRACE}-{SPAN}-01-more"),
            format!("ff-{TRACE}-{SPAN}-01"),
            format!("00-{}-{SPAN}-01", "0".repeat(32)),
            format!("00-{}-{SPAN}-01", TRACE.to_uppercase()),
            format!("00-{TRACE}-{}-01", "0".repeat(16)),
        ] {
            assert_eq!(read(value.clone()), None, "{value}");
        }
        let twice = format!("00-{TRACE}-{SPAN}-01").parse().unwrap();
        let mut headers = HeaderMap::from_iter([(TRACEPARENT, http::HeaderValue::clone(&twice))]);
        headers.append(TRACEPARENT, twice);
        assert_eq!(TraceParent::of(&headers), None);
    }

    #[test]
    fn the_caller_says_whether_it_records_and_its_state_is_bounded() {
        let read = |flags: &str, state: String| {
            let parent = format!("00-{TRACE}-{SPAN}-{flags}").parse().unwrap();
            let state = state.parse().unwrap();
            let headers = HeaderMap::from_iter([(TRACEPARENT, parent), (TRACESTATE, state)]);
            let parent = TraceParent::of(&headers).unwrap();
            (parent.is_sampled, parent.state.map(ToOwned::to_owned))
        };
        assert_eq!(read("01", "a=1".to_owned()), (true, Some("a=1".to_owned())));
        assert_eq!(read("02", format!("a={}", "1".repeat(MAX_STATE_BYTES))), (false, None));
    }

    /// What a span has, and what is recorded later.
    #[derive(Clone, Default)]
    struct Recorder(Arc<Mutex<BTreeMap<String, String>>>);

    impl Recorder {
        fn visit(&self) -> impl FnMut(&Field, &dyn fmt::Debug) {
            |field, value| {
                self.0.lock().unwrap().insert(field.name().to_owned(), format!("{value:?}"));
            }
        }
    }

    impl<S: Subscriber> Layer<S> for Recorder {
        fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
            span.record(&mut self.visit());
        }

        fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
            values.record(&mut self.visit());
        }
    }

    fn span_of(path: &'static str, status: u16) -> BTreeMap<String, String> {
        let recorder = Recorder::default();
        let subscriber = tracing_subscriber::registry().with(recorder.clone());
        tracing::subscriber::with_default(subscriber, || {
            let span = of_request(&Method::POST, path, "r-1", &HeaderMap::new(), None);
            answered(&span, StatusCode::from_u16(status).unwrap());
        });
        recorder.0.lock().unwrap().clone()
    }

    #[test]
    fn only_a_fault_of_the_server_is_an_error_of_its_span() {
        let refused = span_of("/v1/tokens/{id}", 404);
        assert_eq!(refused["http.response.status_code"], "404");
        assert!(!refused.contains_key("otel.status_code") && !refused.contains_key("error.type"));
        let failed = span_of("/v1/tokens/{id}", 503);
        assert_eq!(failed["http.response.status_code"], "503");
        assert_eq!(failed["otel.status_code"], "\"error\"");
        assert_eq!(failed["error.type"], "\"503\"");
        assert_eq!(failed["otel.name"], "POST /v1/tokens/{id}");
        assert!(span_of("/readyz", 503).is_empty(), "a probe has no span");
    }
}
