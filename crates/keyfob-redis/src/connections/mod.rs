//! Connections to the servers: finds the primary of a slot, keeps a connection to it, and repeats calls
//! that may be repeated.
//!
//! This module sets all timeouts itself. A client library that reconnects by itself blocks callers
//! meanwhile, does not follow a Sentinel failover, and cannot know which writes are repeatable. These
//! writes are, because each has an operation id.

mod attempt;
mod breaker;
mod call;
mod call_error;
mod clock_offset;
mod confirmation;
mod connection;
mod connector;
mod dial;
mod first_connection;
mod handshake;
mod login;
mod node;
mod probe;
mod repetition;
mod reply;
mod route;
mod router;
mod sentinels;
mod server_error;
mod set_up;
mod shared_attempt;
mod slot_ranges;
mod tls;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use keyfob_store::{Metrics, MonotonicInstant, StoreError, Timestamp};
use redis::aio::AsyncPushSender;

use crate::config::{Address, RedisConfig};
use crate::protocol::signatures::Scripts;

pub(crate) use attempt::in_background;
use breaker::Breaker;
pub(crate) use call::Call;
pub(crate) use call_error::CallError;
pub(crate) use confirmation::{AddressState, Answerer};
pub(crate) use connection::Connection;
pub(crate) use connector::too_old;
use connector::{Connector, not_sent};
use node::{Node, Purpose};
pub(crate) use repetition::CallFailed;
pub(crate) use reply::{Reply, next};
use route::Route;
use router::Router;
pub(crate) use sentinels::SentinelView;

#[derive(Debug)]
pub(crate) struct Connections {
    connector: Connector,
    router: Router,
    nodes: Mutex<HashMap<(Address, Purpose), Arc<Node>>>,
    budget: Duration,
    response_timeout: Duration,
    closed: AtomicBool,
    breaker: Breaker,
    /// Whether the primary was not confirmed the last time.
    is_unconfirmed: AtomicBool,
}

/// A primary, and the connection to it.
pub(crate) type Primary = (Address, Result<Arc<Connection>, StoreError>);

impl Connections {
    pub(crate) fn new(config: &RedisConfig, scripts: Arc<Scripts>) -> Result<Self, StoreError> {
        let connector = Connector::new(config, scripts)?;
        let breaker = Breaker::new(config.budget, connector.metrics().clone());
        Ok(Self {
            connector,
            router: Router::new(config.topology.clone(), config.checks_address),
            nodes: Mutex::default(),
            budget: config.budget,
            response_timeout: config.response_timeout,
            closed: AtomicBool::new(false),
            breaker,
            is_unconfirmed: AtomicBool::new(false),
        })
    }

    /// Returns the server to ask and a connection to it. An error here means that the call was not sent.
    async fn find_connection(
        &self,
        slot: u16,
        purpose: Purpose,
        ask_at: Option<Address>,
    ) -> Result<(Arc<Node>, Arc<Connection>), CallError> {
        let address = match ask_at {
            Some(address) => address,
            None => self.route().await?.address(slot)?,
        };
        let node = self.node(address, purpose);
        let connection = node.connection(&self.connector).await?;
        if let Err(error) = connection.update_clock(self.connector.clock_source()).await {
            node.drop_connection(&connection);
            return Err(not_sent(error));
        }
        Ok((node, connection))
    }

    /// Returns the time of a slot's server when this node's clock says `at`.
    pub(crate) async fn time_of(
        self: &Arc<Self>,
        slot: u16,
        at: Timestamp,
    ) -> Result<Timestamp, StoreError> {
        self.admit(slot, MonotonicInstant::now(), None).await?;
        let found = self.find_connection(slot, Purpose::Calls, None).await;
        let (_, connection) = found.map_err(CallError::into_error)?;
        Ok(connection.to_server_time(at))
    }

    async fn route(&self) -> Result<Arc<Route>, CallError> {
        if let Some(address) = self.router.configured() {
            return Ok(Arc::new(Route::Single(address.clone())));
        }
        self.router.route(&self.connector).await
    }

