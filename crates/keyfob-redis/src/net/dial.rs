//! Opens connections: TCP, TLS if wanted, login, then what a primary needs before it is used.

use std::sync::Arc;
use std::time::Duration;

use keyfob_store::metrics::LinkPurpose;
use keyfob_store::{Clock, Metrics, StoreError, Timestamp};
use redis::aio::{AsyncPushSender, MultiplexedConnection};
use redis::{AsyncConnectionConfig, Pipeline, ProtocolVersion, RedisConnectionInfo, Value};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;

use super::link::{Link, Told};
use super::reply::Reply;
use super::trouble::CallError;
use crate::config::{Address, Login, RedisConfig, Tls, Topology, misconfigured};
use crate::protocol::signatures::Scripts;

/// Who is handed what a server pushes.
type Pushed = Arc<dyn AsyncPushSender>;

pub(super) struct Dialer {
    tls: Option<TlsConnector>,
    login: Login,
    sentinel_login: Login,
    database: u32,
    connect_timeout: Duration,
    response_timeout: Duration,
    clock: Arc<dyn Clock>,
    scripts: Arc<Scripts>,
    /// Whether a server must say that it is a primary before it is believed.
    ask_role: bool,
    connected: Notify,
    metrics: Metrics,
}

impl std::fmt::Debug for Dialer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dialer").field("login", &self.login).finish_non_exhaustive()
    }
}

impl Dialer {
    pub(super) fn new(config: &RedisConfig, scripts: Arc<Scripts>) -> Result<Self, StoreError> {
        Ok(Self {
            tls: config.tls.as_ref().map(connector).transpose()?,
            login: config.login.clone(),
            sentinel_login: config.sentinel_login.clone(),
            database: config.database,
            connect_timeout: config.connect_timeout,
            response_timeout: config.response_timeout,
            clock: Arc::clone(&config.clock),
            scripts,
            ask_role: matches!(config.topology, Topology::Sentinel { .. }),
            connected: Notify::new(),
            metrics: config.metrics.clone().unwrap_or_else(Metrics::global),
        })
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn response_timeout(&self) -> Duration {
        self.response_timeout
    }

    /// A connection to a primary, with its scripts loaded and its clock known.
    pub(super) async fn primary(
        &self,
        address: &Address,
        purpose: LinkPurpose,
    ) -> Result<Link, CallError> {
        let link = self.dial(address, &self.login, self.database, purpose, None).await?;
        self.check_role(&link, address).await?;
        link.measure_clock(self).await.map_err(not_sent)?;
        link.find_run(self.response_timeout).await?;
        if let Err(trouble) = self.load_scripts(&link).await {
            self.check_version(&link, address).await?;
            return Err(not_sent(trouble));
        }
        self.connected.notify_one();
        Ok(link)
    }

    /// Waits until a connection to a primary has been made.
    pub(super) async fn connected(&self) {
        self.connected.notified().await;
    }

    /// A connection to a primary on which it may push.
    pub(super) async fn listener(
        &self,
        address: &Address,
        pushed: impl AsyncPushSender,
    ) -> Result<Link, CallError> {
        let pushed: Pushed = Arc::new(pushed);
        let link =
            self.dial(address, &self.login, self.database, LinkPurpose::Feed, Some(pushed)).await?;
        self.check_role(&link, address).await?;
        Ok(link)
    }

    async fn check_role(&self, link: &Link, address: &Address) -> Result<(), CallError> {
        if self.ask_role {
            let role = link.send(&redis::cmd("ROLE"), self.response_timeout).await?;
            let role = Reply(role).array().ok().and_then(|parts| parts.into_iter().next());
            if role.and_then(|role| role.text().ok()).as_deref() != Some("master") {
                return Err(CallError::Refused(format!("{address} is not a primary any more")));
            }
        }
        Ok(())
    }

    /// A server that is too old does not understand the scripts; what it says of them helps nobody.
    async fn check_version(&self, link: &Link, address: &Address) -> Result<(), CallError> {
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let Ok(Some(Value::BulkString(info))) = link.ask(&info, self.response_timeout).await else {
            return Ok(());
        };
        let info = String::from_utf8_lossy(&info);
        let version = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
        match version.and_then(too_old) {
            Some(advice) => Err(CallError::Final(misconfigured(format!("{address} {advice}")))),
            None => Ok(()),
        }
    }

    /// Loads the scripts if the server has not got them: they are many times what a connection
    /// that comes back to the same server sends otherwise. Having one, it has all; if it has not
    /// after all, a call finds out.
    async fn load_scripts(&self, link: &Link) -> Result<(), CallError> {
        let mut exists = redis::cmd("SCRIPT");
        exists.arg("EXISTS").arg(&self.scripts.load.digest);
        let found = Reply(link.send(&exists, self.response_timeout).await?).array();
        let found = found.ok().and_then(|found| found.into_iter().next()?.number().ok());
        if found == Some(1) {
            return Ok(());
        }
        let mut load = Pipeline::new();
        for script in self.scripts.all() {
            load.cmd("SCRIPT").arg("LOAD").arg(&script.text);
        }
        for value in link.send_all(&load, self.response_timeout).await? {
            Link::checked(value)?;
        }
        Ok(())
    }

    pub(super) async fn sentinel(&self, address: &Address) -> Result<Link, CallError> {
        self.dial(address, &self.sentinel_login, 0, LinkPurpose::Topology, None).await
    }

    /// A connection for finding out about a cluster.
    pub(super) async fn seed(&self, address: &Address) -> Result<Link, CallError> {
        self.dial(address, &self.login, 0, LinkPurpose::Topology, None).await
    }

    async fn dial(
        &self,
        address: &Address,
        login: &Login,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<Pushed>,
    ) -> Result<Link, CallError> {
        let connected = self.connect(address, login, database, purpose, pushed);
        let outcome = match timeout(self.connect_timeout, connected).await {
            Ok(outcome) => outcome.map_err(not_sent),
            Err(_) => Err(CallError::Refused(format!(
                "no connection to {address} within {:?}",
                self.connect_timeout
            ))),
        };
        match &outcome {
            Ok(_) => self.metrics.link_opened(purpose),
            Err(_) => self.metrics.link_failed(purpose),
        }
        outcome
    }

    async fn connect(
        &self,
        address: &Address,
        login: &Login,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<Pushed>,
    ) -> Result<Link, CallError> {
        let refused = |error: std::io::Error| {
            CallError::Refused(format!("{address} cannot be reached: {error}"))
        };
        let stream =
            TcpStream::connect((address.host.as_str(), address.port)).await.map_err(refused)?;
        // Without it a small write may wait 40 ms for the acknowledgement of the last one.
        stream.set_nodelay(true).map_err(refused)?;
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_secs(15))
            .with_interval(Duration::from_secs(5));
        SockRef::from(&stream).set_tcp_keepalive(&keepalive).map_err(refused)?;
        let mut info =
            RedisConnectionInfo::default().set_db(i64::from(database)).set_skip_set_lib_name();
        if let Some(user) = &login.user {
            info = info.set_username(user);
        }
        if let Some(password) = &login.password {
            info = info.set_password(password.expose());
        }
        if pushed.is_some() {
            info = info.set_protocol(ProtocolVersion::RESP3);
        }
        let told = Told { metrics: self.metrics.clone(), purpose };
        let Some(tls) = &self.tls else { return open(&info, stream, pushed, told).await };
        let name = ServerName::try_from(address.host.clone()).map_err(|_| {
            CallError::Final(misconfigured(format!("{address} is no name that TLS can verify")))
        })?;
        let stream = tls.connect(name, stream).await.map_err(refused)?;
        open(&info, stream, pushed, told).await
    }
}

