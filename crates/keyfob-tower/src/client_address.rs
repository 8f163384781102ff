//! The address of the client, behind proxies that are trusted.

use std::net::{IpAddr, SocketAddr};

use http::header::FORWARDED;
use http::{Extensions, HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
/// The maximum number of proxies that are read from the header.
const MAX_HOPS: usize = 32;
/// The maximum length of all headers that name addresses, in bytes.
const MAX_HEADER_BYTES: usize = 8 * 1024;

/// The address of the peer that the connection comes from.
///
/// A server that is not axum's puts it into the extensions of each request. With axum, use
/// `into_make_service_with_connect_info::<SocketAddr>()` instead.
///
/// ```
/// use keyfob_tower::PeerAddress;
///
/// let mut request = http::Request::new(());
/// request.extensions_mut().insert(PeerAddress("192.0.2.1".parse()?));
/// # Ok::<(), std::net::AddrParseError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PeerAddress(pub IpAddr);

/// Which header names the client address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Source {
    XForwardedFor,
    Forwarded,
}

/// The proxies in front of the service, whose statements about the client address are believed.
///
/// The default trusts no proxy: the client address is that of the peer, and headers are ignored. A
/// client can send any header, so trust only addresses that clients cannot have.
///
/// The header is read from its right end, where the nearest proxy wrote. The client address is the
/// first address that is not a trusted proxy.
///
/// ```
/// use keyfob_tower::TrustedProxies;
///
/// let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8", "2001:db8::/32"])?;
/// let mut headers = http::HeaderMap::new();
/// headers.insert("x-forwarded-for", "6.6.6.6, 192.0.2.7, 10.0.0.2".parse()?);
/// let client = proxies.client_address("10.0.0.1".parse()?, &headers);
/// assert_eq!(client.to_string(), "192.0.2.7"); // 6.6.6.6 is what the client made up
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Vec<IpNet>,
    source: Option<Source>,
}

/// A text that is neither an address nor a network in CIDR notation.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct InvalidNetwork(String);

impl std::fmt::Display for InvalidNetwork {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:?} is no network: write an address, or one with a prefix such as 10.0.0.0/8",
            self.0
        )
    }
}

impl std::error::Error for InvalidNetwork {}

impl TrustedProxies {
    /// Trusts no proxy.
    pub fn none() -> Self {
        Self::default()
    }

    /// Trusts these networks, which write `X-Forwarded-For`.
    ///
    /// # Errors
    /// If a text is not a network.
    pub fn x_forwarded_for<'a>(
        networks: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidNetwork> {
        Self::new(networks, Source::XForwardedFor)
    }

    /// Trusts these networks, which write `Forwarded` (RFC 7239).
    ///
    /// # Errors
    /// If a text is not a network.
    pub fn forwarded<'a>(
        networks: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidNetwork> {
        Self::new(networks, Source::Forwarded)
    }

    fn new<'a>(
        networks: impl IntoIterator<Item = &'a str>,
        source: Source,
    ) -> Result<Self, InvalidNetwork> {
        let network = |text: &str| {
            let address = || text.parse::<IpAddr>().map(IpNet::from);
            let parsed = text.parse::<IpNet>().or_else(|_| address());
            parsed.map_err(|_| InvalidNetwork(text.to_owned()))
        };
        let networks = networks.into_iter().map(network).collect::<Result<_, _>>()?;
        Ok(Self { networks, source: Some(source) })
    }

    /// Returns the client address of a request that comes from `peer`.
    ///
    /// An entry that is not an address ends the search: the client address is then that of the last
    /// trusted proxy.
    pub fn client_address(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        self.forwarded_address(peer, headers).unwrap_or(peer.to_canonical())
    }

    /// Returns the client address as trusted proxies name it; `None` if `peer` is not a trusted proxy or
    /// names no address.
    ///
    /// The peer of a service that answers a gateway is the gateway: its own address says nothing about
    /// the client.
    pub fn forwarded_address(&self, peer: IpAddr, headers: &HeaderMap) -> Option<IpAddr> {
        let peer = peer.to_canonical();
        let source = self.source?;
        let name = match source {
            Source::XForwardedFor => &X_FORWARDED_FOR,
            Source::Forwarded => &FORWARDED,
        };
        let values: Vec<_> = headers.get_all(name).iter().collect();
        if values.iter().map(|value| value.len()).sum::<usize>() > MAX_HEADER_BYTES {
            return None;
        }
        // The addresses of later lines were written by nearer proxies.
        let entries = values.iter().rev().flat_map(|value| {
            let text = value.to_str().unwrap_or_default();
            text.rsplit(',').map(str::trim)
        });
        let mut named = None;
        for entry in entries.take(MAX_HOPS) {
            if !self.is_trusted(named.unwrap_or(peer)) {
                break;
            }
            let address = match source {
                Source::XForwardedFor => address(entry),
                Source::Forwarded => forwarded_for(entry),
            };
            if address.is_none() {
                break;
            }
            named = address;
        }
        named
    }

    /// Returns whether an address is that of a trusted proxy.
    pub fn is_trusted(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }
}

