//! What is to be admitted, by what it is counted, and what it costs.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use super::{LimitBy, LimitKey, LimitPolicy};
use keyfob_core::id::TokenId;
use keyfob_core::namespace::Namespace;
use keyfob_core::text::{ClientId, Subject};

/// What is to be admitted. A policy that counts by something which is not given does not count it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use]
pub struct LimitRequest<'a> {
    token: Option<TokenId>,
    subject: Option<&'a Subject>,
    client: Option<&'a ClientId>,
    ip: Option<IpAddr>,
    cost: u32,
}

impl Default for LimitRequest<'_> {
    fn default() -> Self {
        Self::new()
    }
}

impl<'a> LimitRequest<'a> {
    /// A request of which nothing is known, that costs one.
    pub const fn new() -> Self {
        Self { token: None, subject: None, client: None, ip: None, cost: 1 }
    }

    /// By this token.
    pub const fn token(self, token: TokenId) -> Self {
        Self { token: Some(token), ..self }
    }

    /// By this subject.
    pub const fn subject(self, subject: &'a Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// By this client.
    pub const fn client(self, client: &'a ClientId) -> Self {
        Self { client: Some(client), ..self }
    }

    /// From this address.
    pub const fn ip(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// Costs so many permits.
    pub const fn cost(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    /// How many permits it costs.
    pub const fn permits(&self) -> u32 {
        self.cost
    }

    /// The key under which `policy` counts it, if it does.
    ///
    /// The rate is part of it: what is owed is told in units of the rate, and a policy whose rate was
    /// changed starts anew. Its burst may change.
    pub(super) fn key(&self, policy: &LimitPolicy, namespace: &Namespace) -> Option<LimitKey> {
        let rate = policy.rate();
        let by = policy.by();
        let key = |value: &[u8]| {
            LimitKey::from_bytes(namespace.limit_digest(&[
                policy.name().as_str().as_bytes(),
                by.as_str().as_bytes(),
                &rate.permits().to_be_bytes(),
                &rate.period().as_millis().to_be_bytes(),
                value,
            ]))
        };
        match by {
            LimitBy::Token => self.token.map(|token| key(token.as_bytes())),
            LimitBy::Subject => self.subject.map(|subject| key(subject.as_str().as_bytes())),
            LimitBy::Client => self.client.map(|client| key(client.as_str().as_bytes())),
            LimitBy::Ip | LimitBy::FailedAttempts => self.ip.map(|ip| key(&origin(ip))),
        }
    }
}

/// What stands for an address: an IPv4 address whole, and of IPv6 the first 64 bits, in eight bytes
/// that differ.
fn origin(ip: IpAddr) -> [u8; 8] {
    match ip.to_canonical() {
        // No address of IPv6 that can send begins so: it is a multicast.
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            [0xff, 0xff, 0xff, 0xff, a, b, c, d]
        }
        IpAddr::V6(ip) => {
            let [a, b, c, d, e, f, g, h, ..] = ip.octets();
            [a, b, c, d, e, f, g, h]
        }
    }
}

/// A key for an address in this process alone, which is cheaper than one that processes share.
pub(super) fn key_of_origin(ip: IpAddr, hasher: &RandomState) -> LimitKey {
    let origin = origin(ip);
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&hasher.hash_one(origin).to_be_bytes());
    bytes[8..].copy_from_slice(&origin);
    LimitKey::from_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::id::LaneCount;
    use keyfob_core::namespace::NamespaceKey;

    #[test]
    fn an_address_stands_for_one_customer() {
        let of = |text: &str| origin(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2::1"), of("2001:db8:1:2:ffff::9"));
        assert_ne!(of("2001:db8:1:2::1"), of("2001:db8:1:3::1"));
        assert_eq!(of("192.0.2.1"), of("::ffff:192.0.2.1"), "however it is written");
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }

    #[test]
    fn a_key_tells_policies_values_and_namespaces_apart() {
        let namespace =
            |key| Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([key; 32]));
        let policy =
            |name: &str, by, rate: &str| LimitPolicy::new(name, by, rate.parse().unwrap()).unwrap();
        let calls = policy("calls", LimitBy::Subject, "10/s");
        let (one, two) = (Subject::new("one").unwrap(), Subject::new("two").unwrap());
        let request = LimitRequest::new().subject(&one);
        let key = |policy: &LimitPolicy, request: LimitRequest<'_>, of| {
            request.key(policy, &namespace(of)).unwrap()
        };
        let first = key(&calls, request, 1);
        assert_eq!(first, key(&calls.clone().burst(3).unwrap(), request.cost(5), 1));
        let client = ClientId::new("one").unwrap();
        for other in [
            key(&calls, request.subject(&two), 1),
            key(&calls, request, 2),
            key(&policy("other", LimitBy::Subject, "10/s"), request, 1),
            key(&policy("calls", LimitBy::Subject, "20/s"), request, 1),
            key(&policy("calls", LimitBy::Client, "10/s"), request.client(&client), 1),
        ] {
            assert_ne!(first, other);
        }
        assert_eq!(LimitRequest::new().key(&calls, &namespace(1)), None);
    }
}
