//! What an address counts as: one customer, not one of the many addresses that a customer can
//! choose.

use std::hash::{BuildHasher, RandomState};
use std::net::{IpAddr, Ipv6Addr};

use keyfob_core::field::Field;
use keyfob_core::invalid::{InvalidReason, InvalidValue};

use super::LimitKey;

/// How many leading bits of an IPv6 address stand for one customer. The default is 64.
///
/// A customer can send from every address of its network, so a limit counts networks. Providers
/// delegate a /64, a /56 or a /48. With a shorter prefix, a customer with a large network has one
/// limit; customers with small networks in the same prefix share it.
///
/// An IPv6 address in which a transition mechanism embeds an IPv4 address counts as that IPv4
/// address, whatever the prefix:
///
/// | addresses | mechanism |
/// |---|---|
/// | `::ffff:0:0/96` | mapped (RFC 4291 §2.5.5.2) |
/// | `::ffff:0:0:0/96` | translated (RFC 7915, formerly RFC 2765) |
/// | `::/96` | compatible (RFC 4291 §2.5.5.1), without `::` and `::1` |
/// | `64:ff9b::/96` | NAT64 (RFC 6052) |
/// | `64:ff9b:1::/48` | NAT64 of a site (RFC 8215), as if its prefix had 96 bits |
/// | `2002::/16` | 6to4 (RFC 3056) |
/// | `2001::/32` | Teredo (RFC 4380): the address of the client |
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Ipv6Prefix(u8);

/// The network that an address belongs to: a whole IPv4 address, or the prefix of an IPv6 address.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Network([u8; 8]);

impl Ipv6Prefix {
    /// 64 bits.
    pub const DEFAULT: Self = Self(64);

    /// Creates a prefix of this many bits.
    ///
    /// # Errors
    /// When it is not 32 to 64. A longer prefix limits nobody: a host can change all later bits.
    pub fn new(bits: u8) -> Result<Self, InvalidValue> {
        match bits {
            32..=64 => Ok(Self(bits)),
            _ => Err(InvalidValue::new(
                Field::Ipv6Prefix,
                InvalidReason::OutOfRange { allowed: "32 to 64 bits" },
            )),
        }
    }

    /// Returns the number of bits.
    pub const fn bits(self) -> u8 {
        self.0
    }

    /// Returns the network of an address.
    pub fn network_of(self, ip: IpAddr) -> Network {
        let embedded = match ip {
            IpAddr::V4(ip) => Some(ip.octets()),
            IpAddr::V6(ip) => embedded_v4(ip),
        };
        match (embedded, ip) {
            // No IPv6 address that can send begins like this: it is a multicast prefix.
            (Some([a, b, c, d]), _) => Network([0xff, 0xff, 0xff, 0xff, a, b, c, d]),
            (None, IpAddr::V6(ip)) => {
                let high = (ip.to_bits() >> 64) as u64;
                Network((high & u64::MAX << (64 - self.0)).to_be_bytes())
            }
            (None, IpAddr::V4(_)) => Network([0; 8]),
        }
    }
}

impl Default for Ipv6Prefix {
    fn default() -> Self {
        Self::DEFAULT
    }
}

impl Network {
    /// Returns the bytes. Two networks never have the same.
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Returns a key within this process. It is cheaper than a key that processes share.
    pub(super) fn local_key(self, hasher: &RandomState) -> LimitKey {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&hasher.hash_one(self.0).to_be_bytes());
        bytes[8..].copy_from_slice(&self.0);
        LimitKey::from_bytes(bytes)
    }
}

/// Returns the IPv4 address that is embedded in an address of a transition mechanism.
fn embedded_v4(ip: Ipv6Addr) -> Option<[u8; 4]> {
    let bits = ip.to_bits();
    let low = bits as u32;
    let v4 = match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => low,
        // Not the unspecified address and not the loopback.
        [0, 0, 0, 0, 0, 0, ..] if low > 1 => low,
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0x64, 0xff9b, 1, ..] => low,
        [0x2002, ..] => (bits >> 80) as u32,
        // The address of the client is inverted.
        [0x2001, 0, ..] => !low,
        _ => return None,
    };
    Some(v4.to_be_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Network {
        Ipv6Prefix::DEFAULT.network_of(text.parse().unwrap())
    }

    #[test]
    fn an_address_stands_for_one_customer() {
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"), "both spellings are one address");
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
        assert_ne!(of("::1"), of("0.0.0.1"));
    }

    #[test]
    fn an_embedded_ipv4_address_is_what_counts() {
        for embedding in [
            "64:ff9b::192.0.2.1",
            "64:ff9b:1::192.0.2.1",
            "64:ff9b:1:fffe::192.0.2.1",
            "::ffff:0:192.0.2.1",
            "::192.0.2.1",
            "2002:c000:201::",
            "2002:c000:201:ffff:1:2:3:4",
            // 192.0.2.1 inverted, behind two servers and two ports.
            "2001:0:4136:e378:8000:63bf:3fff:fdfe",
            "2001:0:5ef5:79fb:0:1234:3fff:fdfe",
        ] {
            assert_eq!(of(embedding), of("192.0.2.1"), "{embedding}");
        }
        assert_ne!(of("64:ff9b::192.0.2.1"), of("64:ff9b::198.51.100.7"));
        assert_ne!(of("2002:c000:201::1"), of("2002:c000:202::1"));
        assert_ne!(
            of("64:ff9b:2::192.0.2.1"),
            of("192.0.2.1"),
            "the prefix is not a transition prefix"
        );
        assert_ne!(
            of("2001:1::3fff:fdfe"),
            of("192.0.2.1"),
            "the prefix is not a transition prefix"
        );
    }

    #[test]
    fn a_shorter_prefix_joins_networks() {
        let of =
            |bits, text: &str| Ipv6Prefix::new(bits).unwrap().network_of(text.parse().unwrap());
        assert_eq!(of(48, "2001:db8:1:2::1"), of(48, "2001:db8:1:ffff::1"));
        assert_ne!(of(48, "2001:db8:1::1"), of(48, "2001:db8:2::1"));
        assert_eq!(of(56, "2001:db8:1:200::1"), of(56, "2001:db8:1:2ff::1"));
        assert_ne!(of(56, "2001:db8:1:200::1"), of(56, "2001:db8:1:300::1"));
        assert_eq!(of(32, "192.0.2.1"), of(64, "192.0.2.1"));
        for bits in [0, 31, 65, 128] {
            assert_eq!(Ipv6Prefix::new(bits).unwrap_err().what(), "ipv6 prefix", "{bits}");
        }
    }
}
