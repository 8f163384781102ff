//! Settings that are valid one by one and contradict each other.

use std::collections::BTreeSet;

use http::Uri;
use keyfob::Ttl;
use keyfob::limit::Charge;
use keyfob_tower::{SessionCookie, TrustedProxies};
use keyfob_webhook::address::Network;

use super::jwt::JwtSection;
use super::limits::ALL_ROUTES;
use super::sections::{Config, ProxiesSection, ProxyHeader, TracesSection};
use super::unknown::nearest;
use crate::chains::ChainName;
use crate::jwt::settings::JwtSettings;
use crate::listen::ConnectionBounds;
use crate::routes::table::routes;

/// A setting that is not valid beside the others.
#[derive(Debug)]
pub(super) struct Wrong {
    pub(super) path: Vec<String>,
    /// What is wrong, after the name of the setting.
    pub(super) problem: String,
}

fn wrong<const N: usize>(path: [&str; N], problem: impl Into<String>) -> Wrong {
    Wrong { path: path.map(ToOwned::to_owned).to_vec(), problem: problem.into() }
}

/// Returns everything that is wrong.
pub(super) fn check(config: &Config) -> Vec<Wrong> {
    let mut all = Vec::new();
    if config.store.is_some() && config.store_file.is_some() {
        all.push(wrong(["store_file"], "and store exclude each other: give one"));
    }
    if config.http.max_header_size.bytes() < ConnectionBounds::MIN_HEADER_BYTES {
        all.push(wrong(["http", "max_header_size"], "is too small: at least 8KiB"));
    }
    check_tls(config, &mut all);
    let is_given = config.listen.tcp().is_none_or(|address| address.port() != 0);
    if config.management.listen.as_ref() == Some(&config.listen) && is_given {
        all.push(wrong(["management", "listen"], "is the address of listen: give another"));
    }
    if config.proxies.certificate_header.is_some() && config.proxies.trusted.is_empty() {
        all.push(wrong(["proxies", "certificate_header"], "needs proxies.trusted"));
    }
    if let Err(error) = proxies(&config.proxies) {
        all.push(wrong(["proxies", "trusted"], format!("is not valid: {error}")));
    }
    if let Some(Err(error)) = config.gateway.cookie.as_deref().map(SessionCookie::new) {
        all.push(wrong(["gateway", "cookie"], format!("is not valid: {error}")));
    }
    if config.dpop.max_age > Ttl::from_mins(10) {
        all.push(wrong(["dpop", "max_age"], "is too long: at most 10m"));
    }
    if config.dpop.clock_skew > Ttl::from_mins(5) {
        all.push(wrong(["dpop", "clock_skew"], "is too long: at most 5m"));
    }
    let allowed = [
        ("webhooks", &config.webhooks.allowed_networks),
        ("signals", &config.signals.allowed_networks),
    ];
    for (section, networks) in allowed {
        for error in networks.iter().filter_map(|network| network.parse::<Network>().err()) {
            all.push(wrong([section, "allowed_networks"], format!("is not valid: {error}")));
        }
    }
    if let Some((setting, problem)) = config.nats.check() {
        all.push(wrong(["nats", setting], problem));
    }
    check_jwt(&config.jwt, &mut all);
    check_cache_and_edge(config, &mut all);
    check_traces(&config.traces, &mut all);
    check_limits(config, &mut all);
    check_chains(config, &mut all);
    all
}

fn check_tls(config: &Config, all: &mut Vec<Wrong>) {
    let tls = &config.tls;
    match (&tls.certificate, &tls.key) {
        (Some(_), None) => all.push(wrong(["tls", "certificate"], "needs tls.key")),
        (None, Some(_)) => all.push(wrong(["tls", "key"], "needs tls.certificate")),
        (Some(_), Some(_)) => {}
        (None, None) if tls.client_ca.is_some() => {
            all.push(wrong(["tls", "client_ca"], "needs tls.certificate and tls.key"));
        }
        (None, None) if config.management.tls => {
            all.push(wrong(["management", "tls"], "needs tls.certificate and tls.key"));
        }
        (None, None) => {}
    }
}

fn check_jwt(jwt: &JwtSection, all: &mut Vec<Wrong>) {
    /// With a shorter time every service would fetch all the time.
    const MIN_STATUS_TTL: Ttl = Ttl::from_secs(5);

    if jwt.ttl > JwtSettings::MAX_TTL {
        all.push(wrong(["jwt", "ttl"], "is too long: at most 24h"));
    }
    if jwt.status_ttl < MIN_STATUS_TTL {
        all.push(wrong(["jwt", "status_ttl"], "is too short: at least 5s"));
    }
    if jwt.status_lifetime <= jwt.status_ttl {
        all.push(wrong(["jwt", "status_lifetime"], "has to be longer than jwt.status_ttl"));
    }
}

