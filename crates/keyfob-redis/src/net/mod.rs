//! The way to the servers: finds the one that owns a slot, keeps a connection to it, and repeats
//! what may be repeated.
//!
//! Deadlines are all our own. A client that reconnects by itself blocks callers while it does, does
//! not follow a fail-over of Sentinel, and repeats writes that it cannot know to be repeatable; ours
//! are, by their operation.

mod call;
mod dial;
mod link;
mod reply;
mod route;
mod sentinels;
mod trouble;
mod turn;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob_store::{Metrics, MonotonicInstant, OperationId, StoreError, Timestamp};
use redis::Value;
use redis::aio::AsyncPushSender;
use tokio::time::{Instant, sleep, timeout};

use crate::config::{Address, RedisConfig};
use crate::protocol::signatures::Scripts;

pub(crate) use call::Call;
pub(crate) use dial::too_old;
use dial::{Dialer, not_sent};
pub(crate) use link::Link;
use link::{Node, Purpose};
pub(crate) use reply::{Reply, next};
use route::{Route, Router};
pub(crate) use trouble::CallError;

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Net {
    dialer: Dialer,
    router: Router,
    nodes: Mutex<HashMap<(Address, Purpose), Arc<Node>>>,
    budget: Duration,
    response_timeout: Duration,
    closed: AtomicBool,
    /// Whether the sentinels failed to confirm the primary the last time.
    doubted: AtomicBool,
}

/// A call that came to nothing.
#[derive(Debug)]
pub(crate) struct CallFailed {
    /// Whether a sending of it may have been done all the same.
    pub(crate) maybe_done: bool,
    pub(crate) error: StoreError,
}

impl CallFailed {
    /// The error for the caller of a write.
    pub(crate) fn of(self, operation: OperationId) -> StoreError {
        if self.maybe_done { StoreError::OutcomeUnknown { operation } } else { self.error }
    }
}

impl Net {
    pub(crate) fn new(config: &RedisConfig, scripts: Arc<Scripts>) -> Result<Self, StoreError> {
        Ok(Self {
            dialer: Dialer::new(config, scripts)?,
            router: Router::new(config.topology.clone()),
            nodes: Mutex::default(),
            budget: config.budget,
            response_timeout: config.response_timeout,
            closed: AtomicBool::new(false),
            doubted: AtomicBool::new(false),
        })
    }

    /// Makes a call on the primary of a slot, again and again while that may help.
    pub(crate) async fn run(&self, slot: u16, call: &Call<'_>) -> Result<Reply, CallFailed> {
        self.run_somewhere(slot, call).await.map(|(reply, _)| reply)
    }

