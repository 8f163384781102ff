//! Which server is the primary of which slot.
//!
//! What was found out is kept until somebody has reason to doubt it; then the next caller asks
//! again, and the others wait for what it learns.

use std::sync::{Arc, Mutex, PoisonError};

use keyfob::store::StoreError;

use super::dial::Dialer;
use super::reply::{Reply, next};
use super::trouble::Trouble;
use super::turn::Turn;
use crate::config::{Address, Topology};

#[derive(Debug)]
pub(super) struct Router {
    topology: Topology,
    known: Mutex<Known>,
    asking: Turn,
}

#[derive(Debug, Default)]
struct Known {
    route: Option<Arc<Route>>,
    /// Who will know best: the nodes of the last route, and the target of a redirection.
    informed: Vec<Address>,
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
        Self { topology, known: Mutex::default(), asking: Turn::default() }
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

    pub(super) async fn route(&self, dialer: &Dialer) -> Result<Arc<Route>, Trouble> {
        if let Some(route) = self.known().route.clone() {
            return Ok(route);
        }
        let turn = self.asking.take().await;
        // Who had the turn meanwhile may have succeeded.
        if let Some(route) = self.known().route.clone() {
            return Ok(route);
        }
        let _turn = turn?;
        let found = self.find_out(dialer).await;
        let route = Arc::new(found.inspect_err(|trouble| self.asking.failed(trouble))?);
        let mut known = self.known();
        if let Route::Runs(_) = &*route {
            known.informed = route.addresses().into_iter().cloned().collect();
        }
        known.route = Some(Arc::clone(&route));
        Ok(route)
    }

    async fn find_out(&self, dialer: &Dialer) -> Result<Route, Trouble> {
        Ok(match &self.topology {
            Topology::Standalone(address) => Route::One(address.clone()),
            Topology::Sentinel { sentinels, primary } => {
                Route::One(ask_sentinels(dialer, sentinels, primary).await?)
            }
            Topology::Cluster(seeds) => {
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
    pub(super) fn address(&self, slot: u16) -> Result<Address, Trouble> {
        let owner = match self {
            Self::One(address) => Some(address),
            Self::Runs(runs) => runs
                .iter()
                .find(|run| (run.first..=run.last).contains(&slot))
                .map(|run| &run.address),
        };
        let nobody = || Trouble::Refused(format!("no server of the cluster has slot {slot}"));
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

async fn ask_sentinels(
    dialer: &Dialer,
    sentinels: &[Address],
    primary: &str,
) -> Result<Address, Trouble> {
    let mut command = redis::cmd("SENTINEL");
    command.arg("GET-MASTER-ADDR-BY-NAME").arg(primary);
    let mut last = "no sentinel is listed".to_owned();
    for sentinel in sentinels {
        let answer = match dialer.sentinel(sentinel).await {
            Ok(link) => link.send(&command, dialer.response_timeout()).await,
            Err(trouble) => Err(trouble),
        };
        match answer {
            Ok(answer) if Reply(answer.clone()).is_nil() => {
                last = format!("the sentinel {sentinel} knows no primary of this name");
            }
            Ok(answer) => return read_address(Reply(answer)).map_err(Trouble::Final),
            Err(Trouble::Final(error)) => return Err(Trouble::Final(error)),
            Err(trouble) => last = trouble.into_error().to_string(),
        }
    }
    Err(Trouble::Refused(last))
}

fn read_address(reply: Reply) -> Result<Address, StoreError> {
    let mut parts = reply.array()?.into_iter();
    let host = next(&mut parts)?.text()?;
    let port = next(&mut parts)?.number()?;
    Ok(Address::new(host, u16::try_from(port).unwrap_or_default()))
}

async fn ask_cluster<'a>(
    dialer: &Dialer,
    nodes: impl Iterator<Item = &'a Address>,
) -> Result<Vec<Run>, Trouble> {
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
            Err(Trouble::Final(error)) => return Err(Trouble::Final(error)),
            Err(trouble) => last = trouble.into_error().to_string(),
        }
    }
    Err(Trouble::Refused(last))
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
