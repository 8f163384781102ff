//! The primary of each slot.
//!
//! A route is used until an error makes it doubtful. Then the next caller asks again, and the
//! others wait for its answer. Under Sentinel there may be no error: a primary that was replaced
//! while it was cut off continues to answer. So an answer of the sentinels is used for a limited
//! time only.
//!
//! The address of a single server may come to lead to another one, while connections to the former one stay
//! open: a name, a virtual address, a service of Kubernetes. So the run id that a new connection finds is
//! used for a limited time only, too.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob_store::MonotonicInstant;
use tokio::time::timeout;

use super::call_error::CallError;
use super::connector::Connector;
use super::route::Route;
use super::sentinels::Sentinels;
use super::shared_attempt::SharedAttempt;
use super::slot_ranges::ask_cluster;
use crate::config::{Address, Topology};

/// The maximum staleness of a decision if no invalidation listener sets another one.
const DEFAULT_MAX_STALENESS: Duration = Duration::from_millis(250);

/// How many nodes are remembered as those to ask first.
const MAX_ASK_FIRST: usize = 16;

#[derive(Debug)]
pub(super) struct Router {
    source: RouteSource,
    last_route: Mutex<LastRoute>,
    refreshing: SharedAttempt,
    /// For how many nanoseconds an answer of the sentinels is used. If no majority of them can be reached,
    /// no call is answered after that.
    max_age: AtomicU64,
}

/// Where the route comes from.
#[derive(Debug)]
enum RouteSource {
    Fixed(Address),
    /// The same, and the address may lead to another server at any time.
    Checked(Address),
    Sentinels(Sentinels),
    /// Any node of the cluster; these are the configured ones.
    Cluster(Vec<Address>),
}

#[derive(Debug, Default)]
struct LastRoute {
    /// The route, and when the question for it was sent.
    route: Option<(Arc<Route>, MonotonicInstant)>,
    /// The route that was read last, even if it is invalid.
    known: Option<Arc<Route>>,
    /// The nodes to ask first: those of the last route, and the target of a redirection.
    ask_first: Vec<Address>,
    /// Which run of a server is at a checked address.
    server_run: Option<String>,
    /// When the connection was begun that found it.
    server_asked: Option<MonotonicInstant>,
    /// The node that answered last. A node that is away would cost each question a timeout.
    answered: Option<Address>,
    /// A node that says that the cluster is down. It may be cut off from the others.
    ask_last: Option<Address>,
    /// The primaries of the last route.
    primaries: BTreeSet<String>,
}

impl Router {
    pub(super) fn new(topology: Topology, checks_address: bool) -> Self {
        let source = match topology {
            Topology::Standalone(address) if checks_address => RouteSource::Checked(address),
            Topology::Standalone(address) => RouteSource::Fixed(address),
            Topology::Sentinel { sentinels, primary } => {
                RouteSource::Sentinels(Sentinels::new(&sentinels, &primary))
            }
            Topology::Cluster(seeds) => RouteSource::Cluster(seeds),
        };
        let router = Self {
            source,
            last_route: Mutex::default(),
            refreshing: SharedAttempt::default(),
            max_age: AtomicU64::new(0),
        };
        router.limit_route_age(None);
        router
    }

    /// Limits for how long an answer of the sentinels is used: half of the maximum staleness. The other half
    /// is left for the decision that rests on an answer of the primary.
    pub(super) fn limit_route_age(&self, max_staleness: Option<Duration>) {
        let max_age = max_staleness.unwrap_or(DEFAULT_MAX_STALENESS) / 2;
        self.max_age.store(nanos(max_age), Ordering::Relaxed);
    }

    /// For how long an answer of the sentinels is used.
    pub(super) fn max_age(&self) -> Duration {
        Duration::from_nanos(self.max_age.load(Ordering::Relaxed))
    }

    /// Returns the last time at which a server was certainly the primary, or `None` if it is not. In a
    /// cluster, and at a fixed address, that is the present. `server_run` is the run of the server that a
    /// connection leads to.
    pub(super) fn last_confirmed(
        &self,
        address: &Address,
        server_run: Option<&str>,
    ) -> Option<MonotonicInstant> {
        match self.source {
            RouteSource::Fixed(_) | RouteSource::Cluster(_) => Some(MonotonicInstant::now()),
            // A server that does not tell its run cannot be compared.
            RouteSource::Checked(_) if server_run.is_none() => Some(MonotonicInstant::now()),
            RouteSource::Checked(_) => {
                let last = self.last_route();
                let is_same = last.server_run.as_deref() == server_run;
                last.server_asked.filter(|_| is_same)
            }
            RouteSource::Sentinels(_) => {
                let last = self.last_route();
                let (route, asked) = last.route.as_ref()?;
                route.addresses().contains(&address).then_some(*asked)
            }
        }
    }

