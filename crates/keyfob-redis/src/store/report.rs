//! The store's report: whether the servers keep what they acknowledge. `keyfob doctor` shows it.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join;
use keyfob_store::{Lane, Severity, StoreError, StoreReport, Timestamp};
use redis::Value;

use super::sentinel_findings::sentinel_findings;
use super::server_state::{self, ServerValues};
use super::shared::Shared;
use crate::config::{Address, Topology, misconfigured};
use crate::connections::{AddressState, Connection, Reply, too_old};

const TIMEOUT: Duration = Duration::from_secs(2);

/// The clock difference in milliseconds from which on the order of ids is affected.
const MAX_CLOCK_DIFFERENCE_MS: u64 = 2_000;

/// The name of the finding about a server's version.
const VERSION: &str = "version";

const SETTINGS: [&str; 8] = [
    "CONFIG",
    "GET",
    "maxmemory",
    "maxmemory-policy",
    "appendonly",
    "appendfsync",
    "save",
    "min-replicas-to-write",
];

/// Whether a key is written to see whether the server accepts it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum TestWrite {
    Made,
    Omitted,
}

type Primaries = Vec<(Address, Arc<Connection>)>;

type Unreachable = Vec<(Address, StoreError)>;

impl Shared {
    /// Logs what is wrong with the servers when the store is opened.
    pub(super) async fn check_servers(&self) -> Result<(), StoreError> {
        // A store may be opened by a user who only reads, so nothing is written.
        let report = match self.report_on_servers(TestWrite::Omitted).await {
            Ok((report, _)) => report,
            Err(error) => {
                tracing::warn!(%error, "the settings of the servers cannot be read");
                return Ok(());
            }
        };
        for finding in report.findings {
            if finding.severity == Severity::Fault && finding.what == VERSION {
                return Err(misconfigured(finding.advice));
            }
            if finding.severity != Severity::Good {
                tracing::warn!(
                    what = finding.what,
                    fault = finding.severity == Severity::Fault,
                    "{}",
                    finding.advice
                );
            }
        }
        Ok(())
    }

    pub(super) async fn report(&self) -> Result<StoreReport, StoreError> {
        let (mut report, servers) = self.report_on_servers(TestWrite::Made).await?;
        self.permission_findings(&mut report, &servers).await;
        self.open_slot_findings(&mut report, &servers).await;
        self.namespace_findings(&mut report).await;
        if self.guard.check().is_ok() {
            self.rollback_finding(&mut report).await;
        }
        Ok(report)
    }

    /// Returns what there is to say about the servers without the namespace, and those that answered.
    async fn report_on_servers(
        &self,
        test_write: TestWrite,
    ) -> Result<(StoreReport, Vec<Address>), StoreError> {
        let (connections, mut unreachable) = self.reachable_primaries().await?;
        let ahead = connections.first().map_or(0, |(_, connection)| connection.clock_ahead());
        let now = self.now().as_millis().saturating_add_signed(ahead);
        let mut report = StoreReport::new(self.config.to_string(), Timestamp::from_millis(now));
        for (shard, silent_for) in self.connections.away() {
            let advice = format!(
                "{shard} has not answered for {} s: calls fail without being sent, and a probe looks for \
                 it. Nothing needs to be restarted when it is back",
                silent_for.as_secs()
            );
            report.find(Severity::Fault, "away", advice);
        }
        self.sentinel_findings(&mut report).await;
        let mut answered = Vec::new();
        for (address, connection) in connections {
            let answers = join(ask(&connection, &["INFO"]), ask(&connection, &SETTINGS)).await;
            let (info, settings) = match answers {
                (Ok(info), Ok(settings)) => (info, settings),
                (Err(error), _) | (_, Err(error)) => {
                    unreachable.push((address, error));
                    continue;
                }
            };
            let info = match info {
                Some(Value::BulkString(text)) => values_of_info(&String::from_utf8_lossy(&text)),
                _ => ServerValues::new(),
            };
            let is_replica = server_state::add_findings(&mut report, &address, &info);
            if test_write == TestWrite::Made
                && !is_replica
                && let Some(lane) = self.lane_at(&address).await
            {
                let key = self.keys.ping(lane);
                server_state::try_write(&mut report, &address, &connection, &key, TIMEOUT).await;
            }
            place(&mut report, &address, self.connections.find_server(&connection).await);
            self.add_findings(
                &mut report,
                &address,
                &info,
                settings.map(values_of_list),
                connection.clock_ahead(),
            );
            answered.push(address);
        }
        for (address, error) in unreachable {
            let advice = format!(
                "{address} cannot be reached ({error}): the tokens of its lanes are refused, and a \
                 revocation of everything is incomplete. Start it, or let a replica take over"
            );
            report.find(Severity::Fault, "reachable", advice);
        }
        Ok((report, answered))
    }

