//! Findings about the present state of a server: its role, its memory, its disk, and whether it accepts a
//! write.

use std::collections::HashMap;
use std::time::Duration;

use keyfob_store::{Severity, StoreReport};
use redis::Pipeline;

use crate::config::Address;
use crate::connections::{CallError, Connection};

/// Values that a server reports about itself, by name.
pub(super) type ServerValues = HashMap<String, String>;

/// The part of its memory limit, in percent, from which on a server is reported.
const MEMORY_WARNING_PERCENT: u64 = 90;

/// After this time the key of the test write is gone, also if it could not be deleted.
const TEST_KEY_LIFETIME: Duration = Duration::from_secs(1);

/// Adds what INFO says about role, memory and disk. Returns whether the server is a replica.
pub(super) fn add_findings(
    report: &mut StoreReport,
    address: &Address,
    info: &ServerValues,
) -> bool {
    let value = |name: &str| info.get(name).map_or("", String::as_str);
    memory(report, address, &value);
    disk(report, address, &value);
    role(report, address, &value)
}

fn role<'a>(report: &mut StoreReport, address: &Address, value: &impl Fn(&str) -> &'a str) -> bool {
    if value("role") != "slave" {
        if value("role") == "master" {
            report.find(Severity::Good, "role", format!("{address} is a primary"));
        }
        return false;
    }
    let primary = Address::new(value("master_host"), value("master_port").parse().unwrap_or(6379));
    let advice = match value("master_link_status") {
        "up" => format!(
            "{address} is a replica of {primary}, and a replica accepts no writes: use the address of the \
             primary"
        ),
        _ => format!(
            "{address} is a replica of {primary} and has had no link to it{}: it accepts no writes, and \
             what it holds may be old. Start the primary, or use the address of the server that took over",
            since(value("master_link_down_since_seconds"))
        ),
    };
    report.find(Severity::Fault, "role", advice);
    true
}

fn since(seconds: &str) -> String {
    // The server says -1 if there never was a link.
    seconds.parse::<u64>().map_or(String::new(), |seconds| format!(" for {seconds} s"))
}

fn memory<'a>(report: &mut StoreReport, address: &Address, value: &impl Fn(&str) -> &'a str) {
    let bytes = |name: &str| value(name).parse::<u64>().ok();
    let (Some(used), Some(limit @ 1..)) = (bytes("used_memory"), bytes("maxmemory")) else {
        return;
    };
    // The limit is not for the buffers of replicas and of the log.
    let used = used.saturating_sub(bytes("mem_not_counted_for_evict").unwrap_or_default());
    let evicts = !matches!(value("maxmemory_policy"), "noeviction" | "");
    let percent = u64::try_from(u128::from(used) * 100 / u128::from(limit)).unwrap_or(u64::MAX);
    let (severity, advice) = match percent {
        // What it evicts is a finding of its own.
        MEMORY_WARNING_PERCENT.. if evicts => (
            Severity::Warning,
            ", so it evicts keys. Raise maxmemory, and set maxmemory-policy noeviction",
        ),
        100.. => (
            Severity::Fault,
            ". It stores nothing new. Raise maxmemory, or remove data of other programs",
        ),
        MEMORY_WARNING_PERCENT.. => (
            Severity::Warning,
            ". When it is full, no token can be issued. Raise maxmemory, or remove data of other programs",
        ),
        _ => (Severity::Good, ""),
    };
    let limit_mib = limit.div_ceil(1024 * 1024);
    let text = format!("{address} uses {percent} % of its memory limit of {limit_mib} MiB{advice}");
    report.find(severity, "memory", text);
}

fn disk<'a>(report: &mut StoreReport, address: &Address, value: &impl Fn(&str) -> &'a str) {
    for (name, what) in
        [("aof_last_write_status", "write its log"), ("rdb_last_bgsave_status", "save a snapshot")]
    {
        if value(name) == "err" {
            let advice = format!(
                "{address} could not {what} the last time: free disk space, or allow it to write to its \
                 folder. Its log has the cause"
            );
            report.find(Severity::Fault, "disk", advice);
        }
    }
}

