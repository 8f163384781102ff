//! The request of the client, as a gateway describes it.

use std::net::IpAddr;

use http::HeaderMap;
use keyfob_tower::TrustedProxies;

/// The request of the client, as a gateway describes it.
#[derive(Debug)]
pub(crate) struct ClientRequest<'a> {
    /// The headers of the client.
    pub(crate) headers: &'a HeaderMap,
    /// The query of the client's request, as far as the gateway tells it.
    pub(crate) query: &'a str,
    /// The address of the client, if a trusted gateway names it.
    pub(crate) address: Option<IpAddr>,
}

/// The headers in which gateways tell the URI of the client's request.
const URI_HEADERS: [&str; 2] = ["x-forwarded-uri", "x-original-uri"];

impl<'a> ClientRequest<'a> {
    /// Reads the request that a gateway forwards as headers.
    pub(crate) fn of_headers(
        headers: &'a HeaderMap,
        peer: Option<IpAddr>,
        proxies: &TrustedProxies,
    ) -> Self {
        let uri = URI_HEADERS.into_iter().find_map(|name| headers.get(name));
        let uri = uri.and_then(|value| value.to_str().ok()).unwrap_or_default();
        // The peer is the gateway. Its own address stands for no client.
        let address = peer.and_then(|peer| proxies.forwarded_address(peer, headers));
        Self { headers, query: query_of(uri), address }
    }
}

/// Returns the query of a path.
pub(super) fn query_of(uri: &str) -> &str {
    uri.split_once('?').map_or("", |(_, query)| query)
}
