//! Opens connections: TCP, TLS if configured, login, then what a primary needs before it is used.

use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, select};
use keyfob_store::metrics::LinkPurpose;
use keyfob_store::{Metrics, MonotonicInstant, StoreError};
use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Pipeline, ProtocolVersion, RedisConnectionInfo};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::call_error::CallError;
use super::clock_offset::ClockSource;
use super::connection::{Connection, ConnectionMetrics};
use super::handshake::{HandshakeError, greet};
use super::probe;
use super::reply::Reply;
use crate::config::{Address, Login, RedisConfig, Tls, Topology, misconfigured};
use crate::protocol::signatures::Scripts;

/// After this time without a connection, the address is probed meanwhile.
const SLOW_FIRST_CONNECTION: Duration = Duration::from_millis(200);

/// Receives what a server pushes.
type PushReceiver = Arc<dyn AsyncPushSender>;

pub(super) struct Connector {
    tls: Option<TlsConnector>,
    login: Login,
    sentinel_login: Login,
    database: u32,
    connect_timeout: Duration,
    clock_source: ClockSource,
    scripts: Arc<Scripts>,
    /// Whether a server is used only if it says that it is a primary.
    checks_role: bool,
    /// Whether there is no other server to ask than the one at the configured address.
    is_standalone: bool,
    /// Whether any connection was ever made. Until then, the settings may be wrong.
    has_connected: AtomicBool,
    connected: Notify,
    metrics: Metrics,
}

impl std::fmt::Debug for Connector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connector").field("login", &self.login).finish_non_exhaustive()
    }
}

impl Connector {
    pub(super) fn new(config: &RedisConfig, scripts: Arc<Scripts>) -> Result<Self, StoreError> {
        Ok(Self {
            tls: config.tls.as_ref().map(tls_connector).transpose()?,
            login: config.login.clone(),
            sentinel_login: config.sentinel_login.clone(),
            database: config.database,
            connect_timeout: config.connect_timeout,
            clock_source: ClockSource {
                clock: Arc::clone(&config.clock),
                timeout: config.response_timeout,
            },
            scripts,
            is_standalone: matches!(config.topology, Topology::Standalone(_)),
            has_connected: AtomicBool::new(false),
            checks_role: matches!(config.topology, Topology::Sentinel { .. }),
            connected: Notify::new(),
            metrics: config.metrics.clone().unwrap_or_else(Metrics::global),
        })
    }

