//! The sentinels, and the primary that most of them name.
//!
//! The answer of one sentinel proves nothing. It may be cut off together with a primary that the
//! others have replaced. So the primary is the server that more than half of all listed
//! sentinels name, whether they can be reached or not. A listed name may lead to several sentinels,
//! and two listed addresses to the same one; see [`voters`].
//!
//! Sentinels may name a server by its host name or by its address, each as it is configured. Votes that
//! differ are compared by the addresses that the names have at that moment.

mod voters;

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout};

use self::voters::{ListedName, Voter, Votes, sentinels_behind};
use super::call_error::CallError;
use super::connection::Connection;
use super::connector::Connector;
use super::dial::Dialer;
use super::reply::{Reply, next};
use crate::config::{Address, misconfigured};

/// How often a listed name is resolved again, and how often while one of its sentinels cannot be reached.
const RESOLVE_INTERVAL: Duration = Duration::from_secs(10);
const RESOLVE_INTERVAL_AFTER_FAILURE: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Sentinels {
    listed: Vec<Arc<Listed>>,
    /// What is listed a second time.
    repeated: Vec<Address>,
    name: String,
    /// What the primary was called last. Another name of the same server does not change the route.
    last_named: Mutex<Option<Address>>,
}

/// An address of the settings.
#[derive(Debug)]
struct Listed {
    address: Address,
    resolved: Mutex<Resolved>,
}

/// What a listed name leads to.
#[derive(Debug, Default)]
struct Resolved {
    each: Vec<Arc<Sentinel>>,
    most: usize,
    /// When resolving it was begun last.
    begun: Option<Instant>,
    has_failure: bool,
}

#[derive(Debug)]
struct Sentinel {
    /// The listed name, which its certificate has.
    name: Address,
    at: SocketAddr,
    /// Whether its name has addresses of the other family, whose votes count in any case.
    is_second_family: bool,
    connection: Mutex<Option<Arc<Connection>>>,
    /// The run of its process.
    run: Mutex<Option<String>>,
}

