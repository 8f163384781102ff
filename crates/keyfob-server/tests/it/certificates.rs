//! Tokens that are bound to a certificate (RFC 8705), which a trusted proxy names. `connections::tls` has real handshakes.

use axum::body::Bytes;
use base64ct::{Base64, Encoding as _};
use http::{Method, Request};
use http_body_util::{BodyExt as _, Full};
use keyfob::token::Confirmation;
use keyfob::{Grant, Kind, Presentation};
use keyfob_server::{CertificateSettings, Settings};
use keyfob_tower::{CertificateHeader, TrustedProxies};
use serde_json::json;

use crate::support::{FORM, Key, Reply, Service};
use crate::webhooks::transmitting;

const OWN: &[u8] = b"the certificate of the client";
const OTHER: &[u8] = b"the certificate of a thief";

/// Settings that believe the loopback, with this setting of the token endpoint.
fn settings(bound_access_tokens: bool) -> Settings {
    let header = Some(CertificateHeader::ClientCert);
    Settings::new()
        .trusted_proxies(TrustedProxies::x_forwarded_for(["127.0.0.0/8"]).unwrap())
        .certificates(CertificateSettings { header, bound_access_tokens })
}

fn named(certificate: &[u8]) -> String {
    format!(":{}:", Base64::encode_string(certificate))
}

async fn send(
    service: &Service,
    method: Method,
    path: &str,
    authorization: &str,
    certificate: Option<&[u8]>,
    body: &str,
) -> Reply {
    let mut request = Request::builder().method(method).uri(format!("{}{path}", service.url));
    request = request.header("authorization", authorization).header("content-type", FORM);
    if let Some(certificate) = certificate {
        request = request.header("client-cert", named(certificate));
    }
    service.send(request.body(Full::new(Bytes::from(body.to_owned()))).unwrap()).await
}

async fn get(service: &Service, path: &str, key: &Key, certificate: Option<&[u8]>) -> u16 {
    let reply = send(service, Method::GET, path, &key.bearer(), certificate, "").await;
    reply.status.as_u16()
}

#[tokio::test]
async fn a_key_that_is_bound_to_a_certificate_opens_the_service_with_it_alone() {
    let service = Service::with(settings(false)).await;
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("keyfob:read");
    let key = service.key_of(grant.confirmation(Confirmation::of_certificate(OWN))).await;
    assert_eq!(get(&service, "/v1/caller", &key, Some(OWN)).await, 200);
    assert_eq!(get(&service, "/v1/caller", &key, Some(OTHER)).await, 401);
    assert_eq!(get(&service, "/v1/caller", &key, None).await, 401);
    // A key that is bound to none is not affected.
    let free = service.key("app", "keyfob:read").await;
    assert_eq!(get(&service, "/v1/caller", &free, Some(OTHER)).await, 200);
}

#[tokio::test]
async fn nobody_but_a_trusted_proxy_names_a_certificate() {
    let header = Some(CertificateHeader::ClientCert);
    let certificates = CertificateSettings { header, bound_access_tokens: false };
    let elsewhere = TrustedProxies::x_forwarded_for(["192.0.2.0/24"]).unwrap();
    let settings = Settings::new().trusted_proxies(elsewhere).certificates(certificates);
    let service = Service::with(settings).await;
    let grant = Grant::new(Kind::ApiKey).client("app").scopes("keyfob:read");
    let key = service.key_of(grant.confirmation(Confirmation::of_certificate(OWN))).await;
    assert_eq!(get(&service, "/v1/caller", &key, Some(OWN)).await, 401);
    let bearer = service.bearer(bound("alice")).await;
    assert_eq!(authz(&service, &bearer, Some(OWN)).await.status, 401);
}

fn bound(subject: &str) -> Grant {
    let grant = Grant::new(Kind::Access).subject(subject);
    grant.confirmation(Confirmation::of_certificate(OWN))
}

async fn authz(service: &Service, bearer: &str, certificate: Option<&[u8]>) -> Reply {
    let authorization = format!("Bearer {bearer}");
    send(service, Method::GET, "/authz", &authorization, certificate, "").await
}

