//! The sentinels, and the primary that most of them name.
//!
//! The answer of one sentinel proves nothing. It may be cut off together with a primary that the
//! others have replaced. So the primary is the server that more than half of all listed
//! sentinels name, whether they can be reached or not. A listed name may lead to several sentinels,
//! and two listed addresses to the same one; see [`voters`].
//!
//! Sentinels may name a server by its host name or by its address, each as it is configured. Votes that
//! differ are compared by the addresses that the names have at that moment.

mod listed;
mod sentinel;
mod voters;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::timeout;

use self::listed::Listed;
pub(crate) use self::sentinel::SentinelView;
use self::sentinel::{Sentinel, lock};
use self::voters::{ListedName, Voter, Votes};
use super::call_error::CallError;
use super::connector::Connector;
use crate::config::{Address, misconfigured};

#[derive(Debug)]
pub(super) struct Sentinels {
    listed: Vec<Arc<Listed>>,
    /// What is listed a second time.
    repeated: Vec<Address>,
    name: String,
    /// What the primary was called last. Another name of the same server does not change the route.
    last_named: Mutex<Option<Address>>,
}

impl Sentinels {
    pub(super) fn new(addresses: &[Address], name: &str) -> Self {
        let (mut listed, mut repeated) = (Vec::<Arc<Listed>>::new(), Vec::new());
        for address in addresses {
            let is_same = |known: &Arc<Listed>| {
                known.address.port == address.port
                    && known.address.host.eq_ignore_ascii_case(&address.host)
            };
            if listed.iter().any(is_same) {
                repeated.push(address.clone());
                continue;
            }
            let resolved = Mutex::default();
            listed.push(Arc::new(Listed { address: address.clone(), resolved }));
        }
        Self { listed, repeated, name: name.to_owned(), last_named: Mutex::default() }
    }

    /// The listed addresses that repeat another one.
    pub(super) fn repeated(&self) -> &[Address] {
        &self.repeated
    }

    /// Returns the primary as soon as a majority has named it.
    pub(super) async fn primary(&self, connector: &Connector) -> Result<Address, CallError> {
        let (names, sentinels) = self.resolved(connector).await;
        let mut asked: FuturesUnordered<_> = sentinels
            .iter()
            .map(|sentinel| async move { (sentinel, sentinel.ask(&self.name, connector).await) })
            .collect();
        let (mut votes, mut last_error) = (Votes::default(), String::new());
        let (mut final_error, mut final_errors) = (None, 0);
        while let Some((sentinel, answer)) = asked.next().await {
            match answer {
                Ok(vote) if sentinel.has_vote() => votes.set(sentinel.voter(), vote),
                Ok(_) => continue,
                Err(error @ (CallError::Final(_) | CallError::LoginRefused(_))) => {
                    final_errors += 1;
                    last_error = format!(": {}", error.detail());
                    final_error = Some(error.into_error());
                }
                Err(error) => {
                    self.note_failure(&sentinel.name);
                    last_error = format!(": {}", error.into_error());
                }
            }
            match self.elected(&votes, count(&names, &sentinels), connector).await {
                Some(Some(address)) => return Ok(self.usual_name(address, connector).await),
                Some(None) => {
                    return Err(CallError::Final(misconfigured(format!(
                        "the sentinels know no primary '{}': check the name after their addresses, \
                         SENTINEL MASTERS lists those that they know",
                        self.name
                    ))));
                }
                None => {}
            }
        }
        // Another program may have taken over the address of one sentinel, and the others may answer later.
        let all = count(&names, &sentinels);
        Err(match final_error {
            Some(error) if !connector.has_connected() || final_errors * 2 >= all => {
                CallError::Final(error)
            }
            _ => CallError::Refused(format!(
                "of {} sentinels {} answer, and no primary is named by more than half of \
                 all{last_error}",
                all,
                votes.len()
            )),
        })
    }

    /// Has a name resolved again soon, because one of its sentinels cannot be reached.
    fn note_failure(&self, name: &Address) {
        if let Some(listed) = self.listed.iter().find(|listed| listed.address == *name) {
            lock(&listed.resolved).has_failure = true;
        }
    }

