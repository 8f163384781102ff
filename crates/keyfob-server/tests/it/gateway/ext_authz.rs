//! Envoy's external authorization over gRPC, by a client of gRPC over a socket.

use std::collections::HashMap;
use std::sync::Arc;

use http::uri::PathAndQuery;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use keyfob::token::Confirmation;
use keyfob::{Grant, Kind, LimitBy, LimitPolicy, Limits, LocalLimits, MemoryStore, TokenManager};
use keyfob_jwt::dpop::{ProofKey, ProofRequest};
use keyfob_server::Settings;
use keyfob_tower::{SessionCookie, TrustedProxies};
use metrics_exporter_prometheus::PrometheusBuilder;
use tonic::body::Body;
use tonic::client::Grpc;
use tonic::{Code, Status};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use super::envoy::{
    Address, AttributeContext, CheckRequest, CheckResponse, Entry, Field, HeaderMap, HeaderValue,
    HeaderValueOption, HttpRequest, HttpResponse, Kind as ValueKind, OkHttpResponse, Peer, Request,
    SocketAddress,
};
use crate::failing_store::FailingStore;
use crate::support::Service;

fn check(headers: &[(&str, &str)], extensions: &[(&str, &str)]) -> CheckRequest {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).into(), value: (*value).into() };
    let authority = (":authority", "shop.example");
    let headers = headers.iter().chain([&authority]).map(entry).collect();
    let http = HttpRequest {
        method: "GET".into(),
        scheme: "https".into(),
        host: "shop.example".into(),
        path: "/page?a=1".into(),
        headers,
        ..HttpRequest::default()
    };
    let attributes = AttributeContext {
        request: Some(Request { http: Some(http) }),
        context_extensions: extensions.iter().map(entry).collect(),
        ..AttributeContext::default()
    };
    CheckRequest { attributes: Some(attributes) }
}

fn http(check: &mut CheckRequest) -> &mut HttpRequest {
    let request = check.attributes.as_mut().unwrap().request.as_mut().unwrap();
    request.http.as_mut().unwrap()
}

/// A client of gRPC: HTTP/2 without TLS.
fn client() -> Client<HttpConnector, Body> {
    Client::builder(TokioExecutor::new()).http2_only(true).build_http()
}

async fn try_ask(service: &Service, check: CheckRequest) -> Result<CheckResponse, Status> {
    let mut grpc = Grpc::with_origin(client(), service.url.parse().unwrap());
    grpc.ready().await.unwrap();
    let path = PathAndQuery::from_static("/envoy.service.auth.v3.Authorization/Check");
    let codec = tonic_prost::ProstCodec::<CheckRequest, CheckResponse>::new();
    grpc.unary(tonic::Request::new(check), path, codec).await.map(tonic::Response::into_inner)
}

async fn ask(service: &Service, check: CheckRequest) -> CheckResponse {
    try_ask(service, check).await.unwrap()
}

async fn ask_as(service: &Service, bearer: &str, extensions: &[(&str, &str)]) -> CheckResponse {
    let authorization = format!("Bearer {bearer}");
    ask(service, check(&[("authorization", &authorization)], extensions)).await
}

