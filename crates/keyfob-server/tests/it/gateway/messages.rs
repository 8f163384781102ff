//! The messages of Envoy, against bytes that `tests/fixtures/envoy/make.py` has written.

use bytes::Bytes;
use prost::Message as _;

use super::envoy::{
    Address, AttributeContext, CheckRequest, CheckResponse, DeniedHttpResponse, Entry, Field,
    HeaderAppendAction, HeaderMap, HeaderValue, HeaderValueOption, HttpRequest, HttpResponse,
    HttpStatus, Kind, ListValue, OkHttpResponse, Peer, Request, SetHeader, SocketAddress, Status,
    Struct, Value,
};

macro_rules! fixture {
    ($name:literal) => {
        include_bytes!(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/fixtures/envoy/",
            $name,
            ".binpb"
        ))
        .as_slice()
    };
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn bytes(text: &str) -> Bytes {
    text.to_owned().into()
}

fn entry(key: &str, value: &str) -> Entry {
    Entry { key: text(key), value: text(value) }
}

fn option(key: &str, value: &str) -> HeaderValueOption {
    HeaderValueOption {
        header: Some(SetHeader { key: bytes(key), value: bytes(value) }),
        append_action: HeaderAppendAction::OverwriteIfExistsOrAdd.into(),
    }
}

fn value(text: &str) -> Value {
    Value { kind: Some(Kind::String(bytes(text))) }
}

#[test]
fn a_check_request_of_the_published_files_is_read() {
    let raw = [("cookie", "a=1", &[][..]), ("x-device", "", &[0xff])];
    let raw = raw.map(|(key, value, raw_value)| HeaderValue {
        key: text(key),
        value: text(value),
        raw_value: raw_value.to_vec(),
    });
    let http = HttpRequest {
        headers: vec![entry("authorization", "Bearer x")],
        path: text("/page?a=1"),
        method: text("GET"),
        host: text("shop.example"),
        scheme: text("https"),
        header_map: Some(HeaderMap { headers: raw.to_vec() }),
    };
    let address = SocketAddress { address: text("192.0.2.7") };
    let expected = AttributeContext {
        source: Some(Peer {
            address: Some(Address { socket_address: Some(address) }),
            certificate: text("-----BEGIN%20CERTIFICATE-----"),
        }),
        request: Some(Request { http: Some(http) }),
        context_extensions: vec![entry("scope", "read")],
    };
    let read = CheckRequest::decode(fixture!("check_request")).unwrap();
    assert_eq!(read.attributes, Some(expected));
}

#[test]
fn a_check_response_is_written_as_the_published_files_say() {
    let number = Value { kind: Some(Kind::Number(1_700_000_000.0)) };
    let scopes = ListValue { values: vec![value("read"), value("write")] };
    let scopes = Value { kind: Some(Kind::List(scopes)) };
    let fields = [("expires_at", number), ("scopes", scopes), ("subject", value("alice"))];
    let fields = fields.map(|(name, value)| Field { key: bytes(name), value: Some(value) });
    let ok = CheckResponse {
        status: Some(Status { code: 0 }),
        http_response: Some(HttpResponse::Ok(OkHttpResponse {
            headers: vec![option("x-token-subject", "alice")],
            headers_to_remove: vec![bytes("x-token-client")],
            response_headers_to_add: vec![option("ratelimit", "1")],
        })),
        dynamic_metadata: Some(Struct { fields: fields.into() }),
    };
    assert_eq!(ok.encode_to_vec(), fixture!("ok"));
    let denied = CheckResponse {
        status: Some(Status { code: 16 }),
        http_response: Some(HttpResponse::Denied(DeniedHttpResponse {
            status: Some(HttpStatus { code: 401 }),
            headers: vec![option("www-authenticate", "Bearer")],
            body: text("no"),
        })),
        dynamic_metadata: None,
    };
    assert_eq!(denied.encode_to_vec(), fixture!("denied"));
}