    /// Returns what more than half of `all` sentinels answered.
    async fn elected(
        &self,
        votes: &Votes<Option<Address>>,
        all: usize,
        connector: &Connector,
    ) -> Option<Option<Address>> {
        if let Some(vote) = votes.majority(all, PartialEq::eq) {
            return Some(vote.clone());
        }
        let different: Vec<_> = votes.different().into_iter().flatten().collect();
        if different.len() < 2 || votes.len() * 2 <= all {
            return None;
        }
        let known = addresses_of(&different, connector).await;
        let same = |one: &Option<Address>, other: &Option<Address>| match (one, other) {
            (Some(one), Some(other)) => is_same_server(one, other, &known),
            (one, other) => one == other,
        };
        let winner = votes.majority(all, same)?;
        // A certificate has the name rather than the address.
        let is_name = |vote: &&&Option<Address>| {
            vote.as_ref().is_some_and(|address| address.host.parse::<IpAddr>().is_err())
        };
        let different = votes.different();
        let names = different.iter().find(|vote| same(vote, winner) && is_name(vote));
        Some(names.map_or(winner, |vote| *vote).clone())
    }

    /// Returns what the primary was called before, if that is another name of the same server.
    async fn usual_name(&self, address: Address, connector: &Connector) -> Address {
        let last = lock(&self.last_named).clone();
        if let Some(last) = last.filter(|last| *last != address) {
            let known = addresses_of(&[&last, &address], connector).await;
            if is_same_server(&last, &address, &known) {
                return last;
            }
        }
        *lock(&self.last_named) = Some(address.clone());
        address
    }

    /// Returns what the listed names lead to, and the sentinels there.
    async fn resolved(&self, connector: &Connector) -> (Vec<ListedName>, Vec<Arc<Sentinel>>) {
        join_all(self.listed.iter().map(|listed| listed.update(connector))).await;
        let mut sentinels: Vec<Arc<Sentinel>> = Vec::new();
        let mut names = Vec::new();
        for listed in &self.listed {
            let resolved = lock(&listed.resolved);
            let addresses = resolved.each.iter().map(|sentinel| sentinel.at).collect();
            names.push(ListedName { addresses, most: resolved.most.max(1) });
            for sentinel in &resolved.each {
                if !sentinels.iter().any(|known| known.at == sentinel.at) {
                    sentinels.push(Arc::clone(sentinel));
                }
            }
        }
        (names, sentinels)
    }

    /// Asks each sentinel which primary it names and which other sentinels it knows.
    pub(super) async fn inspect(&self, connector: &Connector) -> Vec<SentinelView> {
        let (_, sentinels) = self.resolved(connector).await;
        let mut views =
            join_all(sentinels.iter().map(|it| it.inspect(&self.name, connector))).await;
        for listed in &self.listed {
            if lock(&listed.resolved).each.is_empty() {
                views.push(SentinelView {
                    listed: listed.address.to_string(),
                    run: None,
                    named: Err("its name has no address".to_owned()),
                    knows: Vec::new(),
                });
            }
        }
        views
    }

    pub(super) fn close(&self) {
        for listed in &self.listed {
            lock(&listed.resolved).each.iter().for_each(|sentinel| sentinel.keep(None));
        }
    }
}

fn count(names: &[ListedName], sentinels: &[Arc<Sentinel>]) -> usize {
    voters::count(names, |at| {
        let sentinel = sentinels.iter().find(|sentinel| sentinel.at == at);
        sentinel.map_or(Voter::At(at), |sentinel| sentinel.voter())
    })
}

/// Returns the addresses that each of these hosts has at this moment.
async fn addresses_of(
    servers: &[&Address],
    connector: &Connector,
) -> HashMap<Address, Vec<SocketAddr>> {
    let lookups = servers.iter().map(|server| async move {
        let found = timeout(connector.connect_timeout(), connector.dialer().resolve(server)).await;
        ((*server).clone(), found.ok().and_then(Result::ok).unwrap_or_default())
    });
    join_all(lookups).await.into_iter().collect()
}

fn is_same_server(
    one: &Address,
    other: &Address,
    known: &HashMap<Address, Vec<SocketAddr>>,
) -> bool {
    let of = |address| known.get(address).map(Vec::as_slice).unwrap_or_default();
    one == other || of(one).iter().any(|at| of(other).contains(at))
}
