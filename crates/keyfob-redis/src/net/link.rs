//! One connection to one server, and the place that keeps it.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use keyfob_store::metrics::LinkPurpose;
use keyfob_store::{Metrics, MonotonicInstant, StoreError, Timestamp};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, Value};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::dial::Dialer;
use super::reply::Reply;
use super::trouble::CallError;
use super::turn::Turn;
use crate::protocol::script::Script;

/// A clock that gets away from the one that nobody sets by more milliseconds than this, between two
/// measurements, was set.
const CLOCK_SET: u64 = 500;

/// What a connection is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(super) enum Purpose {
    /// Everything: calls that are made at the same time travel together.
    Command,
    /// Writes that wait for replicas.
    Wait,
}

/// A connection. Whoever uses it holds it; the task that drives it ends with the last of them.
#[derive(Debug)]
pub(crate) struct Link {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
    /// By how many milliseconds the server's clock is ahead of ours.
    ahead: AtomicI64,
    /// By how many milliseconds our clock was ahead of the one that nobody sets, when that was
    /// measured.
    apart: AtomicI64,
    /// Which run of which server it leads to.
    run: OnceLock<String>,
    told: Told,
}

/// Where a connection tells how it fares, and what it is for.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) metrics: Metrics,
    pub(super) purpose: LinkPurpose,
}

/// A server, and the connection to it if there is one.
#[derive(Debug)]
pub(super) struct Node {
    address: crate::config::Address,
    purpose: Purpose,
    link: Mutex<Option<Arc<Link>>>,
    /// Many callers dial once.
    dialling: Turn,
}

impl Purpose {
    fn of_link(self) -> LinkPurpose {
        match self {
            Self::Command => LinkPurpose::Calls,
            Self::Wait => LinkPurpose::Waits,
        }
    }
}

impl Node {
    pub(super) fn new(address: crate::config::Address, purpose: Purpose) -> Self {
        Self { address, purpose, link: Mutex::default(), dialling: Turn::default() }
    }

    pub(super) fn address(&self) -> &crate::config::Address {
        &self.address
    }

    pub(super) async fn link(&self, dialer: &Dialer) -> Result<Arc<Link>, CallError> {
        if let Some(link) = self.present() {
            return Ok(link);
        }
        let turn = self.dialling.take().await;
        // Who had the turn meanwhile may have succeeded.
        if let Some(link) = self.present() {
            return Ok(link);
        }
        let _turn = turn?;
        let dialled = dialer.primary(&self.address, self.purpose.of_link()).await;
        let link = Arc::new(dialled.inspect_err(|trouble| self.dialling.failed(trouble))?);
        *self.link.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&link));
        Ok(link)
    }

    fn present(&self) -> Option<Arc<Link>> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        link.as_ref().filter(|link| link.is_open()).map(Arc::clone)
    }

    /// Gives up a connection, unless another has taken its place already.
    pub(super) fn drop_link(&self, link: &Arc<Link>) {
        let mut present = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if present.as_ref().is_some_and(|present| Arc::ptr_eq(present, link)) {
            // One that broke has told so itself.
            if link.is_open() {
                link.told.metrics.link_lost(link.told.purpose);
            }
            *present = None;
        }
    }
}

impl Link {
    pub(super) fn new(
        connection: MultiplexedConnection,
        driver: impl Future<Output = ()> + Send + 'static,
        told: Told,
    ) -> Self {
        let broken = told.clone();
        let driver = tokio::spawn(async move {
            driver.await;
            // Whoever lets go of a connection has this end before.
            broken.metrics.link_lost(broken.purpose);
        });
        let [ahead, apart] = [0, 0].map(AtomicI64::new);
        Self { connection, driver, ahead, apart, run: OnceLock::new(), told }
    }

    fn late<T>(&self, limit: Duration) -> Result<T, CallError> {
        self.told.metrics.timed_out();
        Err(CallError::Lost(format!("no answer within {limit:?}")))
    }

    /// Which run of which server it leads to, for comparison.
    pub(crate) fn run(&self) -> &str {
        self.run.get().map_or("", String::as_str)
    }

