//! The settings of a server.

use std::sync::Arc;
use std::time::Duration;

use keyfob::values::{Issuer, LimitName};
use keyfob::{ClientId, LimitBy};
use keyfob_tower::dpop::ProofPolicy;
use keyfob_tower::{CertificateHeader, SessionCookie, TrustedProxies};

use crate::chains::{ChainName, Chains, NamedChain};
use crate::forward::Forward;
use crate::jwt::settings::JwtSettings;
use crate::leaks::GithubKeys;
use crate::listen::ConnectionBounds;
use crate::webhooks::WebhookSettings;

/// The settings of a server. All have defaults.
///
/// ```
/// use keyfob_server::Settings;
///
/// let settings = Settings::new().issuer("https://tokens.example".parse()?);
/// # Ok::<(), keyfob::InvalidValue>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// The public URL of the service: the `issuer` of its metadata (RFC 8414) and of new tokens.
    /// Without it, the metadata takes the host of the request, and tokens have no issuer.
    pub issuer: Option<Issuer>,
    /// The clients that cannot keep a secret and may refresh with their name alone.
    pub public_clients: Vec<ClientId>,
    /// The proxies that may name the address of the client.
    pub trusted_proxies: TrustedProxies,
    /// The chains of demands that gateways and `POST /v1/validate` may name.
    pub chains: Chains,
    /// The cookie in which gateways accept a bearer token, beside the `Authorization` header. A request
    /// with both is refused. Default: none.
    pub gateway_cookie: Option<SessionCookie>,
    /// The maximum time that a request may take, its body included. Streams may take longer.
    pub request_timeout: Duration,
    /// The maximum length of a body in bytes. Routes that expect less allow less.
    pub max_body_bytes: usize,
    /// The limits that requests charge, by the operation of their route.
    pub route_limits: Vec<RouteLimit>,
    /// The keys with which GitHub signs what its secret scanning found. Without them, `POST /leaks/github` answers 404.
    pub github_keys: Option<GithubKeys>,
    /// Certificates of clients (RFC 8705).
    pub certificates: CertificateSettings,
    /// What is demanded of proofs of possession (DPoP, RFC 9449).
    pub dpop: DpopSettings,
    /// Access tokens in the form of JWTs (RFC 9068).
    pub jwt: JwtSettings,
    /// The way to the central server, at an edge that sends on what it cannot answer.
    pub forward: Option<Arc<dyn Forward>>,
    /// Bounds on connections and on the requests of a connection.
    pub bounds: ConnectionBounds,
    /// Whether each request has a line in the log.
    pub log_requests: bool,
    /// Webhooks. [`Server::reload`](crate::Server::reload) does not change them.
    pub webhooks: WebhookSettings,
}

/// Where certificates of clients come from, besides the connection, and what they are for (RFC 8705).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CertificateSettings {
    /// The header in which trusted proxies name the certificate.
    pub header: Option<CertificateHeader>,
    /// Whether access tokens of the token endpoint are bound to the certificate that the client shows.
    pub bound_access_tokens: bool,
}

/// What is demanded of proofs of possession (DPoP, RFC 9449). The manager of the server needs a store of limits:
/// it remembers the proofs that were used. Without one, tokens that are bound to a key are refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct DpopSettings {
    /// How old a proof may be.
    pub policy: ProofPolicy,
    /// Whether a proof needs a nonce of the server (section 8).
    pub needs_nonce: bool,
}

/// A limit that the requests of a route charge, with one permit each.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RouteLimit {
    /// The operation of the route.
    pub operation: &'static str,
    /// The name of the limit, which the manager of the server knows.
    pub name: LimitName,
    /// What it counts by.
    pub by: LimitBy,
}

impl Settings {
    /// Returns the default settings.
    pub fn new() -> Self {
        Self {
            issuer: None,
            public_clients: Vec::new(),
            trusted_proxies: TrustedProxies::none(),
            chains: Chains::default(),
            gateway_cookie: None,
            request_timeout: Duration::from_secs(10),
            max_body_bytes: usize::MAX,
            route_limits: Vec::new(),
            github_keys: None,
            certificates: CertificateSettings::default(),
            dpop: DpopSettings::default(),
            jwt: JwtSettings::default(),
            bounds: ConnectionBounds::default(),
            log_requests: false,
            forward: None,
            webhooks: WebhookSettings::default(),
        }
    }

    /// Sets [`Settings::issuer`].
    #[must_use]
    pub fn issuer(self, issuer: Issuer) -> Self {
        Self { issuer: Some(issuer), ..self }
    }

    /// Adds a [public client](Settings::public_clients).
    #[must_use]
    pub fn public_client(mut self, client: ClientId) -> Self {
        self.public_clients.push(client);
        self
    }

    /// Sets [`Settings::trusted_proxies`].
    #[must_use]
    pub fn trusted_proxies(self, proxies: TrustedProxies) -> Self {
        Self { trusted_proxies: proxies, ..self }
    }

    /// Sets [`Settings::github_keys`].
    #[must_use]
    pub fn github_keys(self, keys: GithubKeys) -> Self {
        Self { github_keys: Some(keys), ..self }
    }

    /// Sets [`Settings::forward`].
    #[must_use]
    pub fn forward(self, central: Arc<dyn Forward>) -> Self {
        Self { forward: Some(central), ..self }
    }

    /// Sets [`Settings::certificates`].
    #[must_use]
    pub fn certificates(self, certificates: CertificateSettings) -> Self {
        Self { certificates, ..self }
    }

    /// Sets [`Settings::dpop`].
    #[must_use]
    pub fn dpop(self, dpop: DpopSettings) -> Self {
        Self { dpop, ..self }
    }

    /// Sets [`Settings::jwt`].
    #[must_use]
    pub fn jwt(self, jwt: JwtSettings) -> Self {
        Self { jwt, ..self }
    }

    /// Adds a [chain](Settings::chains) by name.
    #[must_use]
    pub fn chain(mut self, name: ChainName, chain: impl Into<NamedChain>) -> Self {
        self.chains.insert(name, chain.into());
        self
    }

    /// Sets [`Settings::gateway_cookie`].
    #[must_use]
    pub fn gateway_cookie(self, cookie: SessionCookie) -> Self {
        Self { gateway_cookie: Some(cookie), ..self }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self::new()
    }
}
