//! gRPC requests over HTTP/2, answered in headers alone.

use axum::Router;
use axum::routing::post;
use http::{HeaderMap, Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use keyfob::{LimitBy, LimitPolicy, ValidationChain};
use keyfob_tower::{AuthLayer, RequireScope};

use crate::harness::*;

/// Calls a method, and returns the headers and whether there was a body.
async fn call(
    address: std::net::SocketAddr,
    path: &str,
    headers: &[(&str, &str)],
) -> (u16, HeaderMap, usize) {
    let client = Client::builder(TokioExecutor::new()).http2_only(true).build_http();
    let mut request = Request::builder()
        .method(Method::POST)
        .uri(format!("http://{address}{path}"))
        .header("content-type", "application/grpc+proto")
        .header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let body = Full::new(bytes::Bytes::from_static(&[0; 5]));
    let (parts, body) = client.request(request.body(body).unwrap()).await.unwrap().into_parts();
    let collected = body.collect().await.unwrap();
    assert!(collected.trailers().is_none(), "the status is in the headers");
    (parts.status.as_u16(), parts.headers, collected.to_bytes().len())
}

fn app(bench: &Bench) -> Router {
    let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new()).unwrap();
    let method = || post(|| async { "ok" });
    Router::new()
        .route("/shop.Orders/Get", method())
        .route("/shop.Orders/Put", method().layer(RequireScope::new("write").unwrap()))
        .layer(auth)
}

#[tokio::test]
async fn each_refusal_has_its_status() {
    let one = LimitPolicy::new("calls", LimitBy::Subject, "2/1h".parse().unwrap()).unwrap();
    let bench = limited([one]);
    let address = serve(app(&bench)).await;
    let good = bearer(&bench.access().await);
    let other = bearer(&bench.issue(keyfob::Grant::new(keyfob::Kind::Access)).await);
    let good = [("authorization", good.as_str())];
    let check = async |path: &str, headers: &[(&str, &str)], expected: &str| {
        let (status, headers, body) = call(address, path, headers).await;
        assert_eq!((status, body), (200, 0), "{expected}");
        assert_eq!(headers["content-type"], "application/grpc");
        assert_eq!(headers["grpc-status"], expected);
        assert!(!headers["grpc-message"].is_empty());
        assert_eq!(headers["cache-control"], "no-store");
        headers
    };
    check("/shop.Orders/Get", &[], "16").await;
    check("/shop.Orders/Get", &[("authorization", "Bearer fob_at_x")], "16").await;
    check("/shop.Orders/Get?access_token=x", &[], "3").await;
    check("/shop.Orders/Put", &good, "7").await;
    let (status, headers, body) = call(address, "/shop.Orders/Get", &good).await;
    assert_eq!((status, body), (200, 2));
    assert!(!headers.contains_key("grpc-status"), "the service answers");
    let limited = check("/shop.Orders/Get", &good, "8").await;
    assert_eq!(limited["grpc-retry-pushback-ms"], "1800000");
    bench.store.fail();
    check("/shop.Orders/Get", &[("authorization", &other)], "14").await;
}