    /// Returns a lane whose primary is this server.
    pub(super) async fn lane_at(&self, address: &Address) -> Option<Lane> {
        let lanes: Vec<_> = self.namespace.lanes().lanes().collect();
        let slots: Vec<_> = lanes.iter().map(|lane| self.keys.slot(*lane)).collect();
        let primaries = self.connections.primaries_of(&slots).await.ok()?;
        lanes
            .into_iter()
            .zip(primaries)
            .find(|(_, primary)| primary == address)
            .map(|(lane, _)| lane)
    }

    /// Returns the connections to the primaries, and those that cannot be reached.
    ///
    /// # Errors
    /// The first error if none can be reached.
    async fn reachable_primaries(&self) -> Result<(Primaries, Unreachable), StoreError> {
        let (mut reachable, mut unreachable) = (Vec::new(), Vec::new());
        for (address, connection) in self.connections.primaries().await? {
            match connection {
                Ok(connection) => reachable.push((address, connection)),
                Err(error) => unreachable.push((address, error)),
            }
        }
        if reachable.is_empty() && !unreachable.is_empty() {
            return Err(unreachable.remove(0).1);
        }
        Ok((reachable, unreachable))
    }

    async fn sentinel_findings(&self, report: &mut StoreReport) {
        let Topology::Sentinel { primary, .. } = &self.config.topology else { return };
        let Some((views, repeated)) = self.connections.inspect_sentinels().await else { return };
        for (severity, advice) in sentinel_findings(&views, repeated, primary) {
            report.find(severity, "sentinels", advice);
        }
    }

    fn add_findings(
        &self,
        report: &mut StoreReport,
        address: &Address,
        info: &ServerValues,
        settings: Option<ServerValues>,
        ahead: i64,
    ) {
        let info = |name: &str| info.get(name).map_or("", String::as_str);
        version(report, address, info("redis_version"));
        clock(report, address, ahead);
        let Some(settings) = settings else {
            let advice = format!(
                "{address} does not allow reading its settings: check that maxmemory-policy is \
                 noeviction and appendonly is yes, or allow this user CONFIG GET"
            );
            report.find(Severity::Warning, "settings", advice);
            return;
        };
        let setting = |name: &str| settings.get(name).map_or("", String::as_str);
        eviction(report, address, setting("maxmemory"), setting("maxmemory-policy"));
        persistence(report, address, &setting);
        let replicas: u32 = info("connected_slaves").parse().unwrap_or_default();
        self.replicas(report, address, replicas, setting("min-replicas-to-write"));
    }

    fn replicas(&self, report: &mut StoreReport, address: &Address, count: u32, least: &str) {
        if count < self.config.wait {
            let advice = format!(
                "{address} has {count} replicas, but revocations wait for {}: add replicas or lower \
                 wait",
                self.config.wait
            );
            report.find(Severity::Fault, "wait", advice);
        }
        let standalone = matches!(self.config.topology, Topology::Standalone(_));
        match (count, least) {
            (0, _) if standalone => {
                let advice =
                    format!("{address} has no replica: no server takes over when it fails");
                report.find(Severity::Warning, "replicas", advice);
            }
            (_, "0" | "") => {
                let advice = format!(
                    "{address} accepts writes that no replica has: a primary that is cut off continues \
                     accepting them, and loses them when it comes back. Set min-replicas-to-write 1"
                );
                report.find(Severity::Warning, "min-replicas-to-write", advice);
            }
            (_, least) => {
                let advice =
                    format!("{address} has {count} replicas and needs at least {least} to write");
                report.find(Severity::Good, "replicas", advice);
            }
        }
    }
}

