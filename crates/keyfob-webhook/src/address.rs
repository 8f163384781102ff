//! The addresses that a webhook may be sent to.
//!
//! A subscription names a host, and anyone who may write one could have the server reach what it should not:
//! the metadata of a cloud, a database, its own management. So only public addresses are connected to,
//! unless the operator allows others. The check is on the very address that is connected to: a name that leads elsewhere
//! the second time it is asked gains nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// A network: an address and the length of its prefix.
///
/// ```
/// use keyfob_webhook::address::Network;
///
/// let network: Network = "10.0.0.0/8".parse()?;
/// assert!(network.contains("10.1.2.3".parse()?) && !network.contains("11.0.0.1".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Network {
    bits: u128,
    prefix: u32,
    is_v4: bool,
}

/// A text that is not a network.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0:?} is no network: write an address, or one with a prefix such as 10.0.0.0/8")]
pub struct InvalidNetwork(String);

impl Network {
    const fn v4(address: [u8; 4], prefix: u32) -> Self {
        Self { bits: u32::from_be_bytes(address) as u128, prefix, is_v4: true }
    }

    const fn v6(first: u16, second: u16, prefix: u32) -> Self {
        let bits = ((first as u128) << 112) | ((second as u128) << 96);
        Self { bits, prefix, is_v4: false }
    }

    /// Returns whether an address is in the network. An address of IPv4 that is written in IPv6 is taken
    /// for that of IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        let (bits, width, is_v4) = match address.to_canonical() {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32, true),
            IpAddr::V6(address) => (u128::from(address), 128, false),
        };
        let shift = width - self.prefix.min(width);
        let of_network = |bits: u128| bits.checked_shr(shift).unwrap_or(0);
        is_v4 == self.is_v4 && of_network(bits) == of_network(self.bits)
    }
}

impl FromStr for Network {
    type Err = InvalidNetwork;

    fn from_str(text: &str) -> Result<Self, InvalidNetwork> {
        let invalid = || InvalidNetwork(text.chars().take(64).collect());
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| invalid())?;
        let (bits, width, is_v4) = match address {
            IpAddr::V4(address) => (u128::from(u32::from(address)), 32, true),
            IpAddr::V6(address) => (u128::from(address), 128, false),
        };
        let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        let prefix = match prefix {
            None => width,
            Some(prefix) => {
                let prefix = Some(prefix).filter(is_number).and_then(|text| text.parse().ok());
                prefix.filter(|prefix| *prefix <= width).ok_or_else(invalid)?
            }
        };
        Ok(Self { bits, prefix, is_v4 })
    }
}

/// What is not public, by the registries of IANA for special purposes.
const V4_NOT_PUBLIC: &[Network] = &[
    Network::v4([0, 0, 0, 0], 8),       // this network
    Network::v4([10, 0, 0, 0], 8),      // private
    Network::v4([100, 64, 0, 0], 10),   // shared by carriers (CGNAT)
    Network::v4([127, 0, 0, 0], 8),     // loopback
    Network::v4([169, 254, 0, 0], 16),  // link-local: the metadata of clouds
    Network::v4([172, 16, 0, 0], 12),   // private
    Network::v4([192, 0, 0, 0], 24),    // assignments of the IETF
    Network::v4([192, 0, 2, 0], 24),    // documentation
    Network::v4([192, 88, 99, 0], 24),  // relays of 6to4
    Network::v4([192, 168, 0, 0], 16),  // private
    Network::v4([198, 18, 0, 0], 15),   // benchmarks
    Network::v4([198, 51, 100, 0], 24), // documentation
    Network::v4([203, 0, 113, 0], 24),  // documentation
    Network::v4([224, 0, 0, 0], 4),     // multicast
    Network::v4([240, 0, 0, 0], 4),     // reserved, and broadcast
];

/// Within the global unicast addresses, 2000::/3. Nothing outside of it is public.
const V6_NOT_PUBLIC: &[Network] = &[
    Network::v6(0x2001, 0, 23), // assignments of the IETF, with Teredo and ORCHID
    Network::v6(0x2001, 0xdb8, 32), // documentation
    Network::v6(0x2002, 0, 16), // 6to4, which contains an address of IPv4
    Network::v6(0x3fff, 0, 20), // documentation
];