    fn node(&self, address: Address, purpose: Purpose) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let node = nodes.entry((address.clone(), purpose));
        Arc::clone(node.or_insert_with(|| Arc::new(Node::new(address, purpose))))
    }

    /// Returns a connection to every primary, or why there is none, for questions about servers instead of
    /// data.
    ///
    /// # Errors
    /// The error of the route. A primary that cannot be reached has its error in the list.
    pub(crate) async fn primaries(&self) -> Result<Vec<Primary>, StoreError> {
        let route = self.route().await.map_err(CallError::into_error)?;
        let connected = route.addresses().into_iter().map(async |address| {
            let node = self.node(address.clone(), Purpose::Calls);
            let connection = node.connection(&self.connector).await;
            (address.clone(), connection.map_err(CallError::into_error))
        });
        Ok(join_all(connected).await)
    }

    /// Measures the clocks of the servers again.
    pub(crate) async fn measure_clocks(&self) {
        for (address, connection) in self.primaries().await.unwrap_or_default() {
            let Ok(connection) = connection else { continue };
            if let Err(error) = connection.measure_clock(self.connector.clock_source()).await {
                tracing::debug!(%address, ?error, "the server's clock cannot be measured");
                self.node(address, Purpose::Calls).drop_connection(&connection);
            }
        }
    }

    /// Whether sentinels decide which server is the primary.
    pub(crate) fn uses_sentinels(&self) -> bool {
        self.router.uses_sentinels()
    }

    /// Returns what each sentinel says, and which addresses are listed more than once. `None` if there are
    /// no sentinels.
    pub(crate) async fn inspect_sentinels(&self) -> Option<(Vec<SentinelView>, &[Address])> {
        let sentinels = self.router.sentinels()?;
        Some((sentinels.inspect(&self.connector).await, sentinels.repeated()))
    }

    /// Limits for how long an answer of the sentinels is used; see [`Router::limit_route_age`].
    pub(crate) fn limit_route_age(&self, max_staleness: Option<Duration>) {
        self.router.limit_route_age(max_staleness);
    }

    /// For how long what was learned about the servers is used: half of the maximum staleness.
    pub(crate) fn max_route_age(&self) -> Duration {
        self.router.max_age()
    }

    /// The last time at which a server was certainly the primary; see [`Router::last_confirmed`].
    pub(crate) fn last_confirmed(
        &self,
        address: &Address,
        connection: &Connection,
    ) -> Option<MonotonicInstant> {
        let server_run = connection.server_run();
        self.router.note_server(server_run, connection.begun(), &self.connector);
        self.router.last_confirmed(address, server_run)
    }

    /// Makes a new connection by the configured address, and says where it leads.
    pub(crate) async fn find_server(&self, connection: &Connection) -> AddressState {
        confirmation::find_server(&self.router, &self.connector, connection).await
    }

    /// Returns whether the address of a connection leads to another server by now.
    pub(crate) fn leads_elsewhere(&self, connection: &Connection) -> bool {
        self.router.leads_elsewhere(connection.server_run())
    }

    /// Whether something else than an answer confirms a server.
    pub(crate) fn needs_confirmation(&self) -> bool {
        self.router.needs_confirmation()
    }

    /// Returns the primary of each of these slots.
    pub(crate) async fn primaries_of(&self, slots: &[u16]) -> Result<Vec<Address>, StoreError> {
        let route = self.route().await.map_err(CallError::into_error)?;
        let primaries = slots.iter().map(|slot| route.address(*slot));
        primaries.collect::<Result<_, _>>().map_err(CallError::into_error)
    }

    /// Opens a separate connection to a primary. What the server pushes on it is passed to `pushed`.
    pub(crate) async fn listen(
        &self,
        address: &Address,
        pushed: impl AsyncPushSender,
    ) -> Result<Connection, StoreError> {
        self.connector.listener(address, pushed).await.map_err(CallError::into_error)
    }

    /// Identifies a primary and the run of its process, for comparison.
    pub(crate) async fn primary_at(&self, address: &Address) -> Result<Arc<str>, StoreError> {
        let node = self.node(address.clone(), Purpose::Calls);
        let connection = node.connection(&self.connector).await.map_err(CallError::into_error)?;
        Ok(Arc::clone(connection.primary()))
    }

    /// The metrics that connections and calls are counted in.
    pub(crate) fn metrics(&self) -> &Metrics {
        self.connector.metrics()
    }

    /// Waits until a connection to a primary has been made.
    pub(crate) async fn connected(&self) {
        self.connector.connected().await;
    }

    /// Has the route read again. After a redirection, `to` is the server to ask first.
    pub(crate) fn reroute(&self, to: Option<Address>) {
        self.router.invalidate(to);
    }

    /// Asks the sentinels again, and drops the connections to servers that they no longer name.
    pub(crate) async fn confirm_route(&self) {
        match self.router.confirm(&self.connector).await {
            Ok(Some(route)) => {
                self.is_unconfirmed.store(false, Ordering::Relaxed);
                let named = route.addresses();
                let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
                nodes.retain(|(address, _), node| {
                    node.drop_connection_if(|connection| self.leads_elsewhere(connection));
                    named.contains(&address)
                });
            }
            Ok(None) => {}
            // They are asked many times a second, so only the first failure is logged.
            Err(error) if !self.is_unconfirmed.swap(true, Ordering::Relaxed) => tracing::warn!(
                error = %error.into_error(),
                "the primary is not confirmed: soon no call will be answered"
            ),
            Err(_) => {}
        }
    }

    /// Returns the servers that are known to be away, and for how long. Calls to them are not sent.
    pub(crate) fn away(&self) -> Vec<(String, Duration)> {
        self.breaker.away()
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Relaxed)
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.router.close();
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
