//! The request of the client, as a gateway describes it.

use std::net::IpAddr;

use http::HeaderMap;
use keyfob::token::Confirmation;
use keyfob_tower::TrustedProxies;
use keyfob_tower::dpop::{PROOF, TargetUri};

/// The request of the client, as a gateway describes it.
#[derive(Debug)]
pub(crate) struct ClientRequest<'a> {
    /// The headers of the client.
    pub(crate) headers: &'a HeaderMap,
    /// The query of the client's request, as far as the gateway tells it.
    pub(crate) query: &'a str,
    /// The address of the client, if a trusted gateway names it.
    pub(crate) address: Option<IpAddr>,
    /// The key that the client has proved to the gateway by its certificate, if a trusted gateway names it.
    pub(crate) certificate: Option<Confirmation>,
    /// The method and the address of the client's request, as far as the gateway tells them without a
    /// contradiction. Proofs of possession are for one request, and need them.
    pub(crate) target: Option<Target>,
}

/// The method and the address of a request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Target {
    pub(crate) method: String,
    pub(crate) uri: TargetUri,
}

/// The headers in which gateways tell the URI of the client's request.
const URI_HEADERS: [&str; 2] = ["x-forwarded-uri", "x-original-uri"];

impl<'a> ClientRequest<'a> {
    /// Reads the request that a gateway forwards as headers. `certificate` is what was proven on the request of the
    /// gateway.
    pub(crate) fn of_headers(
        headers: &'a HeaderMap,
        peer: Option<IpAddr>,
        certificate: Option<&Confirmation>,
        proxies: &TrustedProxies,
    ) -> Self {
        let uri = URI_HEADERS.into_iter().find_map(|name| headers.get(name));
        let uri = uri.and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The peer is the gateway. Its own address stands for no client.
        let address = peer.and_then(|peer| proxies.forwarded_address(peer, headers));
        // What the gateway itself has shown on its connection is not the client's.
        let is_trusted = peer.is_some_and(|peer| proxies.is_trusted(peer));
        let certificate = certificate.filter(|_| is_trusted).cloned();
        Self { headers, query: query_of(uri), address, certificate, target: target(headers) }
    }
}

/// Returns the method and the address in the headers of gateways. nginx is set to write `X-Original-Method` and
/// `X-Original-URL`; others write `X-Forwarded-Method`, `-Proto`, `-Host` and `-Uri` by themselves.
///
/// A header that the gateway does not write may come from the client. So what is there in two ways has to be the
/// same.
fn target(headers: &HeaderMap) -> Option<Target> {
    if !headers.contains_key(PROOF) {
        return None;
    }
    let one = |name: &str| {
        let mut values = headers.get_all(name).iter();
        let text = values.next().map(|value| value.to_str().unwrap_or_default());
        // Several values contradict each other.
        if values.next().is_some() { Some("") } else { text }
    };
    let method = agreed(one("x-original-method"), one("x-forwarded-method"))?;
    let parts = (one("x-forwarded-proto"), one("x-forwarded-host"), one("x-forwarded-uri"));
    let forwarded = match parts {
        (Some(scheme), Some(host), Some(path)) => Some(format!("{scheme}://{host}{path}")),
        _ => None,
    };
    let parsed = |text: Option<&str>| text.map(|text| text.parse::<TargetUri>().ok());
    let uri = agreed(parsed(one("x-original-url")), parsed(forwarded.as_deref()))??;
    (!method.is_empty()).then(|| Target { method: method.to_owned(), uri })
}

/// Returns the value that is given once, or twice and the same.
fn agreed<T: PartialEq>(first: Option<T>, second: Option<T>) -> Option<T> {
    match (first, second) {
        (Some(first), Some(second)) => (first == second).then_some(first),
        (first, second) => first.or(second),
    }
}

/// Returns the query of a path.
pub(super) fn query_of(uri: &str) -> &str {
    uri.split_once('?').map_or("", |(_, query)| query)
}