/// A sentinel as the report sees it.
#[derive(Debug)]
pub(crate) struct SentinelView {
    /// The listed name, and the address that it has.
    pub(crate) listed: String,
    pub(crate) run: Option<String>,
    /// Which primary it names, or why it does not answer.
    pub(crate) named: Result<Option<Address>, String>,
    /// The other sentinels of the primary that it knows: their addresses and runs.
    pub(crate) knows: Vec<(String, String)>,
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
        let (mut votes, mut last_error, mut final_error) = (Votes::default(), String::new(), None);
        while let Some((sentinel, answer)) = asked.next().await {
            match answer {
                Ok(vote) if sentinel.has_vote() => votes.set(sentinel.voter(), vote),
                Ok(_) => continue,
                Err(error @ (CallError::Final(_) | CallError::LoginRefused(_))) => {
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
        Err(match final_error {
            Some(error) => CallError::Final(error),
            None => CallError::Refused(format!(
                "of {} sentinels {} answer, and no primary is named by more than half of \
                 all{last_error}",
                count(&names, &sentinels),
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

impl Listed {
    /// Resolves the name if that is due. Waits for it only if no address is known.
    async fn update(self: &Arc<Self>, connector: &Connector) {
        let (dialer, limit) = (connector.dialer(), connector.connect_timeout());
        let (is_due, is_known) = {
            let mut resolved = lock(&self.resolved);
            let interval = match resolved.has_failure {
                true => RESOLVE_INTERVAL_AFTER_FAILURE,
                false => RESOLVE_INTERVAL,
            };
            let is_recent = resolved.begun.is_some_and(|begun| begun.elapsed() < interval);
            let is_known = !resolved.each.is_empty();
            let is_due = !is_known || !(is_recent || self.is_address());
            if is_due {
                resolved.begun = Some(Instant::now());
                resolved.has_failure = false;
            }
            (is_due, is_known)
        };
        if !is_due {
            return;
        }
        if is_known {
            let (listed, dialer) = (Arc::clone(self), dialer.clone());
            tokio::spawn(async move { listed.resolve(&dialer, limit).await });
        } else {
            self.resolve(dialer, limit).await;
        }
    }

    fn is_address(&self) -> bool {
        self.address.host.parse::<IpAddr>().is_ok()
    }

    async fn resolve(&self, dialer: &Dialer, limit: Duration) {
        let found = timeout(limit, dialer.resolve(&self.address)).await;
        let mut resolved = lock(&self.resolved);
        let Ok(Ok(mut found)) = found else {
            resolved.has_failure = true;
            tracing::debug!(name = %self.address, "the name of a sentinel has no address");
            return;
        };
        // In the same order each time.
        found.sort_unstable();
        found.dedup();
        let is_first = found.first().map(SocketAddr::is_ipv6);
        let each = found.iter().map(|at| {
            let known = resolved.each.iter().find(|known| known.at == *at);
            known.map_or_else(
                || Arc::new(Sentinel::new(&self.address, *at, Some(at.is_ipv6()) != is_first)),
                Arc::clone,
            )
        });
        resolved.each = each.collect();
        resolved.most = resolved.most.max(sentinels_behind(&found));
    }
}

impl Sentinel {
    fn new(name: &Address, at: SocketAddr, is_second_family: bool) -> Self {
        let (connection, run) = (Mutex::default(), Mutex::default());
        Self { name: name.clone(), at, is_second_family, connection, run }
    }

    /// Whether its answer counts. Without its run it is not known whether it is the same sentinel as at the
    /// other address of its host.
    fn has_vote(&self) -> bool {
        !self.is_second_family || lock(&self.run).is_some()
    }

    fn voter(&self) -> Voter {
        lock(&self.run).clone().map_or(Voter::At(self.at), Voter::Run)
    }

    async fn connected(&self, connector: &Connector) -> Result<Arc<Connection>, CallError> {
        let connection = lock(&self.connection).clone();
        if let Some(connection) = connection.filter(|connection| connection.is_open()) {
            return Ok(connection);
        }
        let connection = Arc::new(connector.sentinel(&self.name, self.at).await?);
        *lock(&self.run) = connection.server_run().map(str::to_owned);
        self.keep(Some(Arc::clone(&connection)));
        Ok(connection)
    }

    async fn send(&self, words: &[&str], connector: &Connector) -> Result<Reply, CallError> {
        let connection = self.connected(connector).await?;
        let mut command = redis::cmd("SENTINEL");
        words.iter().for_each(|word| {
            command.arg(*word);
        });
        let answer = connection.send(&command, connector.response_timeout()).await;
        Ok(Reply(answer.inspect_err(|_| self.keep(None))?))
    }

    /// Returns the primary that this sentinel names, or `None` if it knows no primary of that name.
    async fn ask(&self, name: &str, connector: &Connector) -> Result<Option<Address>, CallError> {
        let reply = self.send(&["GET-MASTER-ADDR-BY-NAME", name], connector).await?;
        if reply.is_nil() {
            return Ok(None);
        }
        let read = || {
            let mut parts = reply.array()?.into_iter();
            let host = next(&mut parts)?.text()?;
            let port = next(&mut parts)?.number()?;
            Ok(Address::new(host, u16::try_from(port).unwrap_or_default()))
        };
        read().map(Some).map_err(CallError::Final)
    }

    async fn inspect(&self, name: &str, connector: &Connector) -> SentinelView {
        let named = self.ask(name, connector).await.map_err(|error| error.into_error().to_string());
        let knows = match &named {
            Ok(Some(_)) => {
                self.send(&["SENTINELS", name], connector).await.ok().map(known_sentinels)
            }
            _ => None,
        };
        let listed = match self.at.to_string() {
            at if at == self.name.to_string() => at,
            at => format!("{} ({at})", self.name),
        };
        let run = lock(&self.run).clone();
        SentinelView { listed, run, named, knows: knows.unwrap_or_default() }
    }

    fn keep(&self, connection: Option<Arc<Connection>>) {
        *lock(&self.connection) = connection;
    }
}

/// Reads the answer to SENTINEL SENTINELS: for each one a list of names and values.
fn known_sentinels(reply: Reply) -> Vec<(String, String)> {
    let read = |fields: Reply| {
        let mut parts = fields.array().ok()?.into_iter().map(Reply::text);
        let mut values = HashMap::new();
        while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
            values.insert(name.ok()?, value.ok()?);
        }
        let address = Address::new(values.get("ip")?, values.get("port")?.parse().ok()?);
        Some((address.to_string(), values.get("runid")?.clone()))
    };
    reply.array().unwrap_or_default().into_iter().filter_map(read).collect()
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
