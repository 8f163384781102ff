//! What `doctor` wants to know: whether the servers keep what they acknowledge.

use std::collections::HashMap;
use std::time::Duration;

use keyfob_store::{Severity, StoreError, StoreReport, Timestamp};
use redis::Value;

use super::shared::Shared;
use crate::config::{Address, Topology, misconfigured};
use crate::net::{Link, Reply, too_old};

const PATIENCE: Duration = Duration::from_secs(2);

/// By how much the clocks may differ before it matters to the order of ids.
const CLOCKS_APART: u64 = 2_000;

/// What the finding about a server's version is called.
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

/// Settings of a server, as far as it tells them.
type StateInputs = HashMap<String, String>;

impl Shared {
    /// Says in the log what is wrong with the servers, when the store is opened.
    pub(super) async fn check_servers(&self) -> Result<(), StoreError> {
        let report = match self.report().await {
            Ok(report) => report,
            Err(error) => {
                tracing::warn!(%error, "the settings of the servers could not be looked at");
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
        let links = self.net.primaries().await?;
        let ahead = links.first().map_or(0, |(_, link)| link.ahead());
        let now = self.now().as_millis().saturating_add_signed(ahead);
        let mut report = StoreReport::new(self.config.to_string(), Timestamp::from_millis(now));
        for (address, link) in links {
            let info = ask(&link, &["INFO"]).await?;
            let info = match info {
                Some(Value::BulkString(text)) => facts_of_info(&String::from_utf8_lossy(&text)),
                _ => StateInputs::new(),
            };
            let settings = ask(&link, &SETTINGS).await?;
            self.judge(&mut report, &address, &info, settings.map(facts_of_list), link.ahead());
        }
        Ok(report)
    }

    fn judge(
        &self,
        report: &mut StoreReport,
        address: &Address,
        info: &StateInputs,
        settings: Option<StateInputs>,
        ahead: i64,
    ) {
        let info = |name: &str| info.get(name).map_or("", String::as_str);
        version(report, address, info("redis_version"));
        clock(report, address, ahead);
        let Some(settings) = settings else {
            let advice = format!(
                "{address} does not tell its settings: see to it yourself that maxmemory-policy is \
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
                "{address} has {count} replicas, and revocations wait for {}: add replicas or lower \
                 wait",
                self.config.wait
            );
            report.find(Severity::Fault, "wait", advice);
        }
        let standalone = matches!(self.config.topology, Topology::Standalone(_));
        match (count, least) {
            (0, _) if standalone => {
                let advice = format!("{address} has no replica: nothing takes over when it fails");
                report.find(Severity::Warning, "replicas", advice);
            }
            (_, "0" | "") => {
                let advice = format!(
                    "{address} takes writes that no replica has: a primary that is cut off goes on \
                     taking them, and loses them when it comes back. Set min-replicas-to-write 1"
                );
                report.find(Severity::Warning, "min-replicas-to-write", advice);
            }
            (_, least) => {
                let advice =
                    format!("{address} has {count} replicas and writes to at least {least}");
                report.find(Severity::Good, "replicas", advice);
            }
        }
    }
}

fn version(report: &mut StoreReport, address: &Address, version: &str) {
    match too_old(version) {
        Some(advice) => report.find(Severity::Fault, VERSION, format!("{address} {advice}")),
        None if version.is_empty() => {
            let advice = format!(
                "{address} does not tell its version: see to it yourself that it is 7.0 or later, or \
                 allow this user INFO"
            );
            report.find(Severity::Warning, VERSION, advice);
        }
        None => report.find(Severity::Good, VERSION, format!("{address} speaks version {version}")),
    }
}

fn clock(report: &mut StoreReport, address: &Address, ahead: i64) {
    let apart = ahead.unsigned_abs();
    let (severity, end) = if apart > CLOCKS_APART {
        (Severity::Warning, ": set the clocks right (NTP)")
    } else {
        (Severity::Good, "")
    };
    let way = if ahead < 0 { "behind" } else { "ahead of" };
    report.find(severity, "clock", format!("{address} is {apart} ms {way} this node{end}"));
}

fn eviction(report: &mut StoreReport, address: &Address, most: &str, policy: &str) {
    if policy == "noeviction" {
        report.find(Severity::Good, "maxmemory-policy", format!("{address} evicts nothing"));
        return;
    }
    let advice = format!(
        "{address} may evict keys ({policy}): sessions end at random, and a lane that is evicted \
         refuses all its tokens. Set maxmemory-policy noeviction"
    );
    // Without a limit it never comes to that, until somebody sets one.
    let severity = if most == "0" { Severity::Warning } else { Severity::Fault };
    report.find(severity, "maxmemory-policy", advice);
}

fn persistence<'a>(
    report: &mut StoreReport,
    address: &Address,
    setting: &impl Fn(&str) -> &'a str,
) {
    let (severity, advice) = match (setting("appendonly"), setting("save")) {
        ("yes", _) if setting("appendfsync") == "no" => (
            Severity::Warning,
            "writes its log when the system pleases: set appendfsync everysec or always",
        ),
        ("yes", _) => (Severity::Good, "keeps a log of its writes"),
        (_, "") => (
            Severity::Fault,
            "keeps nothing on disk: a restart loses every token and every revocation. Set \
             appendonly yes",
        ),
        _ => (
            Severity::Warning,
            "keeps snapshots only: a restart loses what came after the last, revocations too. Set \
             appendonly yes",
        ),
    };
    report.find(severity, "persistence", format!("{address} {advice}"));
}

/// What a server answers; nothing where it does not let us ask.
async fn ask(link: &Link, words: &[&str]) -> Result<Option<Value>, StoreError> {
    let mut command = redis::Cmd::new();
    for word in words {
        command.arg(*word);
    }
    link.ask(&command, PATIENCE).await
}

fn facts_of_info(text: &str) -> StateInputs {
    let facts = text.lines().filter_map(|line| line.split_once(':'));
    facts.map(|(name, value)| (name.to_owned(), value.trim().to_owned())).collect()
}

fn facts_of_list(list: Value) -> StateInputs {
    let mut facts = StateInputs::new();
    let Ok(parts) = Reply(list).array() else { return facts };
    let mut parts = parts.into_iter().map(Reply::text);
    while let (Some(name), Some(value)) = (parts.next(), parts.next()) {
        if let (Ok(name), Ok(value)) = (name, value) {
            facts.insert(name, value);
        }
    }
    facts
}