    /// The same, and who answered.
    pub(crate) async fn run_somewhere(
        &self,
        slot: u16,
        call: &Call<'_>,
    ) -> Result<(Reply, Address), CallFailed> {
        let begun = Instant::now();
        let (mut pause, mut maybe_done, mut asked) = (FIRST_PAUSE, false, None);
        loop {
            if self.closed.load(Ordering::Relaxed) {
                let error = StoreError::unavailable("it was closed");
                return Err(CallFailed { maybe_done, error });
            }
            let patience = self.budget.saturating_sub(begun.elapsed());
            let detail = match self.attempt(slot, call, asked.take(), patience).await {
                Ok((value, address)) => return Ok((Reply(value), address)),
                Err(CallError::Final(error)) => return Err(CallFailed { maybe_done, error }),
                Err(CallError::Refused(detail)) => detail,
                Err(CallError::Lost(detail) | CallError::Unsafe(detail)) => {
                    maybe_done = true;
                    if !call.repeatable {
                        let error = StoreError::unavailable(detail);
                        return Err(CallFailed { maybe_done, error });
                    }
                    detail
                }
                Err(CallError::Moved(address)) => {
                    let detail = format!("the slot moved to {address}");
                    self.router.forget(Some(address));
                    detail
                }
                Err(CallError::Ask(address)) => {
                    let detail = format!("the slot is moving to {address}");
                    asked = Some(address);
                    detail
                }
            };
            if begun.elapsed() + pause >= self.budget {
                return Err(CallFailed { maybe_done, error: StoreError::unavailable(detail) });
            }
            tracing::debug!(script = call.script.name, slot, detail, "sending the call again");
            sleep(pause).await;
            self.metrics().call_resent();
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// A call that only reads.
    pub(crate) async fn read(&self, slot: u16, call: &Call<'_>) -> Result<Reply, StoreError> {
        self.run(slot, call).await.map_err(|unanswered| unanswered.error)
    }

    /// The same, and who answered.
    pub(crate) async fn read_somewhere(
        &self,
        slot: u16,
        call: &Call<'_>,
    ) -> Result<(Reply, Address), StoreError> {
        self.run_somewhere(slot, call).await.map_err(|unanswered| unanswered.error)
    }

    async fn attempt(
        &self,
        slot: u16,
        call: &Call<'_>,
        asked: Option<Address>,
        patience: Duration,
    ) -> Result<(Value, Address), CallError> {
        let asking = asked.is_some();
        let purpose = if call.wait > 0 { Purpose::Wait } else { Purpose::Command };
        let found = timeout(patience, self.find(slot, purpose, asked)).await;
        let (node, link) = match found {
            Ok(Ok(found)) => found,
            Ok(Err(trouble)) => {
                self.router.forget(None);
                return Err(trouble);
            }
            Err(_) => {
                return Err(CallError::Refused("no server could be reached in time".to_owned()));
            }
        };
        let outcome = call.send(&link, asking, self.response_timeout).await;
        if let Err(trouble) = &outcome
            && trouble.condemns_link()
        {
            node.drop_link(&link);
            self.router.forget(None);
        }
        let value = outcome?;
        if call.repeatable && self.is_watched() {
            self.still_primary(slot, node.address(), patience).await?;
        }
        Ok((value, node.address().clone()))
    }

    /// Whether the sentinels name the server that answered, and have not been asked too long ago.
    /// What one answered that they had deposed counts for nothing.
    async fn still_primary(
        &self,
        slot: u16,
        answered: &Address,
        patience: Duration,
    ) -> Result<(), CallError> {
        let named = timeout(patience, self.route()).await;
        let unsure = |detail: String| CallError::Lost(format!("{answered} answered, but {detail}"));
        match named {
            Ok(Ok(route)) if route.address(slot)? == *answered => Ok(()),
            Ok(Ok(_)) => Err(unsure("is not the primary any more".to_owned())),
            Ok(Err(trouble)) => Err(unsure(trouble.into_error().to_string())),
            Err(_) => Err(unsure("no sentinel confirmed it in time".to_owned())),
        }
    }

    /// The server to ask, and a connection to it. Nothing of the call has been sent by then.
    async fn find(
        &self,
        slot: u16,
        purpose: Purpose,
        asked: Option<Address>,
    ) -> Result<(Arc<Node>, Arc<Link>), CallError> {
        let address = match asked {
            Some(address) => address,
            None => self.route().await?.address(slot)?,
        };
        let node = self.node(address, purpose);
        let link = node.link(&self.dialer).await?;
        if let Err(trouble) = link.keep_clock(&self.dialer).await {
            node.drop_link(&link);
            return Err(not_sent(trouble));
        }
        Ok((node, link))
    }

    /// What the clock of a slot's server says when ours says `at`.
    pub(crate) async fn time_of(&self, slot: u16, at: Timestamp) -> Result<Timestamp, StoreError> {
        let found = self.find(slot, Purpose::Command, None).await;
        let (_, link) = found.map_err(CallError::into_error)?;
        Ok(link.server_time(at))
    }

    async fn route(&self) -> Result<Arc<Route>, CallError> {
        self.router.route(&self.dialer).await
    }

    fn node(&self, address: Address, purpose: Purpose) -> Arc<Node> {
        let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
        let node = nodes.entry((address.clone(), purpose));
        Arc::clone(node.or_insert_with(|| Arc::new(Node::new(address, purpose))))
    }

    /// Every primary, connected, for what concerns servers rather than data.
    pub(crate) async fn primaries(&self) -> Result<Vec<(Address, Arc<Link>)>, StoreError> {
        let route = self.route().await.map_err(CallError::into_error)?;
        let mut links = Vec::new();
        for address in route.addresses() {
            let node = self.node(address.clone(), Purpose::Command);
            let link = node.link(&self.dialer).await.map_err(CallError::into_error)?;
            links.push((address.clone(), link));
        }
        Ok(links)
    }

    /// Measures the clocks of the servers again.
    pub(crate) async fn measure_clocks(&self) {
        let Ok(links) = self.primaries().await else { return };
        for (address, link) in links {
            if let Err(trouble) = link.measure_clock(&self.dialer).await {
                tracing::debug!(%address, ?trouble, "the clock could not be read");
                self.node(address, Purpose::Command).drop_link(&link);
            }
        }
    }

    /// Whether sentinels decide which server is the primary.
    pub(crate) fn is_watched(&self) -> bool {
        self.router.is_watched()
    }

    /// Believes the sentinels only for so long that decisions within a bound rest on them.
    pub(crate) fn believe_within(&self, bound: Option<Duration>) {
        self.router.believe_within(bound);
    }

    /// The last moment at which a server was certainly the primary; see [`Router::vouched`].
    pub(crate) fn vouched(&self, address: &Address) -> Option<MonotonicInstant> {
        self.router.vouched(address)
    }

    /// Which primary each of these slots has.
    pub(crate) async fn owners(&self, slots: &[u16]) -> Result<Vec<Address>, StoreError> {
        let route = self.route().await.map_err(CallError::into_error)?;
        let owners = slots.iter().map(|slot| route.address(*slot));
        owners.collect::<Result<_, _>>().map_err(CallError::into_error)
    }

    /// A connection of its own to a primary, on which what the server pushes is handed to `pushed`.
    pub(crate) async fn listen(
        &self,
        address: &Address,
        pushed: impl AsyncPushSender,
    ) -> Result<Link, StoreError> {
        self.dialer.listener(address, pushed).await.map_err(CallError::into_error)
    }

    /// Which run of which server a primary is, for comparison.
    pub(crate) async fn run_of(&self, address: &Address) -> Result<String, StoreError> {
        let node = self.node(address.clone(), Purpose::Command);
        let link = node.link(&self.dialer).await.map_err(CallError::into_error)?;
        Ok(link.run().to_owned())
    }

    /// Where it is counted what happens on the way.
    pub(crate) fn metrics(&self) -> &Metrics {
        self.dialer.metrics()
    }

    /// Waits until a connection to a primary has been made.
    pub(crate) async fn connected(&self) {
        self.dialer.connected().await;
    }

    /// Says who is certain to know the way, after a redirection.
    pub(crate) fn redirected(&self, to: Option<Address>) {
        self.router.forget(to);
    }

    /// Asks the sentinels again, and lets go of every server that they no longer name.
    pub(crate) async fn confirm_route(&self) {
        match self.router.confirm(&self.dialer).await {
            Ok(Some(route)) => {
                self.doubted.store(false, Ordering::Relaxed);
                let named = route.addresses();
                let mut nodes = self.nodes.lock().unwrap_or_else(PoisonError::into_inner);
                nodes.retain(|(address, _), _| named.contains(&address));
            }
            Ok(None) => {}
            // They are asked many times a second; once is enough.
            Err(trouble) if !self.doubted.swap(true, Ordering::Relaxed) => tracing::warn!(
                error = %trouble.into_error(),
                "the sentinels do not confirm the primary: without them it is soon not used"
            ),
            Err(_) => {}
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Relaxed);
        self.router.close();
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}
