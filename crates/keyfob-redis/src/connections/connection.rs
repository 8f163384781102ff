//! One connection to one server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use keyfob_store::metrics::LinkPurpose;
use keyfob_store::{Metrics, MonotonicInstant, StoreError, Timestamp};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::call_error::CallError;
use super::clock_offset::{ClockOffset, ClockSource};
use super::handshake::ServerInfo;
use super::login::{Credentials, Login};
use crate::config::{Address, Secret};
use crate::protocol::script::Script;

/// What stands for a run id that the server does not tell, with a number.
const WITHOUT_RUN_ID: &str = "connection ";

/// A connection. The task that drives it ends when the last user drops it.
#[derive(Debug)]
pub(crate) struct Connection {
    address: Address,
    multiplexed: MultiplexedConnection,
    driver: JoinHandle<()>,
    clock_offset: ClockOffset,
    /// Identifies the address and the run of the server's process.
    primary: Arc<str>,
    server: ServerInfo,
    metrics: ConnectionMetrics,
    /// When connecting began.
    begun: MonotonicInstant,
    /// Logs in again before the password ends.
    renewal: Option<JoinHandle<()>>,
}

/// Counts what happens to a connection of one purpose.
#[derive(Clone, Debug)]
pub(super) struct ConnectionMetrics {
    pub(super) metrics: Metrics,
    pub(super) purpose: LinkPurpose,
}

impl ConnectionMetrics {
    pub(super) fn count_lost(&self) {
        self.metrics.link_lost(self.purpose);
    }
}

impl Connection {
    pub(super) fn new(
        address: Address,
        server: ServerInfo,
        multiplexed: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
        metrics: ConnectionMetrics,
        begun: MonotonicInstant,
    ) -> Self {
        let lost = metrics.clone();
        let driver = tokio::spawn(async move {
            driver.await;
            // Dropping the connection aborts this task before it gets here.
            lost.count_lost();
        });
        // If the server does not tell its run, each connection counts as one to another run.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let primary = match server.run_id.as_str() {
            "" => format!("{address} {WITHOUT_RUN_ID}{}", NUMBER.fetch_add(1, Ordering::Relaxed)),
            run_id => format!("{address} {run_id}"),
        };
        let (primary, clock_offset, renewal) = (primary.into(), ClockOffset::default(), None);
        Self {
            address,
            multiplexed,
            driver,
            clock_offset,
            primary,
            server,
            metrics,
            begun,
            renewal,
        }
    }

    /// Logs in again whenever the password is about to end.
    pub(super) fn keep_logged_in(
        &mut self,
        login: &Arc<Login>,
        credentials: &Credentials,
        limit: Duration,
    ) {
        if let Some(renew_at) = credentials.renew_at {
            let (address, connection) = (self.address.clone(), self.multiplexed.clone());
            let renewing = renew_login(address, connection, Arc::clone(login), renew_at, limit);
            self.renewal = Some(tokio::spawn(renewing));
        }
    }

    /// When connecting began.
    pub(super) fn begun(&self) -> MonotonicInstant {
        self.begun
    }

    pub(super) fn is_open(&self) -> bool {
        !self.driver.is_finished()
    }

    /// Counts a connection as lost that is given up while it is open. A connection that broke has counted
    /// itself.
    pub(super) fn count_given_up(&self) {
        if self.is_open() {
            self.metrics.count_lost();
        }
    }

    /// Identifies the address and the run of the server's process, for comparison.
    pub(crate) fn primary(&self) -> &Arc<str> {
        &self.primary
    }

    /// The run of the server's process, or `None` if the server does not tell it.
    pub(crate) fn server_run(&self) -> Option<&str> {
        Some(self.server.run_id.as_str()).filter(|run_id| !run_id.is_empty())
    }

    /// What the server said about itself when the connection was made.
    pub(super) fn server(&self) -> &ServerInfo {
        &self.server
    }

    /// Returns the server's time at a time of this node's clock.
    pub(super) fn to_server_time(&self, local: Timestamp) -> Timestamp {
        self.clock_offset.to_server_time(local)
    }

    /// By how many milliseconds the server's clock is ahead of this node's.
    pub(crate) fn clock_ahead(&self) -> i64 {
        self.clock_offset.ahead()
    }

    pub(super) async fn measure_clock(&self, source: &ClockSource) -> Result<(), CallError> {
        let time = redis::cmd("TIME");
        self.clock_offset.measure(source, self.send(&time, source.timeout)).await
    }

    /// Measures the server's clock again if this node's clock was set since.
    pub(super) async fn update_clock(&self, source: &ClockSource) -> Result<(), CallError> {
        if self.clock_offset.is_outdated(source) {
            tracing::warn!("this node's clock was set: the server's clock is measured again");
            self.measure_clock(source).await?;
        }
        Ok(())
    }

    pub(super) async fn load_script(
        &self,
        script: &Script,
        limit: Duration,
    ) -> Result<(), CallError> {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&script.text);
        self.send(&load, limit).await.map(drop)
    }

    /// Sends one command and waits for its answer.
    pub(crate) async fn send(&self, command: &Cmd, limit: Duration) -> Result<Value, CallError> {
        let mut connection = self.multiplexed.clone();
        match timeout(limit, connection.send_packed_command(command)).await {
            Ok(Ok(value)) => self.check(value),
            Ok(Err(error)) => Err(CallError::of(&error, &self.address)),
            Err(_) => self.timed_out(limit),
        }
    }

    /// Sends one command and returns its answer, or `None` if the server does not allow the command.
    pub(crate) async fn ask(
        &self,
        command: &Cmd,
        limit: Duration,
    ) -> Result<Option<Value>, StoreError> {
        match self.send(command, limit).await {
            Ok(value) => Ok(Some(value)),
            Err(CallError::Final(_)) => Ok(None),
            Err(error) => Err(error.into_error()),
        }
    }

    /// Sends several commands together. An answer may be an error; see [`Connection::check`].
    pub(crate) async fn send_all(
        &self,
        pipeline: &Pipeline,
        limit: Duration,
    ) -> Result<Vec<Value>, CallError> {
        let mut connection = self.multiplexed.clone();
        match timeout(limit, connection.send_packed_commands(pipeline, 0, pipeline.len())).await {
            Ok(Ok(values)) => Ok(values),
            Ok(Err(error)) => Err(CallError::of(&error, &self.address)),
            Err(_) => self.timed_out(limit),
        }
    }

    /// Returns an answer, or the error that it is.
    pub(crate) fn check(&self, value: Value) -> Result<Value, CallError> {
        match value {
            Value::ServerError(error) => Err(CallError::of(&error.into(), &self.address)),
            value => Ok(value),
        }
    }

    fn timed_out<T>(&self, limit: Duration) -> Result<T, CallError> {
        self.metrics.metrics.timed_out();
        Err(CallError::Lost(format!("{} gave no answer within {limit:?}", self.address)))
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.driver.abort();
        if let Some(renewal) = &self.renewal {
            renewal.abort();
        }
    }
}