/// Returns the address of the peer, if the server has put it into the extensions.
pub(crate) fn peer(extensions: &Extensions) -> Option<IpAddr> {
    let own = extensions.get::<PeerAddress>().map(|peer| peer.0);
    own.or_else(|| axum_peer(extensions))
}

#[cfg(feature = "axum")]
fn axum_peer(extensions: &Extensions) -> Option<IpAddr> {
    extensions.get::<axum::extract::ConnectInfo<SocketAddr>>().map(|peer| peer.0.ip())
}

#[cfg(not(feature = "axum"))]
fn axum_peer(_: &Extensions) -> Option<IpAddr> {
    None
}

/// Reads an address, with or without a port.
fn address(text: &str) -> Option<IpAddr> {
    let bracketed = || text.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let address: IpAddr = text.parse().ok().or_else(bracketed).or_else(with_port)?;
    Some(address.to_canonical())
}

/// Reads the `for` of an element of `Forwarded` (RFC 7239 section 4).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(name, _)| name.eq_ignore_ascii_case("for"));
    let (_, value) = named.next()?;
    address(value.trim_matches('"'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(proxies: &TrustedProxies, peer: &str, headers: &[(&str, &str)]) -> String {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.append(name.parse::<HeaderName>().unwrap(), value.parse().unwrap());
        }
        proxies.client_address(peer.parse().unwrap(), &map).to_string()
    }

    #[test]
    fn without_trusted_proxies_headers_are_ignored() {
        let headers = [("x-forwarded-for", "192.0.2.7"), ("forwarded", "for=192.0.2.8")];
        assert_eq!(client(&TrustedProxies::none(), "10.0.0.1", &headers), "10.0.0.1");
        let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap();
        assert_eq!(client(&proxies, "192.0.2.1", &headers), "192.0.2.1", "the peer is not a proxy");
    }

    #[test]
    fn the_header_is_walked_from_the_right_through_trusted_proxies() {
        let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8", "2001:db8::1"]).unwrap();
        let from = |values: &[&str]| {
            let headers: Vec<_> = values.iter().map(|value| ("x-forwarded-for", *value)).collect();
            client(&proxies, "10.0.0.1", &headers)
        };
        assert_eq!(from(&["1.1.1.1, 192.0.2.7"]), "192.0.2.7");
        assert_eq!(from(&["1.1.1.1", "192.0.2.7:4711, 10.0.0.2"]), "192.0.2.7");
        assert_eq!(from(&["192.0.2.7, [2001:db8::1]:443"]), "192.0.2.7");
        assert_eq!(from(&["192.0.2.7, ::ffff:10.1.1.1"]), "192.0.2.7");
        assert_eq!(from(&["192.0.2.7, unknown, 10.0.0.2"]), "10.0.0.2", "the walk ends there");
        assert_eq!(from(&["10.0.0.9"]), "10.0.0.9", "all are proxies");
        assert_eq!(from(&[]), "10.0.0.1");
        assert_eq!(from(&[&"x".repeat(MAX_HEADER_BYTES + 1)]), "10.0.0.1");
    }

    #[test]
    fn without_a_header_of_a_trusted_proxy_no_address_is_forwarded() {
        let proxies = TrustedProxies::x_forwarded_for(["10.0.0.0/8"]).unwrap();
        let named = HeaderMap::from_iter([(X_FORWARDED_FOR, "192.0.2.7".parse().unwrap())]);
        let from = |peer: &str, headers| proxies.forwarded_address(peer.parse().unwrap(), headers);
        assert_eq!(from("10.0.0.1", &named), Some("192.0.2.7".parse().unwrap()));
        assert_eq!(from("192.0.2.1", &named), None);
        assert_eq!(from("10.0.0.1", &HeaderMap::new()), None);
    }

    #[test]
    fn forwarded_is_read_as_rfc_7239_writes_it() {
        let proxies = TrustedProxies::forwarded(["10.0.0.0/8"]).unwrap();
        let from = |value: &str| client(&proxies, "10.0.0.1", &[("forwarded", value)]);
        assert_eq!(from("for=192.0.2.7;proto=https"), "192.0.2.7");
        assert_eq!(from("For=\"[2001:db8::17]:4711\", for=10.0.0.2;by=10.0.0.1"), "2001:db8::17");
        assert_eq!(from("for=_hidden"), "10.0.0.1");
        assert_eq!(from("proto=https"), "10.0.0.1");
    }

    #[test]
    fn an_invalid_network_is_refused_with_its_text() {
        let error = TrustedProxies::forwarded(["10.0.0.0/33"]).unwrap_err();
        assert!(error.to_string().contains("10.0.0.0/33"), "{error}");
    }
}