    pub(super) fn clock_source(&self) -> &ClockSource {
        &self.clock_source
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn response_timeout(&self) -> Duration {
        self.clock_source.timeout
    }

    /// Connects to a primary, loads the scripts and measures its clock.
    pub(super) async fn primary(
        &self,
        address: &Address,
        purpose: LinkPurpose,
    ) -> Result<Connection, CallError> {
        let connection = self.open(address, &self.login, self.database, purpose, None).await?;
        check_mode(&connection, address)?;
        self.check_role(&connection, address).await?;
        connection.measure_clock(&self.clock_source).await.map_err(not_sent)?;
        if let Err(error) = self.load_scripts(&connection).await {
            // A server that is too old does not understand the scripts, and its own error does not say why.
            return Err(match too_old(&connection.server().version) {
                Some(advice) => CallError::Final(misconfigured(format!("{address} {advice}"))),
                None => not_sent(error),
            });
        }
        self.connected.notify_one();
        Ok(connection)
    }

    /// Waits until a connection to a primary has been made.
    pub(super) async fn connected(&self) {
        self.connected.notified().await;
    }

    /// Connects to a primary that may push on the connection.
    pub(super) async fn listener(
        &self,
        address: &Address,
        pushed: impl AsyncPushSender,
    ) -> Result<Connection, CallError> {
        let pushed: PushReceiver = Arc::new(pushed);
        let connection =
            self.open(address, &self.login, self.database, LinkPurpose::Feed, Some(pushed)).await?;
        self.check_role(&connection, address).await?;
        Ok(connection)
    }

    /// Makes a new connection by an address, and closes it. Returns which run of a server is there, or `None`
    /// if the server does not tell it.
    pub(super) async fn server_run(&self, address: &Address) -> Result<Option<String>, CallError> {
        let purpose = LinkPurpose::Topology;
        let connection = self.open(address, &self.login, self.database, purpose, None).await?;
        Ok(connection.server_run().map(str::to_owned))
    }

    async fn check_role(
        &self,
        connection: &Connection,
        address: &Address,
    ) -> Result<(), CallError> {
        if self.checks_role {
            let role = connection.send(&redis::cmd("ROLE"), self.response_timeout()).await?;
            let role = Reply(role).array().ok().and_then(|parts| parts.into_iter().next());
            if role.and_then(|role| role.text().ok()).as_deref() != Some("master") {
                return Err(CallError::Refused(format!("{address} is no longer a primary")));
            }
        }
        Ok(())
    }

    /// Loads the scripts if the server does not have them. They are many times what a new connection to the
    /// same server sends otherwise. If the server has one script, it has all of them. If it does not, the
    /// first call loads the script that is missing.
    async fn load_scripts(&self, connection: &Connection) -> Result<(), CallError> {
        let mut exists = redis::cmd("SCRIPT");
        exists.arg("EXISTS").arg(&self.scripts.load.digest);
        let found = Reply(connection.send(&exists, self.response_timeout()).await?).array();
        let found = found.ok().and_then(|found| found.into_iter().next()?.number().ok());
        if found == Some(1) {
            return Ok(());
        }
        let mut load = Pipeline::new();
        for script in self.scripts.all() {
            load.cmd("SCRIPT").arg("LOAD").arg(&script.text);
        }
        for value in connection.send_all(&load, self.response_timeout()).await? {
            connection.check(value)?;
        }
        Ok(())
    }

    pub(super) async fn sentinel(&self, address: &Address) -> Result<Connection, CallError> {
        self.open(address, &self.sentinel_login, 0, LinkPurpose::Topology, None).await
    }

    /// Connects to a node of a cluster to read the route.
    pub(super) async fn cluster_node(&self, address: &Address) -> Result<Connection, CallError> {
        self.open(address, &self.login, 0, LinkPurpose::Topology, None).await
    }

    async fn open(
        &self,
        address: &Address,
        login: &Login,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<PushReceiver>,
    ) -> Result<Connection, CallError> {
        let connected = async {
            let connected = self.open_stream(address, login, database, purpose, pushed);
            match timeout(self.connect_timeout, connected).await {
                Ok(outcome) => outcome.map_err(not_sent),
                Err(_) => Err(CallError::Refused(format!(
                    "no connection to {address} within {:?}",
                    self.connect_timeout
                ))),
            }
        };
        let outcome = match self.has_connected.load(Ordering::Relaxed) {
            true => connected.await,
            false => self.connect_first(address, connected).await,
        };
        match &outcome {
            Ok(_) => {
                self.has_connected.store(true, Ordering::Relaxed);
                self.metrics.link_opened(purpose);
            }
            Err(_) => self.metrics.link_failed(purpose),
        }
        outcome
    }

    /// Waits for the first connection. If it fails or takes long, finds out whether the settings are wrong.
    async fn connect_first(
        &self,
        address: &Address,
        connected: impl Future<Output = Result<Connection, CallError>>,
    ) -> Result<Connection, CallError> {
        if address.unix_path().is_some() {
            return connected.await;
        }
        let find_fault = || probe::find_fault(address, self.tls.is_some());
        let mut connected = pin!(connected);
        let fault = match timeout(SLOW_FIRST_CONNECTION, &mut connected).await {
            Ok(Err(CallError::Refused(detail))) => {
                return Err(match find_fault().await {
                    Some(fault) => CallError::Final(misconfigured(fault)),
                    None => CallError::Refused(detail),
                });
            }
            Ok(outcome) => return outcome,
            // A plain server waits for the end of a line, which TLS does not send.
            Err(_) => pin!(find_fault()),
        };
        match select(connected, fault).await {
            Either::Left((outcome, _)) => outcome,
            Either::Right((Some(fault), _)) => Err(CallError::Final(misconfigured(fault))),
            Either::Right((None, connected)) => connected.await,
        }
    }

    /// Returns the error for a server that cannot be reached.
    fn unreachable(&self, address: &Address, error: &io::Error) -> CallError {
        if let Some(path) = address.unix_path() {
            return self.no_socket(path, error);
        }
        let is_unknown_host = error.to_string().contains("Name or service not known");
        let detail = match error.kind() {
            io::ErrorKind::ConnectionRefused => format!(
                "nothing accepts connections at {address} ({error}): start the server, or check the host and \
                 the port"
            ),
            _ if is_unknown_host => {
                format!("the host of {address} is not known ({error}): check its name")
            }
            _ => format!("{address} cannot be reached: {error}"),
        };
        let is_certain = is_unknown_host || error.kind() == io::ErrorKind::ConnectionRefused;
        let is_first = self.is_standalone && !self.has_connected.load(Ordering::Relaxed);
        match is_certain && is_first {
            // Probably the settings are wrong, or the server does not run: waiting does not help.
            true => CallError::Final(StoreError::unavailable(detail)),
            false => CallError::Refused(detail),
        }
    }

    /// Returns the error for a unix socket that cannot be connected to.
    fn no_socket(&self, path: &str, error: &io::Error) -> CallError {
        use io::ErrorKind::{
            ConnectionRefused, InvalidInput, NotFound, PermissionDenied, Unsupported,
        };
        match error.kind() {
            // A server that starts creates its socket.
            NotFound | ConnectionRefused if self.has_connected.load(Ordering::Relaxed) => {
                CallError::Refused(format!("no server listens at {path} ({error})"))
            }
            NotFound | ConnectionRefused => CallError::Final(StoreError::unavailable(format!(
                "no server listens at {path} ({error}): start it with `unixsocket {path}`, or check the path"
            ))),
            PermissionDenied => CallError::Final(misconfigured(format!(
                "this user may not connect to {path} ({error}): see `unixsocketperm` of the server"
            ))),
            InvalidInput | Unsupported => CallError::Final(misconfigured(format!(
                "{path} cannot be used as a unix socket: {error}"
            ))),
            _ => CallError::Refused(format!("{path} cannot be reached: {error}")),
        }
    }

    async fn open_stream(
        &self,
        address: &Address,
        login: &Login,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<PushReceiver>,
    ) -> Result<Connection, CallError> {
        let begun = MonotonicInstant::now();
        let refused = |error: io::Error| self.unreachable(address, &error);
        let metrics = ConnectionMetrics { metrics: self.metrics.clone(), purpose };
        let setup = Setup { address, login, database, pushed, metrics, begun };
        if let Some(path) = address.unix_path() {
            return set_up(unix_stream(path).await.map_err(refused)?, setup).await;
        }
        let stream =
            TcpStream::connect((address.host.as_str(), address.port)).await.map_err(refused)?;
        // Otherwise a small write may wait 40 ms for the acknowledgement of the last one.
        stream.set_nodelay(true).map_err(refused)?;
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(15))
            .with_interval(Duration::from_secs(5));
        SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(refused)?;
        let Some(tls) = &self.tls else { return set_up(stream, setup).await };
        let name = ServerName::try_from(address.host.clone()).map_err(|_| {
            CallError::Final(misconfigured(format!("{address} is not a name that TLS can verify")))
        })?;
        set_up(tls.connect(name, stream).await.map_err(refused)?, setup).await
    }
}

