//! From the configuration to the settings of a server.

use keyfob::limit::{IntoLimitStore, Limits};
use keyfob::{InvalidValue, Ttl};

use keyfob_tower::SessionCookie;
use keyfob_tower::dpop::ProofPolicy;
use keyfob_webhook::address::AddressPolicy;

use super::check::proxies;
use super::limits::ALL_ROUTES;
use super::sections::{Config, ProofNonce};
use crate::chains::ChainName;
use crate::listen::ConnectionBounds;
use crate::routes::table::routes;
use crate::settings::{CertificateSettings, DpopSettings, RouteLimit, Settings};

impl Config {
    /// Returns the settings of a server: what applies to requests.
    pub fn settings(&self) -> Settings {
        let mut settings = Settings::new();
        settings.issuer.clone_from(&self.issuer);
        settings.public_clients.clone_from(&self.public_clients);
        settings.request_timeout = self.http.request_timeout.as_duration();
        settings.max_body_bytes = self.http.max_body_size.bytes();
        settings.bounds = self.bounds();
        settings.log_requests = self.log.requests;
        settings.certificates = CertificateSettings {
            header: self.proxies.certificate_header.map(Into::into),
            bound_access_tokens: self.tls.bound_access_tokens,
        };
        settings.dpop = DpopSettings {
            policy: ProofPolicy { max_age: self.dpop.max_age, clock_skew: self.dpop.clock_skew },
            needs_nonce: self.dpop.nonce == ProofNonce::Required,
        };
        settings.webhooks.addresses = allowing(&self.webhooks.allowed_networks);
        settings.webhooks.stream_addresses = allowing(&self.signals.allowed_networks);
        settings.webhooks.retry.max_attempts = self.webhooks.max_attempts.get();
        settings.webhooks.nats = self.nats.settings();
        settings.jwt = self.jwt.settings();
        settings.gateway_cookie =
            self.gateway.cookie.as_deref().and_then(|name| SessionCookie::new(name).ok());
        // `read` has refused what is not valid.
        settings.trusted_proxies = proxies(&self.proxies).unwrap_or_default();
        for (name, chain) in &self.chains {
            if let (Ok(name), Ok(chain)) = (name.parse::<ChainName>(), chain.build()) {
                settings.chains.insert(name, chain);
            }
        }
        settings.route_limits = self.route_limits();
        settings
    }

    fn bounds(&self) -> ConnectionBounds {
        let http = &self.http;
        ConnectionBounds {
            header_timeout: http.header_timeout.as_duration(),
            idle_timeout: http.idle_timeout.as_duration(),
            write_timeout: http.write_timeout.as_duration(),
            drain_timeout: http.drain_timeout.as_duration(),
            drain_delay: http.drain_delay.map(Ttl::as_duration).unwrap_or_default(),
            max_connections: http.max_connections.get(),
            max_requests: http.max_requests.get(),
            max_streams: http.max_streams.get(),
            max_resets: http.max_resets.get(),
            max_header_bytes: http.max_header_size.bytes(),
            max_headers: http.max_headers.get(),
        }
    }

    /// Returns which operations charge which limits.
    fn route_limits(&self) -> Vec<RouteLimit> {
        let mut all = Vec::new();
        for (name, limit) in &self.limits {
            let Ok(name) = name.parse::<keyfob::values::LimitName>() else { continue };
            let is_charged = |operation: &str| {
                limit.routes.iter().any(|route| route == ALL_ROUTES || route == operation)
            };
            for route in routes().iter().filter(|route| is_charged(route.operation)) {
                let (name, by) = (name.clone(), limit.by.into());
                all.push(RouteLimit { operation: route.operation, name, by });
            }
        }
        all
    }

    /// Returns the limits over a store of them, for the builder of a manager. Without any, it has the store
    /// for limits that a request names.
    ///
    /// # Errors
    /// If there are more limits than one charge may have.
    pub fn limits(&self, store: impl IntoLimitStore) -> Result<Limits, InvalidValue> {
        let mut limits = Limits::new(store);
        for (name, limit) in &self.limits {
            limits = limits.policy(limit.policy(name)?)?;
        }
        Ok(limits)
    }
}

/// Returns the policy that allows public addresses and these networks.
fn allowing(networks: &[String]) -> AddressPolicy {
    // `read` has refused what is not valid.
    AddressPolicy::allowing(networks.iter().filter_map(|text| text.parse().ok()))
}
