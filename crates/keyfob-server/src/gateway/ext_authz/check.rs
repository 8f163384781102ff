//! From a check request of Envoy to a verdict.

use std::borrow::Cow;
use std::net::IpAddr;
use std::pin::pin;

use http::header::{AUTHORIZATION, COOKIE};
use http::{HeaderMap, HeaderName, HeaderValue};
use keyfob::ErrorClass;
use keyfob::token::Confirmation;
use keyfob_tower::dpop::PROOF;
use keyfob_tower::{ErrorResponse, TrustedProxies, confirmation_of_escaped_pem};

use super::messages::{AttributeContext, CheckRequest, Entry, HttpRequest};
use super::render::Identity;
use crate::deadline::within;
use crate::gateway::decide::decide;
use crate::gateway::demands::{BadDemands, Demands, Device};
use crate::gateway::request::{ClientRequest, Target, query_of};
use crate::gateway::verdict::Verdict;
use crate::routes::request_id::REQUEST_ID;
use crate::routes::trace::TRACEPARENT;
use crate::settings::Settings;
use crate::shared::Shared;

/// The header that has a proof of possession.
static PROOF_HEADER: HeaderName = PROOF;

/// The headers in which proxies name the client address.
static FORWARDED: [HeaderName; 2] =
    [HeaderName::from_static("x-forwarded-for"), HeaderName::from_static("forwarded")];

/// Returns the verdict on the request that Envoy describes. `peer` is who asks.
pub(super) async fn verdict(
    shared: &Shared,
    check: &CheckRequest,
    peer: Option<IpAddr>,
) -> Verdict<Identity> {
    let settings = &shared.settings;
    let attributes = check.attributes.as_ref();
    let demands = Demands::of_pairs(
        attributes.into_iter().flat_map(|attributes| extensions(&attributes.context_extensions)),
        &settings.chains,
    );
    let http = attributes.and_then(|attributes| attributes.request.as_ref()?.http.as_ref());
    let Some(headers) = headers(http, &demands) else {
        let response = ErrorResponse::invalid_request("a header of the request is malformed");
        return Verdict::Denied(response.into());
    };
    let source = attributes.and_then(source);
    let address = client_address(peer, source, &headers, &settings.trusted_proxies);
    let query = http.map_or("", |http| query_of(&http.path));
    // Only a proof of possession needs it.
    let target = http.filter(|_| !is_bearer(&headers)).and_then(target);
    let certificate = certificate(peer, attributes, settings);
    let request = ClientRequest { headers: &headers, query, address, certificate, target };
    let limit = settings.request_timeout;
    let deciding = pin!(decide(shared, &request, &demands, Identity::of));
    let decided = within(limit, deciding).await;
    decided.unwrap_or_else(|| Verdict::Denied(ErrorResponse::new(ErrorClass::Unavailable).into()))
}

/// Returns the headers that have the ids of the client's request: those of Envoy's own request, else those
/// of the request that it describes.
pub(super) fn ids(check: &CheckRequest, mut of_envoy: HeaderMap) -> HeaderMap {
    let http = check.attributes.as_ref().and_then(|it| it.request.as_ref()?.http.as_ref());
    for name in [REQUEST_ID, TRACEPARENT] {
        let Some(http) = http.filter(|_| !of_envoy.contains_key(&name)) else { continue };
        let named = pairs(http).filter(|(key, _)| key.eq_ignore_ascii_case(name.as_str()));
        for value in named.filter_map(|(_, value)| HeaderValue::from_bytes(value).ok()) {
            of_envoy.append(name.clone(), value);
        }
    }
    of_envoy
}

/// Returns the certificate that the client has shown to Envoy. As anyone may send a check request, only a trusted proxy
/// is believed.
fn certificate(
    peer: Option<IpAddr>,
    attributes: Option<&AttributeContext>,
    settings: &Settings,
) -> Option<Confirmation> {
    let is_trusted = peer.is_some_and(|peer| settings.trusted_proxies.is_trusted(peer));
    let source = attributes?.source.as_ref().filter(|_| is_trusted)?;
    confirmation_of_escaped_pem(&source.certificate)
}

/// Returns the method and the address of the client's request.
fn target(http: &HttpRequest) -> Option<Target> {
    let HttpRequest { method, scheme, host, path, .. } = http;
    let uri = format!("{scheme}://{host}{path}").parse().ok()?;
    (!method.is_empty()).then(|| Target { method: method.clone(), uri })
}

/// Returns whether the token is presented as a bearer token, not with a proof.
fn is_bearer(headers: &HeaderMap) -> bool {
    headers.get(AUTHORIZATION).is_none_or(|value| {
        value.as_bytes().get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case(b"bearer "))
    })
}

