//! Tokens that are bound to a certificate (RFC 8705).

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use axum::routing::get as route;
use axum::{Extension, Router};
use keyfob::ValidationChain;
use keyfob::token::Confirmation;
use keyfob_tower::{AuthLayer, CertificateHeader, ClientCertificate, TrustedProxies};

use crate::harness::*;

/// An application whose connections have shown this certificate, behind these proxies.
fn app(bench: &Bench, shown: Option<&'static [u8]>, proxies: TrustedProxies) -> Router {
    let auth = AuthLayer::new(bench.manager.clone(), ValidationChain::new()).unwrap();
    let auth = auth.trusted_proxies(proxies).client_certificates(CertificateHeader::ClientCert);
    let app = Router::new().route("/", route(|| async { "in" })).layer(auth);
    match shown {
        Some(der) => app.layer(Extension(ClientCertificate::of_der(der))),
        None => app.layer(from_fn(|request: Request, next: Next| next.run(request))),
    }
}

#[tokio::test]
async fn a_bound_token_passes_with_the_certificate_of_the_connection_alone() {
    let bench = bench();
    let issued = bench.issue(grant().confirmation(Confirmation::of_certificate(b"own"))).await;
    let authorization = bearer(&issued);
    for (shown, status) in [(Some(&b"own"[..]), 200), (Some(&b"other"[..]), 401), (None, 401)] {
        let address = serve(app(&bench, shown, TrustedProxies::none())).await;
        let answer = get(address, "/", &[("authorization", &authorization)]).await;
        assert_eq!(answer.status, status, "{shown:?}");
        // Nobody may name a certificate who is not a trusted proxy. b3du is "own" in base64.
        let named = [("authorization", &*authorization), ("client-cert", ":b3du:")];
        assert_eq!(get(address, "/", &named).await.status, status, "{shown:?}");
    }
}

#[tokio::test]
async fn a_bound_token_passes_with_the_certificate_that_a_trusted_proxy_names() {
    let bench = bench();
    let issued = bench.issue(grant().confirmation(Confirmation::of_certificate(b"own"))).await;
    let authorization = bearer(&issued);
    let proxies = TrustedProxies::x_forwarded_for(["127.0.0.0/8"]).unwrap();
    // The proxy's own certificate is not the client's.
    let address = serve(app(&bench, Some(b"own"), proxies)).await;
    let ask = async |named: &[&str]| {
        let mut headers = vec![("authorization", authorization.as_str())];
        headers.extend(named.iter().map(|value| ("client-cert", *value)));
        get(address, "/", &headers).await.status.as_u16()
    };
    assert_eq!(ask(&[":b3du:"]).await, 200);
    assert_eq!(ask(&[":b3RoZXI=:"]).await, 401);
    assert_eq!(ask(&[":b3du:", ":b3du:"]).await, 401);
    assert_eq!(ask(&[]).await, 401);
}