/// Whether the address still leads to the server that is used.
fn place(report: &mut StoreReport, address: &Address, state: AddressState) {
    let (severity, advice) = match state {
        AddressState::Unchecked => return,
        AddressState::Confirmed => (
            Severity::Good,
            format!("a new connection by {address} reaches the server that is used"),
        ),
        AddressState::Unknown => (
            Severity::Warning,
            format!(
                "{address} does not tell its run id: if the address comes to lead to another server, \
                 nodes continue with this one and miss what is revoked there. Allow this user INFO"
            ),
        ),
        AddressState::Moved => (
            Severity::Fault,
            format!(
                "{address} leads to another server than a moment ago, or the server was restarted: this \
                 node connects to it, and decides nothing by the former one"
            ),
        ),
        AddressState::Unreachable(error) => (
            Severity::Fault,
            format!(
                "no new connection by {address} shows which server is there ({error}): this node decides \
                 nothing until one does. Check maxclients and the network"
            ),
        ),
    };
    report.find(severity, "address", advice);
}

fn version(report: &mut StoreReport, address: &Address, version: &str) {
    match too_old(version) {
        Some(advice) => report.find(Severity::Fault, VERSION, format!("{address} {advice}")),
        None if version.is_empty() => {
            let advice = format!(
                "{address} does not report its version: check that it is 7.0 or later, or allow this \
                 user INFO"
            );
            report.find(Severity::Warning, VERSION, advice);
        }
        None => report.find(Severity::Good, VERSION, format!("{address} has version {version}")),
    }
}

fn clock(report: &mut StoreReport, address: &Address, ahead: i64) {
    let difference = ahead.unsigned_abs();
    let (severity, end) = if difference > MAX_CLOCK_DIFFERENCE_MS {
        (Severity::Warning, ": synchronize the clocks (NTP)")
    } else {
        (Severity::Good, "")
    };
    let direction = if ahead < 0 { "behind" } else { "ahead of" };
    let text = format!("{address} is {difference} ms {direction} this node{end}");
    report.find(severity, "clock", text);
}

fn eviction(report: &mut StoreReport, address: &Address, max_memory: &str, policy: &str) {
    if policy == "noeviction" {
        report.find(Severity::Good, "maxmemory-policy", format!("{address} evicts nothing"));
        return;
    }
    let advice = format!(
        "{address} may evict keys ({policy}): sessions end at random, and a lane that is evicted \
         refuses all its tokens. Set maxmemory-policy noeviction"
    );
    // Without a memory limit nothing is evicted, until a limit is set.
    let severity = if max_memory == "0" { Severity::Warning } else { Severity::Fault };
    report.find(severity, "maxmemory-policy", advice);
}

fn persistence<'a>(
    report: &mut StoreReport,
    address: &Address,
    setting: &impl Fn(&str) -> &'a str,
) {
    let (severity, advice) = match (setting("appendonly"), setting("save")) {
        ("yes", _) if setting("appendfsync") == "no" => (
            Severity::Fault,
            "leaves it to the operating system when its log is written to disk: a crash of the machine \
             loses acknowledged revocations. Set appendfsync everysec or always",
        ),
        ("yes", _) if setting("appendfsync") == "always" => {
            (Severity::Good, "logs each write to disk before it answers")
        }
        ("yes", _) => (
            Severity::Good,
            "logs its writes to disk each second. A crash of the machine loses the last one: set \
             appendfsync always if that is too much",
        ),
        (_, "") => (
            Severity::Fault,
            "keeps nothing on disk: a restart loses every token and every revocation. Set \
             appendonly yes",
        ),
        _ => (
            Severity::Fault,
            "keeps only snapshots: after a restart, tokens that were revoked after the last one are \
             active again. Set appendonly yes, and see docs/recovery.md",
        ),
    };
    report.find(severity, "persistence", format!("{address} {advice}"));
}

/// Returns the answer of a server, or `None` if it does not allow the command.
async fn ask(connection: &Connection, words: &[&str]) -> Result<Option<Value>, StoreError> {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    connection.ask(&command, TIMEOUT).await
}

fn values_of_info(text: &str) -> ServerValues {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    values.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn values_of_list(list: Value) -> ServerValues {
    let mut values = ServerValues::new();
    let Ok(parts) = Reply(list).array() else { return values };
    let mut parts = parts.into_iter().map(Reply::text);
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if let (Ok(name), Ok(value)) = (name, value) {
            values.insert(name, value);
        }
    }
    values
}
