//! Values of keyfob as bodies of the API and back, for the routes of `/v1` and for the command line.

use std::collections::BTreeMap;
use std::time::Duration;

use keyfob::limit::LimitStatus;
use keyfob::rotation::RefreshCase;
#[cfg(feature = "seal")]
use keyfob::seal::{KeyInfo, KeyState, KeyVersion};
use keyfob::stats::{CountedClient, StateCounts, Stats};
use keyfob::store::{Finding, Lane, Severity, StoreReport};
use keyfob::token::Confirmation;
use keyfob::{
    DeviceId, Error, Leaked, Presentation, RefreshRequest, Refusal, Timestamp, Token, TokenManager,
    TokenState, Ttl,
};
use keyfob_api::validate::ProvenKey;
use keyfob_api::{
    ClientStats, DoctorBody, FindingBody, LeakOutcome, LimitStatusBody, RefreshBody, RefreshedCase,
    RefusalBody, SecretText, StatsBody,
};
#[cfg(feature = "seal")]
use keyfob_api::{KeyBody, KeyUse, KeysBody};

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

/// Returns the body of a report. A server says its max staleness too; the command line, which keeps no tokens,
/// has none.
pub fn doctor(
    report: StoreReport,
    node_time: Timestamp,
    max_staleness: Option<Duration>,
) -> DoctorBody {
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
    let max_staleness_ms = max_staleness.and_then(|it| u64::try_from(it.as_millis()).ok());
    DoctorBody { ok, store, store_time, node_time, max_staleness_ms, findings }
}

/// Returns how a bearer is presented, by the members of a body.
pub fn presentation<'a>(
    bearer: &'a SecretText,
    device: Option<&'a DeviceId>,
    confirmation: Option<&'a Confirmation>,
) -> Presentation<'a> {
    presentation_of(bearer.expose(), device, confirmation)
}

/// Returns how the text of a bearer is presented, by the members of a body.
pub(crate) fn presentation_of<'a>(
    bearer: &'a str,
    device: Option<&'a DeviceId>,
    confirmation: Option<&'a Confirmation>,
) -> Presentation<'a> {
    let presented = Presentation::new(bearer);
    let presented = device.into_iter().fold(presented, Presentation::device);
    confirmation.into_iter().fold(presented, Presentation::confirmation)
}

/// Returns the key whose possession the caller has checked.
pub fn confirmation(proven: &ProvenKey) -> Confirmation {
    match proven {
        ProvenKey::Jkt(thumbprint) => Confirmation::Jkt(thumbprint.clone()),
        ProvenKey::CertificateThumbprint(thumbprint) => {
            Confirmation::CertificateThumbprint(thumbprint.clone())
        }
    }
}

/// Returns the body of a refusal.
pub fn refusal(refusal: &Refusal) -> RefusalBody {
    RefusalBody { code: refusal.code().to_owned(), message: refusal.to_string() }
}

/// Returns the request for a refresh from its body.
pub fn refresh_request(wanted: &RefreshBody) -> RefreshRequest {
    let mut request = RefreshRequest::new();
    request = wanted.scopes.iter().cloned().fold(request, RefreshRequest::scope);
    request = wanted.audience.iter().cloned().fold(request, RefreshRequest::audience);
    request = wanted.access_ttl.into_iter().fold(request, RefreshRequest::access_ttl);
    wanted.client.iter().cloned().fold(request, RefreshRequest::client)
}

/// Returns the status of a limit. Times are in milliseconds; 0 means no wait.
pub fn limit_status(status: &LimitStatus) -> LimitStatusBody {
    let millis = |time: Option<Ttl>| time.map_or(0, Ttl::as_millis);
    LimitStatusBody {
        policy: status.name().to_string(),
        by: status.policy().by().as_str().to_owned(),
        limit: status.limit,
        remaining: status.remaining,
        reset_after_ms: millis(status.reset_after),
        retry_after_ms: millis(status.retry_after),
    }
}

/// Returns the body of keys: those of a ring, with the number of records under each if they were counted.
#[cfg(feature = "seal")]
pub fn keys(
    infos: impl IntoIterator<Item = KeyInfo>,
    counts: Option<&BTreeMap<KeyVersion, u64>>,
) -> KeysBody {
    let records = |key: KeyVersion| counts.map(|counts| counts.get(&key).copied().unwrap_or(0));
    let of_ring = infos.into_iter().map(|info| KeyBody {
        version: info.number.value(),
        state: match info.state {
            KeyState::Active => KeyUse::Active,
            KeyState::Reading => KeyUse::Reading,
            KeyState::Retired => KeyUse::Retired,
        },
        created: info.created,
        terms: info.terms,
        records: records(info.number),
    });
    let mut keys: Vec<_> = of_ring.collect();
    for (key, records) in counts.into_iter().flatten() {
        let version = key.value();
        if keys.iter().any(|known| known.version == version) {
            continue;
        }
        let (state, created, terms) = (KeyUse::Missing, None, None);
        keys.push(KeyBody { version, state, created, terms, records: Some(*records) });
    }
    KeysBody { keys }
}

/// Returns which of the two ways a refresh succeeded.
pub const fn refreshed_case(case: RefreshCase) -> RefreshedCase {
    match case {
        RefreshCase::Replayed => RefreshedCase::Replayed,
        _ => RefreshedCase::Rotated,
    }
}

/// Returns the numbers of lanes.
pub fn lanes(lanes: &[Lane]) -> Vec<u16> {
    lanes.iter().map(|lane| lane.number()).collect()
}

/// Returns what was done about a text that was found, and its token.
pub fn leak_outcome(leaked: &Leaked) -> (LeakOutcome, Option<&Token>) {
    match leaked {
        Leaked::NotOurs => (LeakOutcome::NotOurs, None),
        Leaked::Revoked(token) => (LeakOutcome::Revoked, Some(token)),
        Leaked::AlreadyRevoked(token) => (LeakOutcome::AlreadyRevoked, Some(token)),
        Leaked::Replaced(token) => (LeakOutcome::Replaced, Some(token)),
    }
}