#[tokio::test]
async fn a_gateway_passes_a_bound_token_with_its_certificate_alone() {
    let service = Service::with(settings(false)).await;
    let bearer = service.bearer(bound("alice")).await;
    let passed = authz(&service, &bearer, Some(OWN)).await;
    assert_eq!(
        (passed.status.as_u16(), &passed.headers["x-token-subject"]),
        (200, &"alice".parse().unwrap())
    );
    for certificate in [None, Some(OTHER)] {
        let refused = authz(&service, &bearer, certificate).await;
        assert_eq!(refused.error(), (401, "invalid_token".into()));
    }
}

#[tokio::test]
async fn the_token_endpoint_binds_access_tokens_where_the_settings_say_so() {
    let form = "grant_type=client_credentials";
    for binds in [true, false] {
        let service = Service::with(settings(binds)).await;
        let key = service.key("app", "read").await;
        let token = async |certificate| {
            let path = "/oauth2/token";
            let reply = send(&service, Method::POST, path, &key.basic(), certificate, form).await;
            reply.json()["access_token"].as_str().unwrap().to_owned()
        };
        let bearer = token(Some(OWN)).await;
        assert_eq!(service.manager.validate_active(&*bearer).await.is_err(), binds, "stolen");
        let own = Confirmation::of_certificate(OWN);
        let presented = Presentation::new(&bearer).confirmation(&own);
        assert!(service.manager.validate_active(presented).await.is_ok());
        let without = token(None).await;
        assert!(service.manager.validate_active(&*without).await.is_ok());
        let metadata = service.get("/.well-known/oauth-authorization-server", None).await.json();
        let member = metadata.get("tls_client_certificate_bound_access_tokens");
        assert_eq!(member, binds.then_some(&json!(true)));
    }
}

#[tokio::test]
async fn a_refresh_token_that_is_bound_to_a_certificate_is_exchanged_with_it_alone() {
    let settings = settings(false).public_client("spa".parse().unwrap());
    let service = Service::with(settings).await;
    let grant = Grant::new(Kind::Refresh).subject("alice").client("spa");
    let grant = grant.confirmation(Confirmation::of_certificate(OWN));
    let bearer = service.bearer(grant).await;
    let form = format!("grant_type=refresh_token&client_id=spa&refresh_token={bearer}");
    let exchange = async |certificate: Option<&[u8]>| {
        let mut request = Request::post(format!("{}/oauth2/token", service.url));
        request = request.header("content-type", FORM);
        if let Some(certificate) = certificate {
            request = request.header("client-cert", named(certificate));
        }
        service.send(request.body(Full::new(Bytes::from(form.clone()))).unwrap()).await
    };
    for certificate in [None, Some(OTHER)] {
        assert_eq!(exchange(certificate).await.error(), (400, "invalid_grant".into()));
    }
    let reply = exchange(Some(OWN)).await;
    assert_eq!(reply.status, 200);
    let access = reply.json()["access_token"].as_str().unwrap().to_owned();
    assert!(service.manager.validate_active(&*access).await.is_err(), "it is bound too");
}

#[tokio::test]
async fn a_request_that_takes_long_still_knows_the_certificate_of_its_caller() {
    let settings = settings(false);
    let mut transmitting = transmitting();
    transmitting.trusted_proxies = settings.trusted_proxies;
    transmitting.certificates = settings.certificates;
    let service = Service::with(transmitting).await;
    let grant = Grant::new(Kind::ApiKey).client("idp").scopes("keyfob:signals keyfob:events");
    let key = service.key_of(grant.confirmation(Confirmation::of_certificate(OWN))).await;
    let request = |method, path: &str| {
        let request = Request::builder().method(method).uri(format!("{}{path}", service.url));
        let request = request.header("authorization", key.bearer());
        request.header("client-cert", named(OWN)).header("content-type", "application/json")
    };
    let body = |body: serde_json::Value| Full::new(Bytes::from(body.to_string()));
    let create = request(Method::POST, "/ssf/streams").body(body(json!({}))).unwrap();
    let stream = service.send(create).await.json();
    let path = format!("/ssf/streams/{}/poll", stream["stream_id"].as_str().unwrap());
    let wanted = body(json!({"returnImmediately": true}));
    let polled = service.send(request(Method::POST, &path).body(wanted).unwrap()).await;
    assert_eq!(polled.status, 200, "{polled:?}");
    let events = request(Method::GET, "/v1/events").header("accept", "text/event-stream");
    let mut events = service.open_request(events.body(Full::default()).unwrap()).await;
    let first = events.body_mut().frame().await.expect("it does not end at once");
    assert_eq!(first.unwrap().into_data().unwrap(), ": keep-alive\n\n");
}
