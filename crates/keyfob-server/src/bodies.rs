//! Values of keyfob as bodies of the API, for the routes of `/v1` and for the command line.

use std::collections::BTreeMap;

use keyfob::stats::{CountedClient, StateCounts, Stats};
use keyfob::store::{Finding, Lane, Severity, StoreReport};

use keyfob::{Error, Timestamp, TokenManager, TokenState};
use keyfob_api::{ClientStats, DoctorBody, FindingBody, StatsBody};

/// Returns the body of statistics from the counts that the store keeps.
pub fn stats(stats: &Stats) -> StatsBody {
    let clients = stats.by_client.iter().map(|of| {
        let (client, digest) = match &of.client {
            CountedClient::None => (None, None),
            CountedClient::Known(client) => (Some(client.to_string()), None),
            CountedClient::Unknown(field) => {
                (None, Some(format!("{:016x}", u64::from_be_bytes(*field.as_bytes()))))
            }
        };
        ClientStats { client, digest, counts: counts(&of.counts) }
    });
    let kinds = stats.by_kind.iter();
    StatsBody {
        exact: false,
        total: stats.total().total(),
        by_state: counts(&stats.total()),
        by_kind: kinds.map(|(kind, of)| (kind.as_str().to_owned(), counts(of))).collect(),
        by_client: clients.collect(),
        unsure: Some(stats.unsure),
        missing_lanes: lanes(&stats.missing_lanes),
    }
}

fn counts(counts: &StateCounts) -> BTreeMap<String, u64> {
    let states = TokenState::ALL.into_iter();
    states.filter_map(|state| Some((state.as_str().to_owned(), counts.of(state)?))).collect()
}

/// Returns the report of the store with what the node adds, and the time of the node.
///
/// # Errors
/// Those of [`TokenManager::report`].
pub async fn report(manager: &TokenManager) -> Result<(StoreReport, Timestamp), Error> {
    let before = manager.now();
    let mut report = manager.report().await?;
    let after = manager.now();
    report.compare_clocks(before, after);
    let prefix = manager.prefix();
    let advice = format!("bearers start with {prefix}. Bearers with another prefix are refused");
    report.find(Severity::Good, "prefix", advice);
    Ok((report, after))
}

/// Returns the body of a report.
pub fn doctor(report: StoreReport, node_time: Timestamp) -> DoctorBody {
    let ok = report.is_ready();
    let findings = report.findings.into_iter().map(|Finding { severity, what, advice }| {
        let severity = match severity {
            Severity::Fault => "fault",
            Severity::Warning => "warning",
            Severity::Good => "good",
        };
        FindingBody { severity: severity.to_owned(), what, advice }
    });
    let findings = findings.collect();
    let (store, store_time) = (report.description, report.now);
    DoctorBody { ok, store, store_time, node_time, findings }
}

/// Returns the numbers of lanes.
pub fn lanes(lanes: &[Lane]) -> Vec<u16> {
    lanes.iter().map(|lane| lane.number()).collect()
}