    /// Returns whether a new connection by the checked address has reached another server than this run.
    pub(super) fn leads_elsewhere(&self, server_run: Option<&str>) -> bool {
        let last = self.last_route();
        let found = last.server_run.as_deref();
        self.checks_address() && found.zip(server_run).is_some_and(|(found, run)| found != run)
    }

    /// Notes which server a new connection reached, that was begun at `asked`. Returns whether it is
    /// another one than before.
    pub(super) fn note_server(
        &self,
        server_run: Option<&str>,
        asked: MonotonicInstant,
        connector: &Connector,
    ) -> bool {
        let RouteSource::Checked(address) = &self.source else { return false };
        let mut last = self.last_route();
        // A connection that was begun later shows more, whichever is noted first.
        if last.server_asked.is_some_and(|at| at >= asked) {
            return false;
        }
        last.server_asked = Some(asked);
        last.route = Some((Arc::new(Route::Single(address.clone())), asked));
        let server_run = server_run.map(str::to_owned);
        let before = std::mem::replace(&mut last.server_run, server_run);
        let has_moved = before.is_some() && before != last.server_run;
        if has_moved {
            connector.metrics().address_moved();
            tracing::warn!(%address, "the address leads to another server, or it was restarted");
        }
        has_moved
    }

    /// Returns the primary of a slot in a cluster, as far as is known without asking. `None` stands for any
    /// other store.
    pub(super) fn shard_of(&self, slot: u16) -> Option<Address> {
        if !matches!(self.source, RouteSource::Cluster(_)) {
            return None;
        }
        self.last_route().known.as_ref()?.address(slot).ok()
    }

    /// Returns a node of the cluster with this port, for a redirection without a host. Each further `attempt`
    /// gets the next one: a node that is not meant refuses the call.
    pub(super) fn node_with_port(&self, port: u16, attempt: usize) -> Option<Address> {
        let last = self.last_route();
        let addresses = last.known.as_ref()?.addresses();
        let fitting: Vec<_> = addresses.into_iter().filter(|node| node.port == port).collect();
        let number = attempt.checked_rem(fitting.len())?;
        fitting.get(number).map(|node| (*node).clone())
    }

    /// Has the next caller ask for the route again, `ask_first` before the others.
    pub(super) fn invalidate(&self, ask_first: Option<Address>) {
        let mut last = self.last_route();
        last.route = None;
        if let Some(address) = ask_first {
            last.ask_first.retain(|known| *known != address);
            last.ask_first.insert(0, address);
            last.ask_first.truncate(MAX_ASK_FIRST);
        }
    }

    /// Has the next caller ask for the route again, and other nodes of the cluster than this one first.
    pub(super) fn ask_others_than(&self, node: &Address) {
        let mut last = self.last_route();
        last.route = None;
        last.ask_last = Some(node.clone());
    }

    /// Returns the present route, and asks for it if necessary.
    pub(super) async fn route(&self, connector: &Connector) -> Result<Arc<Route>, CallError> {
        if let Some(route) = self.current_route() {
            return Ok(route);
        }
        let attempt = self.refreshing.begin().await;
        // The caller before may have succeeded.
        if let Some(route) = self.current_route() {
            return Ok(route);
        }
        let _attempt = attempt?;
        self.refresh(connector).await.inspect_err(|error| self.refreshing.record_failure(error))
    }