fn values(options: &[HeaderValueOption]) -> HashMap<&str, &str> {
    let pair = |option: &&HeaderValueOption| option.header.is_some();
    let headers = options.iter().filter(pair).map(|option| option.header.as_ref().unwrap());
    headers.map(|header| (text(&header.key), text(&header.value))).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

fn allowed(response: &CheckResponse) -> &OkHttpResponse {
    assert_eq!(response.status.as_ref().unwrap().code, 0);
    match &response.http_response {
        Some(HttpResponse::Ok(ok)) => ok,
        other => panic!("{other:?}"),
    }
}

/// The code of gRPC, the status of HTTP, and the headers and the body for the client.
fn denied(response: &CheckResponse) -> (Code, i32, HashMap<&str, &str>, &str) {
    match &response.http_response {
        Some(HttpResponse::Denied(denied)) => {
            let status = denied.status.as_ref().unwrap().code;
            let code = Code::from(response.status.as_ref().unwrap().code);
            (code, status, values(&denied.headers), &denied.body)
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_request_that_may_pass_has_its_identity_in_headers_and_in_metadata() {
    let service = Service::start().await;
    let grant = Grant::new(Kind::Access).subject("zoë").scopes("write read").audience("shop");
    let issued = service.manager.issue(grant.issuer("i")).await.unwrap();
    let extensions = [("scope", "read write"), ("audience", "shop")];
    let response = ask_as(&service, issued.bearer.expose(), &extensions).await;
    let ok = allowed(&response);
    let headers = values(&ok.headers);
    assert_eq!((headers["x-token-subject"], headers["x-token-scope"]), ("zo%C3%AB", "read write"));
    assert_eq!(headers["x-token-id"], issued.token.id.to_string());
    // The token has no client. What the client of Envoy sends in that header is removed.
    assert_eq!(ok.headers_to_remove, ["x-token-client"]);
    let fields = &response.dynamic_metadata.as_ref().unwrap().fields;
    let value = |field: &Field| field.value.as_ref().and_then(|value| value.kind.clone()).unwrap();
    let metadata: HashMap<_, _> =
        fields.iter().map(|field| (text(&field.key), value(field))).collect();
    let text = |name: &str| match &metadata[name] {
        ValueKind::String(value) => text(value).to_owned(),
        ValueKind::Number(number) => number.to_string(),
        ValueKind::List(list) => format!("{} values", list.values.len()),
    };
    assert_eq!(
        (text("subject"), text("issuer"), text("kind")),
        ("zoë".into(), "i".into(), "access".into())
    );
    assert_eq!((text("scopes"), text("audiences")), ("2 values".into(), "1 values".into()));
    assert_eq!(text("expires_at"), issued.token.expires_at.unwrap().as_secs().to_string());
    assert!(!metadata.contains_key("client"));
}

#[tokio::test]
async fn a_request_that_may_not_pass_is_answered_like_one_over_http() {
    let cookie = SessionCookie::new("session").unwrap();
    let service = Service::with(Settings::new().gateway_cookie(cookie)).await;
    let bearer = service.bearer(Grant::new(Kind::Session).scope("read")).await;
    let response = ask(&service, check(&[], &[])).await;
    let (code, status, headers, _) = denied(&response);
    assert_eq!((code, status), (Code::Unauthenticated, 401));
    assert_eq!(headers["www-authenticate"], "Bearer realm=\"keyfob\"");
    let response = ask_as(&service, &bearer, &[("scope", "write")]).await;
    let (code, status, headers, body) = denied(&response);
    assert_eq!((code, status), (Code::PermissionDenied, 403));
    assert!(headers["www-authenticate"].ends_with("scope=\"write\""));
    assert!(body.contains("\"insufficient_scope\"") && headers["cache-control"] == "no-store");
    for extensions in [[("scopes", "read")], [("chain", "shop")], [("scope", "")], [("limit", "x")]]
    {
        let response = ask_as(&service, &bearer, &extensions).await;
        let (code, status, _, body) = denied(&response);
        assert_eq!((code, status), (Code::InvalidArgument, 400), "{extensions:?}");
        assert!(body.contains("invalid_demands"), "{body}");
    }
    let (header, cookie) = (format!("Bearer {bearer}"), format!("a=1; __Host-session={bearer}"));
    allowed(&ask(&service, check(&[("cookie", &cookie)], &[])).await);
    let twice = format!("{header},{header}");
    for headers in [
        vec![("authorization", &*header), ("cookie", &*cookie)],
        vec![("authorization", &*twice)],
        vec![("authorization", &*header), ("authorization", &*header)],
        vec![("authorization", "Bearer \n")],
    ] {
        let response = ask(&service, check(&headers, &[])).await;
        assert_eq!(denied(&response).1, 400, "{headers:?}");
    }
    let mut in_query = check(&[("authorization", &header)], &[]);
    http(&mut in_query).path = format!("/page?access_token={bearer}");
    assert_eq!(denied(&ask(&service, in_query).await).1, 400);
    assert_eq!(denied(&ask(&service, CheckRequest::default()).await).1, 401);
}

#[tokio::test]
async fn raw_headers_are_read_one_by_one() {
    let service = Service::start().await;
    let bearer = service.bearer(Grant::new(Kind::Access).device_id("phone-1")).await;
    let ask = async |values: &[(&str, &str)]| {
        let mut check = check(&[], &[("device_header", "x-device")]);
        let raw = |(key, value): &(&str, &str)| HeaderValue {
            key: (*key).to_owned(),
            value: String::new(),
            raw_value: value.as_bytes().to_vec(),
        };
        http(&mut check).header_map = Some(HeaderMap { headers: values.iter().map(raw).collect() });
        ask(&service, check).await
    };
    let authorization = format!("Bearer {bearer}");
    let (token, device) = (("authorization", &*authorization), ("x-device", "phone-1"));
    allowed(&ask(&[token, device]).await);
    assert_eq!(denied(&ask(&[token]).await).1, 401);
    assert_eq!(denied(&ask(&[token, token, device]).await).1, 400);
}

#[tokio::test]
async fn limits_are_charged_to_the_address_that_a_trusted_envoy_names() {
    let policy = LimitPolicy::new("per-address", LimitBy::Ip, "1/1h".parse().unwrap()).unwrap();
    let limits = Limits::new(LocalLimits::new()).policy(policy).unwrap();
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits).build();
    let proxies = TrustedProxies::x_forwarded_for(["127.0.0.1"]).unwrap();
    let service = Service::over(manager, Settings::new().trusted_proxies(proxies)).await;
    let authorization = format!("Bearer {}", service.bearer(Grant::new(Kind::Access)).await);
    let from = async |address: &str| {
        let mut check = check(&[("authorization", &authorization)], &[("limit", "per-address")]);
        let address = SocketAddress { address: address.to_owned() };
        let address = Address { socket_address: Some(address) };
        let peer = Peer { address: Some(address), ..Peer::default() };
        check.attributes.as_mut().unwrap().source = Some(peer);
        ask(&service, check).await
    };
    let response = from("192.0.2.1").await;
    assert_eq!(
        values(&allowed(&response).response_headers_to_add)["ratelimit"],
        "\"per-address\";r=0;t=3600"
    );
    let response = from("192.0.2.1").await;
    let (code, status, headers, _) = denied(&response);
    assert_eq!((code, status, headers["retry-after"]), (Code::ResourceExhausted, 429, "3600"));
    allowed(&from("192.0.2.2").await);
}

#[tokio::test]
async fn a_store_that_is_down_answers_503_and_the_replica_is_not_serving() {
    let store = Arc::new(FailingStore::new());
    let manager = TokenManager::builder(Arc::clone(&store)).build();
    let service = Service::over(manager, Settings::new()).await;
    let bearer = service.bearer(Grant::new(Kind::Access)).await;
    let mut client = HealthClient::with_origin(client(), service.url.parse().unwrap());
    let mut serving = async |name: &str| {
        let request = HealthCheckRequest { service: name.to_owned() };
        client.check(request).await.map(|response| response.into_inner().status())
    };
    assert_eq!(serving("").await.unwrap(), ServingStatus::Serving);
    store.set_down(true);
    let response = ask_as(&service, &bearer, &[("strong", "true")]).await;
    let (code, status, headers, _) = denied(&response);
    assert_eq!((code, status, headers["retry-after"]), (Code::Unavailable, 503, "1"));
    assert_eq!(
        serving("envoy.service.auth.v3.Authorization").await.unwrap(),
        ServingStatus::NotServing
    );
    assert_eq!(serving("other").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_message_that_is_too_long_and_a_service_that_is_unknown_are_refused() {
    let service = Service::start().await;
    let long = "x".repeat(300 * 1024);
    let refused = try_ask(&service, check(&[("x", &long)], &[])).await.unwrap_err();
    assert_eq!(refused.code(), Code::OutOfRange, "{refused}");
    let reply = service.raw(http::Method::POST, "/a.B/C", None, "application/grpc", "").await;
    assert_eq!(
        (reply.status.as_u16(), &reply.headers["grpc-status"]),
        (200, &"12".parse().unwrap())
    );
}

#[tokio::test]
async fn a_check_is_counted_by_the_status_that_the_client_gets() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let service = {
        let _here = metrics::set_default_local_recorder(&recorder);
        Service::start().await
    };
    let bearer = service.bearer(Grant::new(Kind::Access)).await;
    allowed(&ask_as(&service, &bearer, &[]).await);
    denied(&ask(&service, check(&[], &[])).await);
    let long = "x".repeat(300 * 1024);
    try_ask(&service, check(&[("x", &long)], &[])).await.unwrap_err();
    let mut client = HealthClient::with_origin(client(), service.url.parse().unwrap());
    client.check(HealthCheckRequest::default()).await.unwrap();
    service.raw(http::Method::POST, "/a.B/C", None, "application/grpc", "").await;
    let rendered = recorder.handle().render();
    for (route, status, count) in [
        ("extAuthz", "2xx", 1),
        ("extAuthz", "4xx", 2),
        ("grpcHealth", "2xx", 1),
        ("unrouted", "4xx", 1),
    ] {
        let series = format!(
            "keyfob_http_requests_total{{route=\"{route}\",status=\"{status}\"}} {count}\n"
        );
        assert!(rendered.contains(&series), "no {series}");
    }
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_key_needs_a_proof_for_the_request_that_envoy_describes() {
    let limits = Limits::new(LocalLimits::new());
    let manager = TokenManager::builder(MemoryStore::new().unwrap()).limits(limits).build();
    let service = Service::over(manager, Settings::new()).await;
    let key = ProofKey::generate().unwrap();
    let bearer = service.bearer(Grant::new(Kind::Access).confirmation(key.confirmation())).await;
    let proof = |uri: &str, jti: &str| {
        let uri = uri.parse().unwrap();
        let request = ProofRequest { method: "GET", uri: &uri, access_token: Some(&bearer) };
        key.sign(&request, jti, None, service.manager.now()).unwrap()
    };
    let authorization = format!("DPoP {bearer}");
    let verdict = async |proof: &str| {
        let headers = [("authorization", authorization.as_str()), ("dpop", proof)];
        let answer = ask(&service, check(&headers, &[])).await;
        answer.status.unwrap().code == 0
    };
    let good = proof("https://shop.example/page", "1");
    assert!(verdict(&good).await);
    assert!(!verdict(&good).await, "it was used");
    assert!(!verdict(&proof("https://shop.example/other", "2")).await);
    assert!(!verdict(&proof("https://evil.example/page", "3")).await);
    let stolen = ask_as(&service, &bearer, &[]).await;
    assert_eq!(stolen.status.unwrap().code, Code::Unauthenticated as i32);
}

#[tokio::test]
async fn a_token_that_is_bound_to_a_certificate_needs_the_one_that_envoy_was_shown() {
    use base64ct::Encoding as _;
    let of_peer = |certificate: &[u8]| {
        let base64 = base64ct::Base64::encode_string(certificate);
        let pem = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
        let escaped = pem.bytes().map(|byte| format!("%{byte:02x}")).collect();
        Some(Peer { certificate: escaped, ..Peer::default() })
    };
    let bound = Confirmation::of_certificate(b"own");
    let passes = async |proxies: &str, source: Option<Peer>| {
        let proxies = TrustedProxies::x_forwarded_for([proxies]).unwrap();
        let service = Service::with(Settings::new().trusted_proxies(proxies)).await;
        let bearer = service.bearer(Grant::new(Kind::Access).confirmation(bound.clone())).await;
        let authorization = format!("Bearer {bearer}");
        let mut check = check(&[("authorization", &authorization)], &[]);
        check.attributes.as_mut().unwrap().source = source;
        ask(&service, check).await.status.unwrap().code == 0
    };
    assert!(passes("127.0.0.1", of_peer(b"own")).await);
    assert!(!passes("127.0.0.1", of_peer(b"other")).await);
    assert!(!passes("127.0.0.1", None).await);
    assert!(!passes("192.0.2.1", of_peer(b"own")).await, "anyone may send a check request");
}