/// The pause before a login that failed is tried again.
const RENEWAL_PAUSE: Duration = Duration::from_secs(1);

/// Logs in again before each end of the password, until the connection ends.
async fn renew_login(
    address: Address,
    mut connection: MultiplexedConnection,
    login: Arc<Login>,
    mut renew_at: Instant,
    limit: Duration,
) {
    loop {
        sleep_until(renew_at).await;
        let renewed = match login.renewed().await {
            Ok(credentials) => {
                match authenticate(&address, &mut connection, &credentials, limit).await {
                    Ok(()) => credentials.renew_at,
                    // The connection is gone. The next one logs in by itself.
                    Err(CallError::Lost(_)) => return,
                    Err(error) => {
                        tracing::warn!(error = %error.into_error(), "a connection cannot log in again");
                        let _newer = login.after_refusal(&credentials).await;
                        Some(renew_at)
                    }
                }
            }
            Err(error) => {
                tracing::warn!(error = %error.into_error(), "the password cannot be renewed");
                Some(renew_at)
            }
        };
        let Some(next) = renewed else { return };
        if next <= Instant::now() {
            sleep(RENEWAL_PAUSE).await;
        }
        renew_at = next;
    }
}

async fn authenticate(
    address: &Address,
    connection: &mut MultiplexedConnection,
    credentials: &Credentials,
    limit: Duration,
) -> Result<(), CallError> {
    let mut command = redis::cmd("AUTH");
    if let Some(user) = &credentials.user {
        command.arg(user);
    }
    command.arg(credentials.password.as_ref().map(Secret::expose).unwrap_or_default());
    match timeout(limit, connection.send_packed_command(&command)).await {
        Ok(Ok(Value::ServerError(error))) => Err(CallError::of(&error.into(), address)),
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(CallError::of(&error, address)),
        Err(_) => Err(CallError::Refused("no answer to the login".to_owned())),
    }
}