/// Writes a key and deletes it.
pub(super) async fn try_write(
    report: &mut StoreReport,
    address: &Address,
    connection: &Connection,
    key: &[u8],
    limit: Duration,
) {
    let mut commands = Pipeline::new();
    commands.cmd("SET").arg(key).arg("").arg("PX").arg(TEST_KEY_LIFETIME.as_millis() as u64);
    commands.cmd("DEL").arg(key);
    let written = match connection.send_all(&commands, limit).await {
        Ok(mut answers) => {
            answers.drain(..).try_for_each(|answer| connection.check(answer).map(drop))
        }
        Err(error) => Err(error),
    };
    let (severity, text) = match written.map_err(CallError::into_error) {
        Ok(()) => (Severity::Good, format!("{address} accepts writes")),
        Err(error) => (Severity::Fault, format!("a write failed: {error}")),
    };
    report.find(severity, "write", text);
}

#[cfg(test)]
mod tests {
    use keyfob_store::Timestamp;

    use super::*;

    /// Returns the severity and the advice about `what`.
    fn found(info: &[(&str, &str)], what: &str) -> Option<(Severity, String)> {
        let info = info.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        let mut report = StoreReport::new("it", Timestamp::from_millis(0));
        add_findings(&mut report, &Address::new("h", 1), &info.collect());
        let finding = report.findings.into_iter().find(|finding| finding.what == what)?;
        Some((finding.severity, finding.advice))
    }

    #[test]
    fn memory_is_judged_by_its_limit() {
        let severity = |used, limit| {
            found(&[("used_memory", used), ("maxmemory", limit)], "memory").map(|found| found.0)
        };
        assert_eq!(severity("100", "0"), None, "there is no limit");
        assert_eq!(severity("", "100"), None);
        assert_eq!(severity("89", "100"), Some(Severity::Good));
        assert_eq!(severity("90", "100"), Some(Severity::Warning));
        assert_eq!(severity("100", "100"), Some(Severity::Fault));
        assert_eq!(severity("18446744073709551615", "1"), Some(Severity::Fault));
        let with = |more| {
            let full = [("used_memory", "120"), ("maxmemory", "100"), more];
            found(&full, "memory").unwrap()
        };
        assert_eq!(with(("mem_not_counted_for_evict", "40")).0, Severity::Good);
        assert_eq!(with(("mem_not_counted_for_evict", "20")).0, Severity::Fault);
        assert_eq!(with(("maxmemory_policy", "noeviction")).0, Severity::Fault);
        let (severity, advice) = with(("maxmemory_policy", "allkeys-lru"));
        assert_eq!(severity, Severity::Warning);
        assert!(advice.contains("so it evicts keys"), "{advice}");
    }

    #[test]
    fn a_replica_is_a_fault() {
        let replica = [("role", "slave"), ("master_host", "p"), ("master_port", "7")];
        let with = |more: &[(&'static str, &'static str)]| {
            found(&[&replica[..], more].concat(), "role").unwrap()
        };
        let (severity, advice) = with(&[("master_link_status", "up")]);
        assert_eq!(severity, Severity::Fault);
        assert!(advice.starts_with("h:1 is a replica of p:7, and"), "{advice}");
        let down = ("master_link_status", "down");
        let (_, advice) = with(&[down, ("master_link_down_since_seconds", "12")]);
        assert!(advice.contains("no link to it for 12 s"), "{advice}");
        let (_, advice) = with(&[down, ("master_link_down_since_seconds", "-1")]);
        assert!(advice.contains("no link to it: it accepts"), "{advice}");
        assert_eq!(found(&[("role", "master")], "role").unwrap().0, Severity::Good);
        assert_eq!(found(&[], "role"), None, "the user may not run INFO");
    }

    #[test]
    fn a_failed_write_to_disk_is_a_fault() {
        for name in ["aof_last_write_status", "rdb_last_bgsave_status"] {
            assert_eq!(found(&[(name, "ok")], "disk"), None);
            assert_eq!(found(&[(name, "err")], "disk").unwrap().0, Severity::Fault);
        }
    }
}