    /// Asks the sentinels again, before their last answer is too old. Returns the new route, or `None` if
    /// there are no sentinels.
    pub(super) async fn confirm(
        &self,
        connector: &Connector,
    ) -> Result<Option<Arc<Route>>, CallError> {
        match self.source {
            RouteSource::Sentinels(_) => self.refresh(connector).await.map(Some),
            RouteSource::Checked(_) if self.is_check_due() => {
                self.refresh(connector).await.map(Some)
            }
            RouteSource::Checked(_) | RouteSource::Fixed(_) | RouteSource::Cluster(_) => Ok(None),
        }
    }

    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.source, RouteSource::Cluster(_))
    }

    pub(super) fn sentinels(&self) -> Option<&Sentinels> {
        match &self.source {
            RouteSource::Sentinels(sentinels) => Some(sentinels),
            _ => None,
        }
    }

    pub(super) fn uses_sentinels(&self) -> bool {
        matches!(self.source, RouteSource::Sentinels(_))
    }

    /// Compares the address with a new connection now.
    pub(super) async fn recheck(&self, connector: &Connector) -> Result<(), CallError> {
        self.refresh(connector).await.map(drop)
    }

    /// Whether the address is compared with new connections.
    pub(super) fn checks_address(&self) -> bool {
        matches!(self.source, RouteSource::Checked(_))
    }

    /// Whether an answer of a server counts only for as long as something else confirms the server.
    pub(super) fn needs_confirmation(&self) -> bool {
        self.uses_sentinels() || self.checks_address()
    }

    /// Whether a new connection should be made soon, so that calls do not have to wait for it.
    fn is_check_due(&self) -> bool {
        let last = self.last_route();
        let is_recent =
            |asked: &MonotonicInstant| MonotonicInstant::now() < asked.after(self.max_age() / 2);
        !last.route.as_ref().is_some_and(|(_, asked)| is_recent(asked))
    }

    /// The server at a configured address, which needs no question.
    pub(super) fn configured(&self) -> Option<&Address> {
        match &self.source {
            RouteSource::Fixed(address) | RouteSource::Checked(address) => Some(address),
            RouteSource::Sentinels(_) | RouteSource::Cluster(_) => None,
        }
    }

    pub(super) fn close(&self) {
        if let RouteSource::Sentinels(sentinels) = &self.source {
            sentinels.close();
        }
    }

    /// The last route, unless it is invalid or too old.
    fn current_route(&self) -> Option<Arc<Route>> {
        let last = self.last_route();
        let (route, asked) = last.route.as_ref()?;
        (!self.needs_confirmation() || MonotonicInstant::now() < asked.after(self.max_age()))
            .then(|| Arc::clone(route))
    }

    async fn refresh(&self, connector: &Connector) -> Result<Arc<Route>, CallError> {
        let asked = MonotonicInstant::now();
        if let RouteSource::Checked(address) = &self.source {
            // A lost packet must not keep the next attempt waiting.
            let limit = self.max_age() * 2;
            let found = timeout(limit, connector.server_run(address, limit)).await;
            let no_answer =
                || CallError::Refused(format!("no new connection to {address} in time"));
            let found = found.unwrap_or_else(|_| Err(no_answer()));
            let found = found.inspect_err(|_| connector.metrics().address_check_failed())?;
            self.note_server(found.as_deref(), asked, connector);
            return Ok(Arc::new(Route::Single(address.clone())));
        }
        let route = Arc::new(self.ask(connector).await?);
        let mut last = self.last_route();
        if let Route::Slots(_) = &*route {
            let others =
                route.addresses().into_iter().filter(|node| last.answered.as_ref() != Some(*node));
            last.ask_first = last.answered.iter().chain(others).cloned().collect();
        }
        let primaries = route.addresses().into_iter().map(Address::to_string).collect();
        let before = std::mem::replace(&mut last.primaries, primaries);
        if !before.is_empty() && before != last.primaries {
            connector.metrics().route_changed();
        }
        // A later question has the newer answer, even if that came first.
        if let Some((later, _)) = last.route.as_ref().filter(|(_, at)| *at > asked) {
            return Ok(Arc::clone(later));
        }
        last.route = Some((Arc::clone(&route), asked));
        last.known = Some(Arc::clone(&route));
        Ok(route)
    }

    async fn ask(&self, connector: &Connector) -> Result<Route, CallError> {
        Ok(match &self.source {
            RouteSource::Fixed(address) | RouteSource::Checked(address) => {
                Route::Single(address.clone())
            }
            RouteSource::Sentinels(sentinels) => Route::Single(sentinels.primary(connector).await?),
            RouteSource::Cluster(seeds) => {
                let (ask_first, ask_last) = {
                    let mut last = self.last_route();
                    (last.ask_first.clone(), last.ask_last.take())
                };
                let is_first = |node: &&Address| Some(*node) != ask_last.as_ref();
                let nodes = ask_first.iter().chain(seeds).filter(is_first).chain(&ask_last);
                let (slots, answered) = ask_cluster(connector, nodes).await?;
                self.last_route().answered = Some(answered);
                Route::Slots(slots)
            }
        })
    }

    fn last_route(&self) -> std::sync::MutexGuard<'_, LastRoute> {
        self.last_route.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}
