//! What all requests share.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::Uri;
use http::header::HOST;
use http::request::Parts;
use keyfob::TokenManager;
use keyfob::metrics::HttpMetrics;
use keyfob_tower::dpop::Dpop;

use crate::access::caller::Authenticator;
use crate::jwt::state::JwtState;
use crate::listen::phase::Phases;
use crate::pages::Mounted;
use crate::readiness::StoreReadiness;
use crate::respond::failure::Failure;
use crate::routes::trace::ContinueTrace;
use crate::routes::waiting::Forwarding;
use crate::settings::{RouteLimit, Settings};
use crate::webhooks::Registry;

/// Renders all metrics of the process in the text format of Prometheus.
pub type RenderMetrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What all requests share.
pub(crate) struct Shared {
    pub(crate) manager: TokenManager,
    pub(crate) authenticator: Authenticator,
    pub(crate) settings: Settings,
    /// Checks proofs of possession. None: the manager has no store that remembers those that were used.
    pub(crate) dpop: Option<Dpop>,
    /// Places in status lists, and the lists that are served.
    pub(crate) jwt: Arc<JwtState>,
    pub(crate) forwarding: Arc<Forwarding>,
    /// The OpenAPI document.
    pub(crate) openapi: Bytes,
    /// The limits that requests charge, by operation.
    pub(crate) limits: HashMap<&'static str, Vec<RouteLimit>>,
    pub(crate) metrics: HttpMetrics,
    pub(crate) render_metrics: Option<RenderMetrics>,
    pub(crate) continue_trace: Arc<OnceLock<ContinueTrace>>,
    /// What is known of the store.
    pub(crate) readiness: Arc<StoreReadiness>,
    /// From serving to ended. Streams end when the server drains.
    pub(crate) phases: Arc<Phases>,
    /// The pages beside the routes.
    pub(crate) pages: Mounted,
    pub(crate) webhooks: Arc<Registry>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("manager", &self.manager)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

impl Shared {
    /// Returns the public URL of the service.
    ///
    /// Without a configured issuer it is the host of the request.
    ///
    /// # Errors
    /// If there is no issuer, and the request names no host.
    pub(crate) fn issuer(&self, parts: &Parts) -> Result<String, Failure> {
        if let Some(issuer) = &self.settings.issuer {
            return Ok(issuer.to_string());
        }
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let no_host = || Failure::invalid_request("the request names no host");
        Ok(format!("http://{}", authority.or(host).ok_or_else(no_host)?))
    }

    /// Returns the issuer that client assertions have to be for. Without a configured one it is the host of the request if
    /// that is the loopback, for development. A host that a stranger chooses would let an assertion for another server
    /// count here.
    pub(crate) fn issuer_of_assertions(&self, parts: &Parts) -> Option<String> {
        let issuer = self.issuer(parts).ok()?;
        let is_loopback = || {
            let host = issuer.parse::<Uri>().ok()?.host()?.to_owned();
            let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
            Some(host == "localhost" || address.is_ok_and(|address| address.is_loopback()))
        };
        let counts = self.settings.issuer.is_some() || is_loopback() == Some(true);
        counts.then_some(issuer)
    }

    /// Returns the limits that requests charge, by operation. A limit that the manager does not have is
    /// left out: it applies after a restart.
    pub(crate) fn limits_of(
        settings: &Settings,
        manager: &TokenManager,
    ) -> HashMap<&'static str, Vec<RouteLimit>> {
        let mut limits: HashMap<_, Vec<_>> = HashMap::new();
        for limit in &settings.route_limits {
            let is_known = |limit: &RouteLimit| {
                manager.limit_policies().any(|policy| *policy.name() == limit.name)
            };
            match is_known(limit) {
                true => limits.entry(limit.operation).or_default().push(limit.clone()),
                false => {
                    tracing::warn!(limit = %limit.name, "the manager does not have this limit");
                }
            }
        }
        limits
    }
}
