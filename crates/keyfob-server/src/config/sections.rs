//! Every setting, with its default.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::num::{NonZeroU32, NonZeroUsize};
use std::path::PathBuf;

use keyfob::values::Issuer;
use keyfob::{BearerPrefix, CacheConfig, ClientId, Ttl};
use keyfob_api::SecretText;
use keyfob_api::schema::{Text, TtlText};
use keyfob_tower::CertificateHeader;
use keyfob_tower::dpop::ProofPolicy;
use keyfob_webhook::retry::RetryPolicy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::jwt::JwtSection;
use super::limits::LimitSection;
use super::nats::NatsSection;
use super::size::ByteSize;
use super::text;
use crate::chains::ChainSpec;
use crate::listen::ListenAddress;

/// The configuration of `keyfob serve`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "keyfob.toml")]
pub struct Config {
    /// The address to listen on, or `unix:` and the path of a socket. Port 0 picks a free one.
    #[schemars(with = "String")]
    pub listen: ListenAddress,
    /// The token store: `file:PATH`, `redis://…`, or `memory:`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store: Option<SecretText>,
    /// The file that has the URL of the store, so that a password is not in this file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub store_file: Option<PathBuf>,
    /// The key ring that seals the store: `FILE`, `env:VARIABLE` or `command:COMMAND`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keys: Option<String>,
    /// The prefix of bearers: 3 to 16 characters of a-z and 0-9.
    #[serde(with = "text")]
    #[schemars(with = "String", regex(pattern = r"^[a-z0-9]{3,16}$"))]
    pub prefix: BearerPrefix,
    /// The public URL of the service: the issuer in its metadata and in new tokens.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<256>>")]
    pub issuer: Option<Issuer>,
    /// The clients that cannot keep a secret and may refresh with their name alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(with = "Vec<Text<128>>")]
    pub public_clients: Vec<ClientId>,
    /// The cache of tokens that were found active.
    pub cache: CacheSection,
    /// The central server, instead of a store.
    pub edge: EdgeSection,
    /// The proxies in front of the server.
    pub proxies: ProxiesSection,
    /// Bounds on connections and requests.
    pub http: HttpSection,
    /// Certificates. Without them the server speaks plain HTTP.
    pub tls: TlsSection,
    /// A second address for management, so that the first may be exposed without it.
    pub management: ManagementSection,
    /// The web console, at `/console`.
    pub console: ConsoleSection,
    /// Gateways that ask `/authz`.
    pub gateway: GatewaySection,
    /// Proofs of possession (DPoP, RFC 9449).
    pub dpop: DpopSection,
    /// Access tokens in the form of JWTs (RFC 9068).
    pub jwt: JwtSection,
    /// Bearers that were found where they should not be.
    pub leaks: LeaksSection,
    /// Events sent to receivers.
    pub webhooks: WebhooksSection,
    /// Streams of events that receivers manage themselves (Shared Signals).
    pub signals: SignalsSection,
    /// NATS servers that events are published to.
    pub nats: NatsSection,
    /// What is logged, and in which form.
    pub log: LogSection,
    /// Traces of requests, sent to a collector.
    pub traces: TracesSection,
    /// Rate limits by name.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub limits: BTreeMap<String, LimitSection>,
    /// Chains of demands by name, for gateways and for `POST /v1/validate`.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub chains: BTreeMap<String, ChainSpec>,
}

/// The cache of tokens that were found active.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Cache")]
pub struct CacheSection {
    /// The maximum number of tokens in it. 0 turns it off.
    pub max_tokens: usize,
    /// For how long after a revocation has returned this server may still answer "active": 5 ms to 10 minutes. It has to
    /// be a few times as long as the way to the store and back.
    #[schemars(with = "TtlText")]
    pub max_staleness: Ttl,
}

/// The central server, instead of a store: this server is an edge of it. It validates, and the central
/// server does everything else.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Edge")]
pub struct EdgeSection {
    /// The URL of the central server: `https://…`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub central: Option<String>,
    /// The API key for it, with the scope `keyfob:edge`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<SecretText>,
    /// The file that has the API key. It is read again when the key was replaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_file: Option<PathBuf>,
    /// The file of the certificates to trust, as PEM, instead of those of the system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca: Option<PathBuf>,
    /// Whether the requests that an edge does not answer are sent on to the central server, with the credentials of their
    /// caller. Otherwise they are refused.
    pub forward: bool,
}

/// The proxies in front of the server.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Proxies")]
pub struct ProxiesSection {
    /// The addresses or networks whose statements about the client address are believed.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub trusted: Vec<String>,
    /// The header that they write.
    pub header: ProxyHeader,
    /// The header in which they name the certificate that the client has shown to them (RFC 8705).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_header: Option<ProxyCertificateHeader>,
}

/// The header in which a proxy names the client address.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProxyHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
}

