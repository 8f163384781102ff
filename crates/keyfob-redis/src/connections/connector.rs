//! Opens connections: TCP, TLS if configured, login, then what a primary needs before it is used.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use keyfob_store::metrics::LinkPurpose;
use keyfob_store::{Metrics, MonotonicInstant, StoreError};
use redis::Pipeline;
use redis::aio::AsyncPushSender;
use rustls::pki_types::ServerName;
use socket2::{SockRef, TcpKeepalive};
use tokio::sync::Notify;
use tokio::time::timeout;

use super::call_error::CallError;
use super::clock_offset::ClockSource;
use super::connection::{Connection, ConnectionMetrics};
use super::dial::{self, Dialer};
use super::first_connection::FirstConnection;
use super::login::{Credentials, Login};
use super::reply::Reply;
use super::set_up::{PushReceiver, Setup, set_up};
use super::tls::TlsSource;
use crate::config::{Address, RedisConfig, Topology, misconfigured};
use crate::protocol::signatures::Scripts;

/// Where a connection leads.
#[derive(Clone, Copy)]
struct Target<'a> {
    address: &'a Address,
    /// One of the addresses of the host, or `None` for any.
    at: Option<SocketAddr>,
    /// The time that the caller has, or `None` for the usual one.
    limit: Option<Duration>,
}

impl<'a> From<&'a Address> for Target<'a> {
    fn from(address: &'a Address) -> Self {
        Self { address, at: None, limit: None }
    }
}

