//! Which server is the primary of which slot.
//!
//! What was found out is kept until somebody has reason to doubt it; then the next caller asks
//! again, and the others wait for what it learns. Under Sentinel there may be no reason to see: a
//! primary that was deposed while it was cut off goes on answering. So what the sentinels said is
//! believed for a while only.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use keyfob_store::{MonotonicInstant, StoreError};

use super::dial::Dialer;
use super::reply::{Reply, next};
use super::sentinels::Sentinels;
use super::trouble::CallError;
use super::turn::Turn;
use crate::config::{Address, Topology};

/// How old a decision may be where nobody watches who has another bound.
const BOUND: Duration = Duration::from_millis(250);

#[derive(Debug)]
pub(super) struct Router {
    servers: Servers,
    known: Mutex<Known>,
    asking: Turn,
    /// For how many nanoseconds the sentinels are believed. With none of their majority to be
    /// reached, nothing is answered after that.
    belief: AtomicU64,
}

/// Whom to ask for the route, if anybody.
#[derive(Debug)]
enum Servers {
    One(Address),
    Watched(Sentinels),
    Cluster(Vec<Address>),
}

#[derive(Debug, Default)]
struct Known {
    /// The route, and when it was asked for.
    route: Option<(Arc<Route>, MonotonicInstant)>,
    /// Who will know best: the nodes of the last route, and the target of a redirection.
    informed: Vec<Address>,
    /// The primaries of the last route.
    primaries: BTreeSet<String>,
}

/// Who owns which slots.
#[derive(Debug)]
pub(super) enum Route {
    One(Address),
    Runs(Vec<Run>),
}

/// Slots in a row that belong to one primary.
#[derive(Debug)]
pub(super) struct Run {
    first: u16,
    last: u16,
    address: Address,
}

impl Router {
    pub(super) fn new(topology: Topology) -> Self {
        let servers = match topology {
            Topology::Standalone(address) => Servers::One(address),
            Topology::Sentinel { sentinels, primary } => {
                Servers::Watched(Sentinels::new(&sentinels, &primary))
            }
            Topology::Cluster(seeds) => Servers::Cluster(seeds),
        };
        let router = Self {
            servers,
            known: Mutex::default(),
            asking: Turn::default(),
            belief: AtomicU64::new(0),
        };
        router.believe_within(None);
        router
    }

    /// Believes the sentinels for half of a bound: who decides by an answer has the other half.
    pub(super) fn believe_within(&self, bound: Option<Duration>) {
        self.belief.store(nanos(bound.unwrap_or(BOUND) / 2), Ordering::Relaxed);
    }

    /// The last moment at which a server was certainly the primary, so far as others decide that;
    /// the present one where they do not. `None` if it is not the primary.
    pub(super) fn vouched(&self, address: &Address) -> Option<MonotonicInstant> {
        if !self.is_watched() {
            return Some(MonotonicInstant::now());
        }
        let known = self.known();
        let (route, asked) = known.route.as_ref()?;
        route.addresses().contains(&address).then_some(*asked)
    }

    /// Has the next caller find out again; `informed` will know.
    pub(super) fn forget(&self, informed: Option<Address>) {
        let mut known = self.known();
        known.route = None;
        if let Some(address) = informed {
            known.informed.retain(|known| *known != address);
            known.informed.insert(0, address);
            known.informed.truncate(16);
        }
    }

    pub(super) async fn route(&self, dialer: &Dialer) -> Result<Arc<Route>, CallError> {
        if let Some(route) = self.believed() {
            return Ok(route);
        }
        let turn = self.asking.take().await;
        // Who had the turn meanwhile may have succeeded.
        if let Some(route) = self.believed() {
            return Ok(route);
        }
        let _turn = turn?;
        self.find_out(dialer).await.inspect_err(|trouble| self.asking.failed(trouble))
    }

    /// Asks the sentinels again, if there are any, before they are believed no longer; the route
    /// that they give.
    pub(super) async fn confirm(&self, dialer: &Dialer) -> Result<Option<Arc<Route>>, CallError> {
        match self.servers {
            Servers::Watched(_) => self.find_out(dialer).await.map(Some),
            Servers::One(_) | Servers::Cluster(_) => Ok(None),
        }
    }

    pub(super) fn is_watched(&self) -> bool {
        matches!(self.servers, Servers::Watched(_))
    }

    pub(super) fn close(&self) {
        if let Servers::Watched(sentinels) = &self.servers {
            sentinels.close();
        }
    }