/// The header in which a proxy names the certificate of the client.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize, JsonSchema)]
pub enum ProxyCertificateHeader {
    /// `Client-Cert` (RFC 9440).
    #[serde(rename = "client-cert")]
    Standard,
    /// `X-Forwarded-Client-Cert`, as Envoy writes it.
    #[serde(rename = "x-forwarded-client-cert")]
    Envoy,
    /// `ssl-client-cert`: PEM with escapes, as nginx writes `$ssl_client_escaped_cert`.
    #[serde(rename = "ssl-client-cert")]
    Nginx,
}

impl From<ProxyCertificateHeader> for CertificateHeader {
    fn from(header: ProxyCertificateHeader) -> Self {
        match header {
            ProxyCertificateHeader::Standard => Self::ClientCert,
            ProxyCertificateHeader::Envoy => Self::XForwardedClientCert,
            ProxyCertificateHeader::Nginx => Self::SslClientCert,
        }
    }
}

/// Bounds on connections and requests.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Http")]
pub struct HttpSection {
    /// How long a request may take, its body included. Streams may take longer.
    #[schemars(with = "TtlText")]
    pub request_timeout: Ttl,
    /// How long a client may take to send the head of a request, or for the handshake of TLS.
    #[schemars(with = "TtlText")]
    pub header_timeout: Ttl,
    /// How long a connection may be open without a request.
    #[schemars(with = "TtlText")]
    pub idle_timeout: Ttl,
    /// How long a client may leave an answer unread.
    #[schemars(with = "TtlText")]
    pub write_timeout: Ttl,
    /// How long a server that stops waits for its requests.
    #[schemars(with = "TtlText")]
    pub drain_timeout: Ttl,
    /// How long a server that is asked to stop continues, with `/readyz` red, so that load balancers
    /// turn away first. Default: not at all.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<TtlText>")]
    pub drain_delay: Option<Ttl>,
    /// The maximum number of connections. More wait until one is closed.
    pub max_connections: NonZeroUsize,
    /// The maximum number of requests at the same time. More are answered with 503.
    pub max_requests: NonZeroUsize,
    /// The maximum number of requests at the same time on one connection of HTTP/2.
    pub max_streams: NonZeroU32,
    /// How many requests a connection of HTTP/2 may cancel before it is closed. A client that needs the
    /// answers of half of its requests is not closed.
    pub max_resets: NonZeroU32,
    /// The maximum size of the head of a request.
    #[serde(with = "text")]
    #[schemars(with = "SizeText")]
    pub max_header_size: ByteSize,
    /// The maximum number of header fields.
    pub max_headers: NonZeroUsize,
    /// The maximum size of a body. Routes that expect less allow less.
    #[serde(with = "text")]
    #[schemars(with = "SizeText")]
    pub max_body_size: ByteSize,
}

/// Certificates.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Tls")]
pub struct TlsSection {
    /// The file of the certificate and its chain, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<PathBuf>,
    /// The file of the private key, as PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<PathBuf>,
    /// The file of the certificates that sign those of clients, as PEM. Without it, clients show none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_ca: Option<PathBuf>,
    /// Whether a client has to show a certificate, where `client_ca` is set.
    pub client_certificates: ClientCertificates,
    /// Whether access tokens of the token endpoint are bound to the certificate that the client has shown (RFC 8705
    /// section 3).
    pub bound_access_tokens: bool,
    /// How often the files are compared with what is in use.
    #[schemars(with = "TtlText")]
    pub check_interval: Ttl,
}

/// Whether a client has to show a certificate.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClientCertificates {
    /// A client without a certificate is not let in.
    #[default]
    Required,
    /// A client may show a certificate, and then it has to be right.
    Optional,
}

/// A second address for management.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Management")]
pub struct ManagementSection {
    /// The address. Where it is set, metrics, documentation and `/v1` are served here alone; only
    /// `/v1/validate` and `/v1/introspect` are served at the first address too.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub listen: Option<ListenAddress>,
    /// Whether it uses the certificates of `[tls]`.
    pub tls: bool,
}

/// The web console, at `/console` of the address of management.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Console")]
pub struct ConsoleSection {
    /// Whether it is served.
    pub enabled: bool,
}

/// Gateways that ask `/authz`.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Gateway")]
pub struct GatewaySection {
    /// The cookie in which a bearer is accepted, beside the `Authorization` header. Default: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cookie: Option<String>,
}

/// What is logged, and in which form.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Log")]
pub struct LogSection {
    /// The form of a line on stderr.
    pub format: LogFormat,
    /// A level, or levels by module, such as `keyfob=debug,warn`. Default: `info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub filter: Option<String>,
    /// Whether each request has a line.
    pub requests: bool,
}

/// Bearers that were found where they should not be.
#[derive(Clone, PartialEq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Leaks")]
pub struct LeaksSection {
    /// The file of the keys with which GitHub signs what its secret scanning found: what
    /// `https://api.github.com/meta/public_keys/secret_scanning` answers. Without it, `/leaks/github` answers 404.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub github_keys: Option<PathBuf>,
}

