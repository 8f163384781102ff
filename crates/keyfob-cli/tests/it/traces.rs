//! Traces of requests, at a collector that takes OTLP over gRPC.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::Instant;

use opentelemetry_proto::tonic::collector::trace::v1::trace_service_server::{
    TraceService, TraceServiceServer,
};
use opentelemetry_proto::tonic::collector::trace::v1::{
    ExportTraceServiceRequest, ExportTraceServiceResponse,
};
use opentelemetry_proto::tonic::common::v1::any_value::Value as AttributeValue;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use opentelemetry_proto::tonic::trace::v1::Span;
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use opentelemetry_proto::tonic::trace::v1::status::StatusCode;
use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tonic::transport::server::TcpIncoming;
use tonic::{Request, Response, Status};

use crate::harness::Keyfob;
use crate::serving::{PATIENCE, Serving, log_of};

const CALLER: &str = "b7ad6b7169203331";

/// A collector that keeps what it gets. It ends when it is dropped.
struct Collector {
    endpoint: String,
    received: Receiver<ExportTraceServiceRequest>,
    _runtime: Runtime,
}

struct Sink(Sender<ExportTraceServiceRequest>);

#[tonic::async_trait]
impl TraceService for Sink {
    async fn export(
        &self,
        request: Request<ExportTraceServiceRequest>,
    ) -> Result<Response<ExportTraceServiceResponse>, Status> {
        self.0.send(request.into_inner()).unwrap();
        Ok(Response::new(ExportTraceServiceResponse::default()))
    }
}

impl Collector {
    fn start() -> Self {
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let (sender, received) = mpsc::channel();
        let server = tonic::transport::Server::builder()
            .add_service(TraceServiceServer::new(Sink(sender)))
            .serve_with_incoming(TcpIncoming::from(listener));
        runtime.spawn(server);
        Self { endpoint, received, _runtime: runtime }
    }

    /// Everything that came, after the server has ended.
    fn received(self) -> Vec<ExportTraceServiceRequest> {
        self.received.try_iter().collect()
    }
}

fn spans(received: &[ExportTraceServiceRequest]) -> Vec<&Span> {
    let of_scope = received.iter().flat_map(|request| &request.resource_spans);
    of_scope.flat_map(|spans| &spans.scope_spans).flat_map(|spans| &spans.spans).collect()
}

fn attributes(all: &[KeyValue]) -> BTreeMap<&str, Value> {
    let value = |value: &AnyValue| match value.value.as_ref().unwrap() {
        AttributeValue::StringValue(text) => json!(text),
        AttributeValue::IntValue(number) => json!(number),
        other => panic!("{other:?}"),
    };
    all.iter().map(|pair| (pair.key.as_str(), value(pair.value.as_ref().unwrap()))).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn trace(number: u8) -> String {
    format!("{number:032x}")
}

/// Starts a server in memory whose traces go there.
fn serve<'a>(keyfob: &'a Keyfob, endpoint: &str, ratio: f64) -> Serving<'a> {
    let traces = format!("[traces]\nendpoint = \"{endpoint}\"\nsample_ratio = {ratio}\n");
    keyfob.file("keyfob.toml", format!("listen = \"127.0.0.1:0\"\n{traces}"));
    Serving::start(keyfob, &["--config", "keyfob.toml", "--dev"])
}