/// Returns the address from which the client has connected to Envoy.
fn source(attributes: &AttributeContext) -> Option<IpAddr> {
    let address = attributes.source.as_ref()?.address.as_ref()?;
    address.socket_address.as_ref()?.address.parse().ok()
}

fn extensions(extensions: &[Entry]) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    extensions.iter().map(|entry| (Cow::from(&entry.key), Cow::from(&entry.value)))
}

/// Returns the headers that a verdict depends on; `None` if one is malformed.
///
/// Envoy joins the values of a header by commas, unless `encode_raw_headers` is set. No bearer token has
/// a comma, so a request with two of them is refused.
fn headers(http: Option<&HttpRequest>, demands: &Result<Demands, BadDemands>) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    let Some(http) = http else { return Some(headers) };
    let device = match demands {
        Ok(Demands { device: Some(Device::Header(name)), .. }) => Some(name),
        _ => None,
    };
    let is_read = |name: &str| {
        let read =
            [&AUTHORIZATION, &COOKIE, &PROOF_HEADER].into_iter().chain(&FORWARDED).chain(device);
        read.into_iter().find(|read| name.eq_ignore_ascii_case(read.as_str()))
    };
    for (name, value) in pairs(http) {
        if let Some(name) = is_read(name) {
            headers.append(name, HeaderValue::from_bytes(value).ok()?);
        }
    }
    Some(headers)
}

/// Returns the headers of the client's request, whichever way Envoy sends them.
fn pairs(http: &HttpRequest) -> impl Iterator<Item = (&str, &[u8])> {
    let joined = http.headers.iter().map(|entry| (entry.key.as_str(), entry.value.as_bytes()));
    let raw = http.header_map.iter().flat_map(|map| &map.headers).map(|raw| {
        let value = if raw.raw_value.is_empty() { raw.value.as_bytes() } else { &raw.raw_value };
        (raw.key.as_str(), value)
    });
    joined.chain(raw)
}

/// Returns the address of the client. Envoy tells the one that it has found, but anyone may send a check
/// request: only a trusted proxy is believed.
fn client_address(
    peer: Option<IpAddr>,
    source: Option<IpAddr>,
    headers: &HeaderMap,
    proxies: &TrustedProxies,
) -> Option<IpAddr> {
    let source = source.filter(|_| peer.is_some_and(|peer| proxies.is_trusted(peer)))?;
    Some(proxies.client_address(source, headers))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_address_that_envoy_tells_counts_only_from_a_trusted_proxy() {
        let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap();
        let forwarded =
            HeaderMap::from_iter([(FORWARDED[0].clone(), "192.0.2.7".parse().unwrap())]);
        let from = |peer: &str, source: &str, headers: &HeaderMap| {
            client_address(peer.parse().ok(), source.parse().ok(), headers, &proxies)
                .map(|address| address.to_string())
        };
        let none = HeaderMap::new();
        assert_eq!(from("10.0.0.1", "192.0.2.9", &forwarded).as_deref(), Some("192.0.2.9"));
        assert_eq!(from("10.0.0.1", "10.0.0.2", &forwarded).as_deref(), Some("192.0.2.7"));
        assert_eq!(from("10.0.0.1", "10.0.0.2", &none).as_deref(), Some("10.0.0.2"));
        assert_eq!(from("192.0.2.1", "192.0.2.9", &forwarded), None);
        assert_eq!(from("10.0.0.1", "pipe", &none), None);
    }

    #[test]
    fn the_ids_are_those_of_the_request_of_envoy_else_of_the_request_that_it_describes() {
        let described = [("x-request-id", "inner"), ("traceparent", "inner"), ("x", "inner")];
        let entry = |(key, value): (&str, &str)| Entry { key: key.into(), value: value.into() };
        let headers = described.map(entry).into();
        let http = HttpRequest { headers, ..HttpRequest::default() };
        let request = Some(crate::gateway::ext_authz::messages::Request { http: Some(http) });
        let attributes = AttributeContext { request, ..AttributeContext::default() };
        let check = CheckRequest { attributes: Some(attributes) };
        let outer = HeaderMap::from_iter([(TRACEPARENT, "outer".parse().unwrap())]);
        let ids = ids(&check, outer);
        let shown = (ids[&REQUEST_ID].to_str(), ids[&TRACEPARENT].to_str());
        assert_eq!((shown.0.unwrap(), shown.1.unwrap()), ("inner", "outer"));
        assert_eq!(ids.len(), 2);
    }
}