    /// Finds that out. Where the server does not tell, each connection is taken for another.
    pub(super) async fn find_run(&self, limit: Duration) -> Result<(), CallError> {
        static UNTOLD: AtomicU64 = AtomicU64::new(0);
        let mut info = redis::cmd("INFO");
        info.arg("server");
        let told =
            self.ask(&info, limit).await.map_err(|error| CallError::Refused(error.to_string()))?;
        let told = told.and_then(|told| Reply(told).text().ok()).unwrap_or_default();
        let run = told.lines().find_map(|line| line.strip_prefix("run_id:")).map(str::to_owned);
        self.run.get_or_init(|| {
            run.unwrap_or_else(|| format!("connection {}", UNTOLD.fetch_add(1, Ordering::Relaxed)))
        });
        Ok(())
    }

    pub(super) fn is_open(&self) -> bool {
        !self.driver.is_finished()
    }

    /// A moment by our clock as the server's clock has it.
    pub(super) fn server_time(&self, local: Timestamp) -> Timestamp {
        let ahead = self.ahead.load(Ordering::Relaxed);
        Timestamp::from_millis(local.as_millis().saturating_add_signed(ahead))
    }

    /// By how many milliseconds the server's clock is ahead of ours.
    pub(crate) fn ahead(&self) -> i64 {
        self.ahead.load(Ordering::Relaxed)
    }

    /// Reads the server's clock; of our own the middle of the time that it took, which is told by
    /// the clock that nobody sets.
    pub(super) async fn measure_clock(&self, dialer: &Dialer) -> Result<(), CallError> {
        let sent = steady_millis();
        let time = self.send(&redis::cmd("TIME"), dialer.response_timeout()).await?;
        let (steady, now) = (steady_millis(), dialer.now().as_millis() as i64);
        let middle = now - (steady - sent) / 2;
        let read = || {
            let mut parts = Reply(time).array()?.into_iter();
            let secs = super::reply::next(&mut parts)?.number()?;
            Ok(secs * 1000 + super::reply::next(&mut parts)?.number()? / 1000)
        };
        let server: u64 = read().map_err(CallError::Final)?;
        self.ahead.store(server as i64 - middle, Ordering::Relaxed);
        self.apart.store(now - steady, Ordering::Relaxed);
        Ok(())
    }

    /// Measures again if our clock was set since: what it said then tells nothing of the server's.
    pub(super) async fn keep_clock(&self, dialer: &Dialer) -> Result<(), CallError> {
        let apart = dialer.now().as_millis() as i64 - steady_millis();
        if apart.abs_diff(self.apart.load(Ordering::Relaxed)) > CLOCK_SET {
            tracing::warn!("this node's clock was set: the server's is read again");
            self.measure_clock(dialer).await?;
        }
        Ok(())
    }

    pub(super) async fn load(&self, script: &Script, limit: Duration) -> Result<(), CallError> {
        let mut load = redis::cmd("SCRIPT");
        load.arg("LOAD").arg(&script.text);
        self.send(&load, limit).await.map(drop)
    }

    /// Sends one command and waits for its answer.
    pub(crate) async fn send(&self, command: &Cmd, limit: Duration) -> Result<Value, CallError> {
        let mut connection = self.connection.clone();
        match timeout(limit, connection.send_packed_command(command)).await {
            Ok(Ok(value)) => Self::checked(value),
            Ok(Err(error)) => Err(CallError::of(&error)),
            Err(_) => self.late(limit),
        }
    }

    /// The answer to one command; nothing where the server does not let us ask.
    pub(crate) async fn ask(
        &self,
        command: &Cmd,
        limit: Duration,
    ) -> Result<Option<Value>, StoreError> {
        match self.send(command, limit).await {
            Ok(value) => Ok(Some(value)),
            Err(CallError::Final(_)) => Ok(None),
            Err(trouble) => Err(trouble.into_error()),
        }
    }

    /// Sends several commands together. Errors stand among the answers.
    pub(crate) async fn send_all(
        &self,
        pipeline: &Pipeline,
        limit: Duration,
    ) -> Result<Vec<Value>, CallError> {
        let mut connection = self.connection.clone();
        match timeout(limit, connection.send_packed_commands(pipeline, 0, pipeline.len())).await {
            Ok(Ok(values)) => Ok(values),
            Ok(Err(error)) => Err(CallError::of(&error)),
            Err(_) => self.late(limit),
        }
    }

    pub(crate) fn checked(value: Value) -> Result<Value, CallError> {
        match value {
            Value::ServerError(error) => Err(CallError::of(&error.into())),
            value => Ok(value),
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

/// Milliseconds of a clock that nobody sets.
fn steady_millis() -> i64 {
    (MonotonicInstant::now().as_nanos() / 1_000_000) as i64
}