pub(super) struct Connector {
    tls: Option<TlsSource>,
    login: Arc<Login>,
    sentinel_login: Arc<Login>,
    database: u32,
    dialer: Dialer,
    connect_timeout: Duration,
    clock_source: ClockSource,
    scripts: Arc<Scripts>,
    /// Whether a server is used only if it says that it is a primary.
    checks_role: bool,
    first: FirstConnection,
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
            tls: config.tls.as_ref().map(TlsSource::new).transpose()?,
            login: Login::new(&config.login, config.password_lifetime),
            sentinel_login: Login::new(&config.sentinel_login, config.password_lifetime),
            database: config.database,
            dialer: Dialer::new(config.host_addresses.clone()),
            connect_timeout: config.connect_timeout,
            clock_source: ClockSource {
                clock: Arc::clone(&config.clock),
                timeout: config.response_timeout,
            },
            scripts,
            first: FirstConnection::new(&config.topology),
            checks_role: matches!(config.topology, Topology::Sentinel { .. }),
            connected: Notify::new(),
            metrics: config.metrics.clone().unwrap_or_else(Metrics::global),
        })
    }

    /// Returns whether a refused login may succeed later without new settings.
    pub(super) fn may_log_in_later(&self) -> bool {
        self.login.may_succeed_later()
    }

    /// Returns whether a connection was made before, so that the settings were right then.
    pub(super) fn has_connected(&self) -> bool {
        self.first.is_made()
    }

    pub(super) fn clock_source(&self) -> &ClockSource {
        &self.clock_source
    }

    pub(super) fn metrics(&self) -> &Metrics {
        &self.metrics
    }

    pub(super) fn dialer(&self) -> &Dialer {
        &self.dialer
    }

    pub(super) fn scripts(&self) -> &Scripts {
        &self.scripts
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.connect_timeout
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
        let connection =
            self.open(address.into(), &self.login, self.database, purpose, None).await?;
        check_mode(&connection, address)?;
        self.check_role(&connection, address).await.map_err(not_sent)?;
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
        let connection = self
            .open(address.into(), &self.login, self.database, LinkPurpose::Feed, Some(pushed))
            .await?;
        self.check_role(&connection, address).await?;
        Ok(connection)
    }

    /// Makes a new connection by an address, and closes it. Returns which run of a server is there, or `None`
    /// if the server does not tell it.
    pub(super) async fn server_run(
        &self,
        address: &Address,
        limit: Duration,
    ) -> Result<Option<String>, CallError> {
        let purpose = LinkPurpose::Topology;
        let target = Target { limit: Some(limit), ..address.into() };
        let connection = self.open(target, &self.login, self.database, purpose, None).await?;
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

    /// Connects to the sentinel at one of the addresses of a name, and reads its run id.
    pub(super) async fn sentinel(
        &self,
        name: &Address,
        at: SocketAddr,
    ) -> Result<Connection, CallError> {
        let target = Target { address: name, at: Some(at), limit: None };
        let purpose = LinkPurpose::Topology;
        let connection = self.open(target, &self.sentinel_login, 0, purpose, None).await?;
        Ok(connection)
    }

    /// Connects to a node of a cluster to read the route.
    pub(super) async fn cluster_node(&self, address: &Address) -> Result<Connection, CallError> {
        self.open(address.into(), &self.login, 0, LinkPurpose::Topology, None).await
    }

    /// Connects and logs in. If the server refuses a password that may have changed, asks for it again.
    async fn open(
        &self,
        target: Target<'_>,
        login: &Arc<Login>,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<PushReceiver>,
    ) -> Result<Connection, CallError> {
        let credentials = login.current().await?;
        let outcome = self.open_with(target, &credentials, database, purpose, pushed.clone()).await;
        let opened = match outcome {
            Err(CallError::LoginRefused(detail)) => {
                match login.after_refusal(&credentials).await? {
                    Some(newer) => self
                        .open_with(target, &newer, database, purpose, pushed)
                        .await
                        .map(|connection| (connection, newer)),
                    None => Err(CallError::LoginRefused(detail)),
                }
            }
            outcome => outcome.map(|connection| (connection, credentials)),
        };
        match opened {
            Ok((mut connection, credentials)) => {
                login.note_success();
                connection.keep_logged_in(login, &credentials, self.response_timeout());
                Ok(connection)
            }
            Err(CallError::LoginRefused(detail)) if !login.may_succeed_later() => {
                Err(CallError::Final(misconfigured(detail)))
            }
            Err(error) => Err(error),
        }
    }

    async fn open_with(
        &self,
        target: Target<'_>,
        credentials: &Credentials,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<PushReceiver>,
    ) -> Result<Connection, CallError> {
        let address = target.address;
        let connected = async {
            // Boxed, because it is large, and the futures of all calls contain it.
            let connected =
                Box::pin(self.open_stream(target, credentials, database, purpose, pushed));
            match timeout(self.connect_timeout, connected).await {
                Ok(outcome) => outcome,
                Err(_) => Err(CallError::Refused(format!(
                    "no connection to {address} within {:?}",
                    self.connect_timeout
                ))),
            }
        };
        let outcome = match self.first.is_made() {
            true => connected.await,
            false => Box::pin(self.first.wait(address, self.tls.is_some(), connected)).await,
        };
        let outcome = outcome.map_err(not_sent);
        match &outcome {
            Ok(_) => {
                self.first.note_success();
                self.metrics.link_opened(purpose);
            }
            Err(_) => self.metrics.link_failed(purpose),
        }
        outcome
    }

    async fn open_stream(
        &self,
        target: Target<'_>,
        credentials: &Credentials,
        database: u32,
        purpose: LinkPurpose,
        pushed: Option<PushReceiver>,
    ) -> Result<Connection, CallError> {
        let address = target.address;
        let begun = MonotonicInstant::now();
        let refused = |error: io::Error| self.first.unreachable(address, &error);
        let metrics = ConnectionMetrics { metrics: self.metrics.clone(), purpose };
        let is_first = !self.has_connected();
        let setup = Setup { address, credentials, database, pushed, metrics, begun, is_first };
        if let Some(path) = address.unix_path() {
            return set_up(dial::unix_stream(path).await.map_err(refused)?, setup).await;
        }
        let found = match target.at {
            Some(at) => vec![at],
            None => self.dialer.resolve(address).await.map_err(refused)?,
        };
        let stream = self
            .dialer
            .connect(&found, target.limit.unwrap_or(self.connect_timeout))
            .await
            .map_err(refused)?;
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
        let stream = tls.connector().connect(name, stream).await;
        set_up(stream.map_err(|error| CallError::lost(&error.to_string(), address))?, setup).await
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_future_of_a_connection_is_small() {
        let config: RedisConfig = "redis://127.0.0.1:1".parse().unwrap();
        let connector = Connector::new(&config, Scripts::new(config.leaf)).unwrap();
        let address = Address::new("127.0.0.1", 1);
        let size = size_of_val(&connector.server_run(&address, Duration::ZERO));
        assert!(size < 4096, "{size} bytes in the future of each call");
    }

    #[test]
    fn a_server_before_7_is_too_old() {
        for fine in ["7.0.0", "8.2.1", "10.0", "", "unknown"] {
            assert_eq!(too_old(fine), None, "{fine}");
        }
        assert!(too_old("6.2.14").is_some_and(|advice| advice.contains("version 6.2.14")));
    }
}