/// Events sent to receivers: see `POST /v1/webhooks`. Changes apply after a restart.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Webhooks")]
pub struct WebhooksSection {
    /// Addresses or networks that are not public and may have receivers all the same, also without TLS, such as
    /// `10.1.0.0/16`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_networks: Vec<String>,
    /// After how many attempts a delivery becomes a dead letter. Twelve take about five and a half hours.
    pub max_attempts: NonZeroU32,
}

impl Default for WebhooksSection {
    fn default() -> Self {
        let max_attempts = count32(RetryPolicy::default().max_attempts);
        Self { allowed_networks: Vec::new(), max_attempts }
    }
}

/// Streams of events that receivers manage themselves: see `/ssf/streams`. Changes apply after a restart.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Signals")]
pub struct SignalsSection {
    /// Addresses or networks that are not public and that receivers may have events pushed to all the same, also without
    /// TLS, such as `10.1.0.0/16`. Each receiver chooses its URL, so list no network that has more than receivers.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allowed_networks: Vec<String>,
}

/// Proofs of possession (DPoP, RFC 9449).
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Dpop")]
pub struct DpopSection {
    /// Whether a proof needs a nonce of the server.
    pub nonce: ProofNonce,
    /// How long a proof is accepted after it was made. At most 10 minutes.
    #[schemars(with = "TtlText")]
    pub max_age: Ttl,
    /// How much the clocks of clients and the server may differ. At most 5 minutes.
    #[schemars(with = "TtlText")]
    pub clock_skew: Ttl,
}

/// Whether a proof of possession needs a nonce of the server (RFC 9449 section 8).
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ProofNonce {
    /// It needs none.
    #[default]
    Optional,
    /// It needs one, so that nobody can make proofs in advance. A client learns it from a refusal.
    Required,
}

/// The form of a line of the log.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One object on each line.
    Json,
}

/// Traces of requests, sent to a collector of OpenTelemetry by OTLP over gRPC.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(rename = "Traces")]
pub struct TracesSection {
    /// The URL of the collector, such as `http://127.0.0.1:4317`. Without it nothing is traced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The share of the requests without a `traceparent` that begin a trace: 0 to 1. With one, the
    /// caller has decided.
    #[schemars(range(min = 0.0, max = 1.0))]
    pub sample_ratio: f64,
    /// The name of this service in traces.
    pub service_name: String,
}

/// The schema of a [`ByteSize`].
struct SizeText;

impl JsonSchema for SizeText {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SizeText".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9]+ *(B|KiB|MiB|GiB)$",
            "examples": ["64KiB", "4MiB"],
        })
    }
}

const fn count(number: usize) -> NonZeroUsize {
    match NonZeroUsize::new(number) {
        Some(number) => number,
        None => NonZeroUsize::MIN,
    }
}

const fn count32(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8700)).into(),
            store: None,
            store_file: None,
            keys: None,
            prefix: BearerPrefix::default(),
            issuer: None,
            public_clients: Vec::new(),
            cache: CacheSection::default(),
            edge: EdgeSection::default(),
            proxies: ProxiesSection::default(),
            http: HttpSection::default(),
            tls: TlsSection::default(),
            management: ManagementSection::default(),
            console: ConsoleSection::default(),
            gateway: GatewaySection::default(),
            dpop: DpopSection::default(),
            jwt: JwtSection::default(),
            leaks: LeaksSection::default(),
            webhooks: WebhooksSection::default(),
            signals: SignalsSection::default(),
            nats: NatsSection::default(),
            log: LogSection::default(),
            traces: TracesSection::default(),
            limits: BTreeMap::new(),
            chains: BTreeMap::new(),
        }
    }
}

impl Default for CacheSection {
    fn default() -> Self {
        let cache = CacheConfig::default();
        Self { max_tokens: cache.max_tokens(), max_staleness: cache.max_staleness() }
    }
}

impl Default for DpopSection {
    fn default() -> Self {
        let ProofPolicy { max_age, clock_skew } = ProofPolicy::default();
        Self { nonce: ProofNonce::default(), max_age, clock_skew }
    }
}

impl Default for ConsoleSection {
    fn default() -> Self {
        Self { enabled: true }
    }
}

impl Default for HttpSection {
    fn default() -> Self {
        Self {
            request_timeout: Ttl::from_secs(10),
            header_timeout: Ttl::from_secs(10),
            idle_timeout: Ttl::from_mins(2),
            write_timeout: Ttl::from_secs(30),
            drain_timeout: Ttl::from_secs(30),
            drain_delay: None,
            max_connections: count(20_000),
            max_requests: count(2_048),
            max_streams: count32(256),
            max_resets: count32(200),
            max_header_size: ByteSize::from_kib(32),
            max_headers: count(100),
            max_body_size: ByteSize::from_kib(4 * 1024),
        }
    }
}

impl Default for TlsSection {
    fn default() -> Self {
        Self {
            certificate: None,
            key: None,
            client_ca: None,
            client_certificates: ClientCertificates::default(),
            bound_access_tokens: false,
            check_interval: Ttl::from_secs(30),
        }
    }
}

impl Default for TracesSection {
    fn default() -> Self {
        Self { endpoint: None, sample_ratio: 0.05, service_name: "keyfob".to_owned() }
    }
}