    fn believed(&self) -> Option<Arc<Route>> {
        let known = self.known();
        let (route, asked) = known.route.as_ref()?;
        let belief = Duration::from_nanos(self.belief.load(Ordering::Relaxed));
        (!self.is_watched() || MonotonicInstant::now() < asked.after(belief))
            .then(|| Arc::clone(route))
    }

    async fn find_out(&self, dialer: &Dialer) -> Result<Arc<Route>, CallError> {
        let asked = MonotonicInstant::now();
        let route = Arc::new(self.ask(dialer).await?);
        let mut known = self.known();
        if let Route::Runs(_) = &*route {
            known.informed = route.addresses().into_iter().cloned().collect();
        }
        let primaries = route.addresses().into_iter().map(Address::to_string).collect();
        let before = std::mem::replace(&mut known.primaries, primaries);
        if !before.is_empty() && before != known.primaries {
            dialer.metrics().route_changed();
        }
        // Who asked later knows better, even if the answer came sooner.
        if let Some((later, _)) = known.route.as_ref().filter(|(_, at)| *at > asked) {
            return Ok(Arc::clone(later));
        }
        known.route = Some((Arc::clone(&route), asked));
        Ok(route)
    }

    async fn ask(&self, dialer: &Dialer) -> Result<Route, CallError> {
        Ok(match &self.servers {
            Servers::One(address) => Route::One(address.clone()),
            Servers::Watched(sentinels) => Route::One(sentinels.primary(dialer).await?),
            Servers::Cluster(seeds) => {
                let informed = self.known().informed.clone();
                Route::Runs(ask_cluster(dialer, informed.iter().chain(seeds)).await?)
            }
        })
    }

    fn known(&self) -> std::sync::MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Route {
    pub(super) fn address(&self, slot: u16) -> Result<Address, CallError> {
        let owner = match self {
            Self::One(address) => Some(address),
            Self::Runs(runs) => runs
                .iter()
                .find(|run| (run.first..=run.last).contains(&slot))
                .map(|run| &run.address),
        };
        let nobody = || CallError::Refused(format!("no server of the cluster has slot {slot}"));
        owner.cloned().ok_or_else(nobody)
    }

    pub(super) fn addresses(&self) -> Vec<&Address> {
        match self {
            Self::One(address) => vec![address],
            Self::Runs(runs) => {
                let mut addresses: Vec<&Address> = Vec::new();
                for run in runs {
                    if !addresses.contains(&&run.address) {
                        addresses.push(&run.address);
                    }
                }
                addresses
            }
        }
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

async fn ask_cluster<'a>(
    dialer: &Dialer,
    nodes: impl Iterator<Item = &'a Address>,
) -> Result<Vec<Run>, CallError> {
    let mut command = redis::cmd("CLUSTER");
    command.arg("SLOTS");
    let mut last = "no node is listed".to_owned();
    for node in nodes {
        let answer = match dialer.seed(node).await {
            Ok(link) => link.send(&command, dialer.response_timeout()).await,
            Err(trouble) => Err(trouble),
        };
        match answer.map(|answer| read_runs(Reply(answer), node)) {
            Ok(Ok(runs)) if !runs.is_empty() => return Ok(runs),
            Ok(_) => last = format!("{node} knows of no slots"),
            Err(CallError::Final(error)) => return Err(CallError::Final(error)),
            Err(trouble) => last = trouble.into_error().to_string(),
        }
    }
    Err(CallError::Refused(last))
}

/// The answer to CLUSTER SLOTS: first slot, last slot, primary, replicas.
fn read_runs(reply: Reply, asked: &Address) -> Result<Vec<Run>, StoreError> {
    let read = |reply: Reply| {
        let mut parts = reply.array()?.into_iter();
        let first = next(&mut parts)?.number()? as u16;
        let last = next(&mut parts)?.number()? as u16;
        let mut primary = next(&mut parts)?.array()?.into_iter();
        let host = next(&mut primary)?.optional()?.unwrap_or_default();
        let port = next(&mut primary)?.number()?;
        let host = String::from_utf8(host).unwrap_or_default();
        // A node that was not told its own name leaves it out.
        let host = if host.is_empty() || host == "?" { asked.host.clone() } else { host };
        let address = Address::new(host, u16::try_from(port).unwrap_or_default());
        Ok(Run { first, last, address })
    };
    reply.array()?.into_iter().map(read).collect()
}