#[cfg(unix)]
async fn unix_stream(path: &str) -> io::Result<tokio::net::UnixStream> {
    tokio::net::UnixStream::connect(path).await
}

#[cfg(not(unix))]
async fn unix_stream(_: &str) -> io::Result<TcpStream> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "this system has no unix sockets"))
}

/// Checks that a server is one that has data.
fn check_mode(connection: &Connection, address: &Address) -> Result<(), CallError> {
    match connection.server().mode.as_str() {
        "sentinel" => Err(CallError::Final(misconfigured(format!(
            "{address} is a sentinel, which has no data: write redis+sentinel://{address}/NAME, with the name \
             of the primary in its settings"
        )))),
        _ => Ok(()),
    }
}

/// What a new connection needs beside its stream.
struct Setup<'a> {
    address: &'a Address,
    login: &'a Login,
    database: u32,
    pushed: Option<PushReceiver>,
    metrics: ConnectionMetrics,
    begun: MonotonicInstant,
}

/// Logs in, and starts the task that drives the connection.
async fn set_up<S>(mut stream: S, setup: Setup<'_>) -> Result<Connection, CallError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let Setup { address, login, database, pushed, metrics, begun } = setup;
    let greeted = greet(&mut stream, login, database).await;
    let server = greeted.map_err(|error| match error {
        HandshakeError::Refused(words) => CallError::of_answer(&words, address),
        HandshakeError::Closed(None) => {
            CallError::Refused(format!("{address} closed the connection"))
        }
        HandshakeError::Closed(Some(error)) => {
            CallError::Refused(format!("the connection to {address} failed: {error}"))
        }
        HandshakeError::NotRedis(program) => CallError::Final(misconfigured(format!(
            "{address} is no Redis server, but {program}: check the host and the port"
        ))),
    })?;
    // `Connection` has its own timeouts, and two would race.
    let mut config =
        AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    let mut info = RedisConnectionInfo::default().set_skip_set_lib_name();
    if let Some(pushed) = pushed {
        // The library asks for RESP3 with HELLO. The login is done.
        info = info.set_protocol(ProtocolVersion::RESP3);
        config = config.set_push_sender(pushed);
    }
    let (connection, driver) = MultiplexedConnection::new_with_config(&info, stream, config)
        .await
        .map_err(|error| CallError::of(&error, address))?;
    Ok(Connection::new(address.clone(), server, connection, driver, metrics, begun))
}