/// Logs in, and starts the task that drives the connection.
async fn open<S>(
    info: &RedisConnectionInfo,
    stream: S,
    pushed: Option<Pushed>,
    told: Told,
) -> Result<Link, CallError>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The deadlines are ours; two would race.
    let mut config =
        AsyncConnectionConfig::new().set_response_timeout(None).set_connection_timeout(None);
    if let Some(pushed) = pushed {
        config = config.set_push_sender(pushed);
    }
    let (connection, driver) = MultiplexedConnection::new_with_config(info, stream, config)
        .await
        .map_err(|error| CallError::of(&error))?;
    Ok(Link::new(connection, driver, told))
}

/// What to do about a server of this version, if it is too old.
pub(crate) fn too_old(version: &str) -> Option<String> {
    let major: u32 = version.trim().split('.').next()?.parse().ok()?;
    let advice = || format!("has version {version}: 7.0 or later is needed, upgrade it");
    (major < 7).then(advice)
}

/// While a connection is being made, nothing of a caller's is under way.
pub(super) fn not_sent(trouble: CallError) -> CallError {
    match trouble {
        CallError::Lost(detail) => CallError::Refused(detail),
        other => other,
    }
}

/// The provider is named here: one that must be installed for the whole process belongs to the
/// application, and is missing when a library needs it.
fn connector(tls: &Tls) -> Result<TlsConnector, StoreError> {
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
                    "{} holds no certificates in PEM to trust: {error}",
                    path.display()
                ))
            };
            for certificate in CertificateDer::pem_file_iter(path).map_err(|error| wrong(&error))? {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate).map_err(|error| wrong(&error))?;
            }
            if roots.is_empty() {
                return Err(wrong(&"it has none"));
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if roots.is_empty() {
                return Err(misconfigured(
                    "this system has no certificates to trust: name a file, such as ?ca=/etc/ca.pem",
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
        for fine in ["7.0.0", "8.2.1", "10.0", "", "of somebody"] {
            assert_eq!(too_old(fine), None, "{fine}");
        }
        assert!(too_old("6.2.14").is_some_and(|advice| advice.contains("version 6.2.14")));
    }
}
