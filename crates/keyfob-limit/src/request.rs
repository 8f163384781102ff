//! What a request is counted by, and what it costs.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;

use super::{LimitBy, LimitKey, LimitPolicy};
use keyfob_core::id::TokenId;
use keyfob_core::namespace::Namespace;
use keyfob_core::text::{ClientId, Subject};

/// A request for permits. A policy does not apply to it if the request lacks what the policy counts by.
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
    /// Creates a request without any identity, at a cost of one.
    pub const fn new() -> Self {
        Self { token: None, subject: None, client: None, ip: None, cost: 1 }
    }

    /// Sets the token.
    pub const fn token(self, token: TokenId) -> Self {
        Self { token: Some(token), ..self }
    }

    /// Sets the subject.
    pub const fn subject(self, subject: &'a Subject) -> Self {
        Self { subject: Some(subject), ..self }
    }

    /// Sets the client.
    pub const fn client(self, client: &'a ClientId) -> Self {
        Self { client: Some(client), ..self }
    }

    /// Sets the client address.
    pub const fn ip(self, ip: IpAddr) -> Self {
        Self { ip: Some(ip), ..self }
    }

    /// Sets the cost in permits.
    pub const fn cost(self, cost: u32) -> Self {
        Self { cost, ..self }
    }

    /// Returns the cost in permits.
    pub const fn permits(&self) -> u32 {
        self.cost
    }

    /// Returns the key under which `policy` counts the request, if the policy applies.
    ///
    /// The rate is part of the key: the debt is stored in units of the rate, so a policy with a changed rate
    /// starts with no debt. Its burst may change.
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

/// Returns what identifies an address: a whole IPv4 address, or the first 64 bits of an IPv6 address, in
/// eight bytes that never collide.
fn origin(ip: IpAddr) -> [u8; 8] {
    match ip.to_canonical() {
        // No IPv6 address that can send begins like this: it is a multicast prefix.
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

/// Returns a key for an address within this process. It is cheaper than a key that processes share.
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