/// Sends a request as the admin, and returns the answer.
fn ask(serving: &Serving<'_>, line: &str, headers: &[(&str, &str)], body: &str) -> String {
    let key = serving.started["admin_key"].as_str().unwrap();
    let mut stream = TcpStream::connect(serving.address("url")).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let length = body.len();
    let mut head = format!("{line} HTTP/1.1\r\nhost: a\r\nconnection: close\r\n");
    head += &format!("authorization: Bearer {key}\r\ncontent-length: {length}\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    write!(stream, "{head}\r\n{body}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const JSON: (&str, &str) = ("content-type", "application/json");

#[test]
fn a_request_is_in_the_trace_of_its_caller_and_tells_no_secret() {
    let (collector, keyfob) = (Collector::start(), Keyfob::new());
    let serving = serve(&keyfob, &collector.endpoint, 0.0);
    let admin = serving.started["admin_key"].as_str().unwrap().to_owned();
    let parent = |number: u8, flags: &str| format!("00-{}-{CALLER}-{flags}", trace(number));

    let issued = ask(
        &serving,
        "POST /v1/tokens",
        &[JSON, ("traceparent", &parent(1, "01"))],
        r#"{"subject":"alice@example.com"}"#,
    );
    let issued: Value = serde_json::from_str(issued.split_once("\r\n\r\n").unwrap().1).unwrap();
    let (id, bearer) = (issued["id"].as_str().unwrap(), issued["bearer"].as_str().unwrap());
    let headers = [FORM, ("traceparent", &parent(2, "01")), ("x-request-id", "r-2")];
    let answer = ask(&serving, "POST /oauth2/introspect", &headers, &format!("token={bearer}"));
    assert!(answer.contains("\"active\":true"), "{answer}");
    let line = format!("GET /v1/tokens/{id}?unknown=hunter2");
    let answer = ask(&serving, &line, &[("traceparent", &parent(3, "01"))], "");
    assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
    // These are not sampled: the caller says so, or the ratio, or they are probes.
    ask(&serving, "POST /oauth2/introspect", &[FORM, ("traceparent", &parent(4, "00"))], "token=a");
    ask(&serving, "POST /oauth2/introspect", &[FORM], "token=a");
    ask(&serving, "GET /healthz", &[("traceparent", &parent(5, "01"))], "");
    assert_eq!(serving.end(), Some(0));

    let received = collector.received();
    let all = spans(&received);
    let traces: Vec<_> = all.iter().map(|span| hex(&span.trace_id)).collect();
    assert_eq!(traces, [trace(1), trace(2), trace(3)]);
    for span in &all {
        assert_eq!(hex(&span.parent_span_id), CALLER);
        assert_eq!(span.kind, SpanKind::Server as i32);
        assert_eq!(span.status.clone().unwrap_or_default().code, StatusCode::Unset as i32);
        assert!(span.start_time_unix_nano <= span.end_time_unix_nano && span.events.is_empty());
    }
    assert_eq!(all[1].name, "POST /oauth2/introspect");
    let introspection = json!({
        "http.request.method": "POST",
        "http.route": "/oauth2/introspect",
        "http.response.status_code": 200,
        "request_id": "r-2",
    });
    assert_eq!(json!(attributes(&all[1].attributes)), introspection);
    assert_eq!(attributes(&all[2].attributes)["http.route"], "/v1/tokens/{id}");
    assert_eq!(attributes(&all[2].attributes)["http.response.status_code"], 400);
    let resource = received[0].resource_spans[0].resource.as_ref().unwrap();
    assert_eq!(attributes(&resource.attributes)["service.name"], "keyfob");

    let everything = format!("{received:?}");
    let secret = bearer.rsplit('_').next().unwrap();
    for told in [&admin, bearer, secret, id, "alice", "hunter2", "unknown"] {
        assert!(!everything.contains(told), "{told}: {everything}");
    }
}

#[test]
fn requests_without_a_caller_that_decides_begin_traces_by_the_ratio() {
    let (collector, keyfob) = (Collector::start(), Keyfob::new());
    let serving = serve(&keyfob, &collector.endpoint, 1.0);
    for _ in 0..3 {
        ask(&serving, "POST /oauth2/introspect", &[FORM], "token=a");
    }
    // Sent while the server runs.
    let first = collector.received.recv_timeout(PATIENCE).unwrap();
    assert_eq!(serving.end(), Some(0));
    let received: Vec<_> = [first].into_iter().chain(collector.received()).collect();
    let all = spans(&received);
    assert!(all.iter().all(|span| span.parent_span_id.is_empty()), "{all:?}");
    let mut traces: Vec<_> = all.iter().map(|span| hex(&span.trace_id)).collect();
    traces.sort_unstable();
    traces.dedup();
    assert_eq!(traces.len(), 3, "each request has a trace of its own");
}

#[test]
fn a_collector_that_is_away_costs_no_request() {
    // One refuses connections; the other accepts them and never says a word.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let silent = (silent.local_addr().unwrap(), Some(silent));
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    for (address, _listener) in [(closed, None), silent] {
        let keyfob = Keyfob::new();
        let serving = serve(&keyfob, &format!("http://{address}"), 1.0);
        let answers = || {
            let answer = ask(&serving, "POST /oauth2/introspect", &[FORM], "token=a");
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        };
        (0..20).for_each(|_| answers());
        serving.wait_for_log("the collector of traces.endpoint takes no traces");
        (0..20).for_each(|_| answers());
        let ending = Instant::now();
        assert_eq!(serving.end(), Some(0));
        assert!(ending.elapsed() < PATIENCE);
        let log = log_of(&keyfob);
        assert_eq!(log.matches("takes no traces").count(), 1, "{log}");
    }
}

#[test]
fn without_an_endpoint_the_filter_of_the_log_changes_as_with_one() {
    let collector = Collector::start();
    for traces in [String::new(), format!("[traces]\nendpoint = \"{}\"\n", collector.endpoint)] {
        let keyfob = Keyfob::new();
        let write = |filter: &str| {
            let log = format!("[log]\nrequests = true\nfilter = \"{filter}\"\n");
            keyfob.file("keyfob.toml", format!("listen = \"127.0.0.1:0\"\n{log}{traces}"));
        };
        write("warn");
        let serving = Serving::start(&keyfob, &["--config", "keyfob.toml", "--dev"]);
        ask(&serving, "GET /healthz", &[("x-request-id", "r-1")], "");
        write("keyfob=info");
        serving.signal("HUP");
        serving.wait_for_log("the configuration has been read again");
        let caller = format!("00-{}-{CALLER}-01", trace(6));
        let headers = [FORM, ("x-request-id", "r-2"), ("traceparent", &*caller)];
        ask(&serving, "POST /oauth2/introspect", &headers, "token=a");
        serving.wait_for_log("introspect");
        let log = log_of(&keyfob);
        // The console asks for metrics now and then.
        let is_ours = |line: &&str| line.contains("answered") && line.contains("introspect");
        let answered = log.lines().find(is_ours).unwrap();
        let answered: Value = serde_json::from_str(answered).unwrap();
        let answered = answered["log"].as_object().unwrap();
        assert_eq!(answered["request_id"], "r-2", "{log}");
        assert_eq!(answered["trace_id"], trace(6), "{log}");
        // What the span in traces has is no part of the line.
        assert!(!answered.keys().any(|name| name.contains("http") || name.contains("otel")));
    }
}