fn check_cache_and_edge(config: &Config, all: &mut Vec<Wrong>) {
    let staleness = config.cache.max_staleness;
    if staleness < Ttl::saturating_from_millis(5) || staleness > Ttl::from_mins(10) {
        all.push(wrong(["cache", "max_staleness"], "is not valid: 5ms to 10m"));
    }
    if config.cache.max_tokens > MAX_CACHED_TOKENS {
        all.push(wrong(["cache", "max_tokens"], "is too large: at most 100000000"));
    }
    let edge = &config.edge;
    let has_key = edge.key.is_some() || edge.key_file.is_some();
    if edge.key.is_some() && edge.key_file.is_some() {
        all.push(wrong(["edge", "key_file"], "and edge.key exclude each other: give one"));
    }
    match &edge.central {
        None if has_key || edge.ca.is_some() || edge.forward => {
            all.push(wrong(["edge", "central"], "is missing: give the URL of the central server"));
        }
        None => {}
        Some(_) if config.store.is_some() || config.store_file.is_some() => {
            all.push(wrong(
                ["edge", "central"],
                "and store exclude each other: an edge has no store",
            ));
        }
        Some(_) if config.keys.is_some() => {
            all.push(wrong(
                ["edge", "central"],
                "and keys exclude each other: an edge seals nothing",
            ));
        }
        Some(_) if !has_key => {
            all.push(wrong(["edge", "central"], "needs edge.key_file or edge.key"));
        }
        Some(url) => {
            let uri = url.parse::<Uri>().ok();
            let scheme = uri.as_ref().and_then(|uri| uri.scheme_str());
            let has_user = uri
                .as_ref()
                .and_then(Uri::authority)
                .is_none_or(|host| host.as_str().contains('@'));
            if !matches!(scheme, Some("http" | "https")) || has_user {
                let problem = "is not valid: write https:// and the host of the central server";
                all.push(wrong(["edge", "central"], problem));
            }
        }
    }
}

/// More than any machine has memory for.
const MAX_CACHED_TOKENS: usize = 100_000_000;

fn check_traces(traces: &TracesSection, all: &mut Vec<Wrong>) {
    // A user or a query might be a secret, which `config show` would show.
    let is_collector = |url: &str| {
        let Ok(uri) = url.parse::<Uri>() else { return false };
        let is_known = matches!(uri.scheme_str(), Some("http" | "https"));
        let has_host = uri.authority().is_some_and(|host| !host.as_str().contains('@'));
        is_known && has_host && uri.path() == "/" && uri.query().is_none()
    };
    if traces.endpoint.as_deref().is_some_and(|url| !is_collector(url)) {
        let problem = "is not valid: write http:// or https://, the host and the port of the \
                       collector, such as http://127.0.0.1:4317";
        all.push(wrong(["traces", "endpoint"], problem));
    }
    if !(0.0..=1.0).contains(&traces.sample_ratio) {
        all.push(wrong(["traces", "sample_ratio"], "is not valid: write a number from 0 to 1"));
    }
    let name = &traces.service_name;
    if name.trim().is_empty() || name.len() > 255 || name.contains(char::is_control) {
        all.push(wrong(["traces", "service_name"], "is not valid: write 1 to 255 characters"));
    }
}

/// Returns the proxies that are trusted.
pub(super) fn proxies(
    section: &ProxiesSection,
) -> Result<TrustedProxies, keyfob_tower::InvalidNetwork> {
    let trusted = section.trusted.iter().map(String::as_str);
    match section.header {
        _ if section.trusted.is_empty() => Ok(TrustedProxies::none()),
        ProxyHeader::XForwardedFor => TrustedProxies::x_forwarded_for(trusted),
        ProxyHeader::Forwarded => TrustedProxies::forwarded(trusted),
    }
}

fn check_limits(config: &Config, all: &mut Vec<Wrong>) {
    if config.limits.len() > Charge::MAX_KEYS {
        all.push(wrong(["limits"], format!("has more than {} limits", Charge::MAX_KEYS)));
    }
    let operations: BTreeSet<_> = routes().iter().map(|route| route.operation).collect();
    for (name, limit) in &config.limits {
        if let Err(error) = limit.policy(name) {
            all.push(wrong(["limits", name], format!("is not valid: {error}")));
        }
        for route in limit.routes.iter().filter(|route| *route != ALL_ROUTES) {
            if !operations.contains(&**route) {
                let near = nearest(route, operations.iter().copied());
                let near = near.map(|near| format!(". Did you mean {near}?")).unwrap_or_default();
                let problem = format!("has {route:?}, which is no operation{near}");
                all.push(wrong(["limits", name, "routes"], problem));
            }
        }
    }
}

fn check_chains(config: &Config, all: &mut Vec<Wrong>) {
    for (name, chain) in &config.chains {
        if let Err(error) = name.parse::<ChainName>() {
            all.push(wrong(["chains", name], format!("is not valid: {error}")));
        }
        if let Err(error) = chain.build() {
            all.push(wrong(["chains", name], format!("is not valid: {error}")));
        }
        for charge in &chain.limits {
            let limit = charge.name.as_str();
            if !config.limits.contains_key(limit) {
                let near = nearest(limit, config.limits.keys().map(String::as_str));
                let near = near.map(|near| format!(". Did you mean {near}?")).unwrap_or_default();
                let problem = format!("has {limit:?}, which is not below [limits]{near}");
                all.push(wrong(["chains", name, "limits"], problem));
            }
        }
    }
}