/// Returns what to do about a server of this version if it is too old.
pub(crate) fn too_old(version: &str) -> Option<String> {
    let major: u32 = version.trim().split('.').next()?.parse().ok()?;
    let advice = || format!("has version {version}: 7.0 or later is needed, upgrade it");
    (major < 7).then(advice)
}

/// Turns an error while connecting into one that says that the caller's call was not sent.
pub(super) fn not_sent(error: CallError) -> CallError {
    match error {
        CallError::Lost(detail) => CallError::Refused(detail),
        other => other,
    }
}

/// Creates the TLS settings. They name their cryptography provider, because a provider for the whole
/// process is the application's choice and may not be installed.
fn tls_connector(tls: &Tls) -> Result<TlsConnector, StoreError> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| misconfigured(format!("TLS cannot be set up: {error}")))?
        .with_root_certificates(roots(tls)?)
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

fn roots(tls: &Tls) -> Result<rustls::RootCertStore, StoreError> {
    let mut roots = rustls::RootCertStore::empty();
    match &tls.ca {
        Some(path) => {
            let wrong = |error: &dyn std::fmt::Display| {
                misconfigured(format!(
                    "{} has no certificates in PEM to trust: {error}",
                    path.display()
                ))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            if roots.is_empty() {
                return Err(wrong(&"the file has none"));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(misconfigured(
                    "this system has no certificates to trust: set a file, such as ?ca=/etc/ca.pem",
                ));
            }
        }
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_before_7_is_too_old() {
        for fine in ["7.0.0", "8.2.1", "10.0", "", "unknown"] {
            assert_eq!(too_old(fine), None, "{fine}");
        }
        assert!(too_old("6.2.14").is_some_and(|advice| advice.contains("version 6.2.14")));
    }
}