const V6_GLOBAL: Network = Network::v6(0x2000, 0, 3);

/// `64:ff9b::/96`, by which NAT64 contains an address of IPv4.
const NAT64: [u16; 6] = [0x64, 0xff9b, 0, 0, 0, 0];

/// Returns whether an address is public: reachable for everybody, so that nothing is gained by having
/// this server reach it.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => match nat64(address) {
            Some(within) => is_public_v4(within),
            None => {
                let address = IpAddr::V6(address);
                V6_GLOBAL.contains(address)
                    && !V6_NOT_PUBLIC.iter().any(|network| network.contains(address))
            }
        },
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !V4_NOT_PUBLIC.iter().any(|network| network.contains(IpAddr::V4(address)))
}

fn nat64(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let within = (u32::from(high) << 16) | u32::from(low);
    ([a, b, c, d, e, f] == NAT64).then(|| Ipv4Addr::from(within))
}

/// Which addresses may be connected to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct AddressPolicy {
    allowed: Vec<Network>,
}

impl AddressPolicy {
    /// Allows public addresses, and these networks.
    pub fn allowing(networks: impl IntoIterator<Item = Network>) -> Self {
        Self { allowed: networks.into_iter().collect() }
    }

    /// Returns whether an address may be connected to. Plain HTTP is for allowed networks only: on its way
    /// through the internet it could be read.
    pub fn allows(&self, address: IpAddr, is_tls: bool) -> bool {
        let is_named = self.allowed.iter().any(|network| network.contains(address));
        is_named || (is_tls && is_public(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_what_everybody_can_reach_is_public() {
        for public in [
            "1.1.1.1",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "192.169.0.0",
            "198.20.0.0",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00::1",
            "::ffff:1.1.1.1",
            "64:ff9b::1.1.1.1",
        ] {
            assert!(is_public(ip(public)), "{public}");
        }
        for not in [
            "0.0.0.0",
            "10.0.0.1",
            "100.64.0.1",
            "127.0.0.1",
            "127.255.255.255",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "192.0.0.1",
            "192.0.2.1",
            "198.18.0.1",
            "198.19.255.255",
            "198.51.100.1",
            "203.0.113.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fc00::1",
            "fd12::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001:db8::1",
            "2001::1",
            "2002:7f00:1::",
            "3fff::1",
            "100::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "64:ff9b::10.0.0.1",
            "64:ff9b::169.254.169.254",
            "64:ff9b:1::1",
            "::127.0.0.1",
            "4000::1",
        ] {
            assert!(!is_public(ip(not)), "{not}");
        }
    }

    #[test]
    fn an_operator_may_allow_networks() {
        let policy = AddressPolicy::allowing(["10.1.0.0/16".parse().unwrap()]);
        assert!(policy.allows(ip("10.1.2.3"), false) && policy.allows(ip("::ffff:10.1.2.3"), true));
        assert!(!policy.allows(ip("10.2.0.1"), true));
        assert!(policy.allows(ip("1.1.1.1"), true) && !policy.allows(ip("1.1.1.1"), false));
        let all = AddressPolicy::allowing(["0.0.0.0/0".parse().unwrap()]);
        assert!(all.allows(ip("127.0.0.1"), false) && !all.allows(ip("::1"), false));
        let six = AddressPolicy::allowing(["::/0".parse().unwrap()]);
        assert!(six.allows(ip("::1"), false) && !six.allows(ip("127.0.0.1"), false));
    }

    #[test]
    fn a_text_that_is_no_network_is_refused() {
        for text in ["", "10.0.0.0/33", "10.0.0.0/+8", "10.0.0.0/", "::/129", "a/8", "10.0.0/8"] {
            assert!(text.parse::<Network>().is_err(), "{text}");
        }
        assert!("10.0.0.0/8/8".parse::<Network>().is_err());
    }
}
