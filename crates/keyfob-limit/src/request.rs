//! What a request is counted by, and what it costs.

use std::net::IpAddr;

use super::{Ipv6Prefix, LimitBy, LimitKey, LimitPolicy};
use keyfob_core::id::TokenId;
use keyfob_core::namespace::Namespace;
use keyfob_core::text::{ClientId, Subject};

/// A request for permits. A policy does not apply to it if the request lacks what the policy counts
/// by.
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
    /// Neither the rate nor the burst is part of the key: a policy may change both, and what was
    /// used stays used.
    pub(super) fn key(
        &self,
        policy: &LimitPolicy,
        ipv6: Ipv6Prefix,
        namespace: &Namespace,
    ) -> Option<LimitKey> {
        let by = policy.by();
        let key = |value: &[u8]| {
            LimitKey::from_bytes(namespace.limit_digest(&[
                policy.name().as_str().as_bytes(),
                by.as_str().as_bytes(),
                value,
            ]))
        };
        match by {
            LimitBy::Token => self.token.map(|token| key(token.as_bytes())),
            LimitBy::Subject => self.subject.map(|subject| key(subject.as_str().as_bytes())),
            LimitBy::Client => self.client.map(|client| key(client.as_str().as_bytes())),
            LimitBy::Ip | LimitBy::FailedAttempts => {
                self.ip.map(|ip| key(ipv6.network_of(ip).as_bytes()))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyfob_core::id::LaneCount;
    use keyfob_core::namespace::NamespaceKey;

    #[test]
    fn a_key_differs_by_policy_value_and_namespace() {
        let namespace =
            |key| Namespace::new(LaneCount::DEFAULT, NamespaceKey::from_bytes([key; 32]));
        let policy =
            |name: &str, by, rate: &str| LimitPolicy::new(name, by, rate.parse().unwrap()).unwrap();
        let calls = policy("calls", LimitBy::Subject, "10/s");
        let (one, two) = (Subject::new("one").unwrap(), Subject::new("two").unwrap());
        let request = LimitRequest::new().subject(&one);
        let key = |policy: &LimitPolicy, request: LimitRequest<'_>, of| {
            request.key(policy, Ipv6Prefix::DEFAULT, &namespace(of)).unwrap()
        };
        let first = key(&calls, request, 1);
        assert_eq!(first, key(&calls.clone().burst(3).unwrap(), request.cost(5), 1));
        let faster = policy("calls", LimitBy::Subject, "20/s");
        assert_eq!(first, key(&faster, request, 1), "used permits also count at the new rate");
        let client = ClientId::new("one").unwrap();
        for other in [
            key(&calls, request.subject(&two), 1),
            key(&calls, request, 2),
            key(&policy("other", LimitBy::Subject, "10/s"), request, 1),
            key(&policy("calls", LimitBy::Client, "10/s"), request.client(&client), 1),
        ] {
            assert_ne!(first, other);
        }
        let nobody = LimitRequest::new().key(&calls, Ipv6Prefix::DEFAULT, &namespace(1));
        assert_eq!(nobody, None);
    }
}
