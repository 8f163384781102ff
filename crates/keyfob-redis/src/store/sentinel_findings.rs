//! What the report says about the sentinels: whether those that are listed are all that there are.

use std::collections::{BTreeMap, BTreeSet};

use keyfob_store::Severity;

use crate::config::Address;
use crate::connections::SentinelView;

/// Returns the findings about the listed sentinels. `repeated` are addresses that are listed twice, and
/// `primary` is the name of the primary in their settings.
pub(super) fn sentinel_findings(
    views: &[SentinelView],
    repeated: &[Address],
    primary: &str,
) -> Vec<(Severity, String)> {
    let mut findings: Vec<_> = views.iter().filter_map(|view| unusable(view, primary)).collect();
    for address in repeated {
        let advice =
            format!("the sentinel {address} is listed twice: it counts once. List each once");
        findings.push((Severity::Warning, advice));
    }
    findings.extend(same_runs(views));
    findings.extend(unlisted(views));
    findings.extend(different_names(views));
    if findings.is_empty() {
        let advice = format!("all {} sentinels of '{primary}' are listed and answer", views.len());
        findings.push((Severity::Good, advice));
    }
    findings
}

fn unusable(view: &SentinelView, primary: &str) -> Option<(Severity, String)> {
    let listed = &view.listed;
    match &view.named {
        Ok(Some(_)) => None,
        Ok(None) => Some((
            Severity::Fault,
            format!(
                "the sentinel {listed} knows no primary '{primary}': correct the name or the list"
            ),
        )),
        Err(error) => Some((
            Severity::Warning,
            format!(
                "the sentinel {listed} does not answer ({error}): without more than half of those that \
                 are listed, nothing is decided. Start it, or remove it from the list"
            ),
        )),
    }
}

/// Addresses that lead to the same sentinel. Both families of one name are no finding.
fn same_runs(views: &[SentinelView]) -> Vec<(Severity, String)> {
    let mut by_run: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for view in views {
        if let Some(run) = &view.run {
            let name = view.listed.split(' ').next().unwrap_or_default();
            by_run.entry(run).or_default().insert(name);
        }
    }
    let several = by_run.into_values().filter(|names| names.len() > 1);
    several
        .map(|names| {
            let names: Vec<_> = names.into_iter().collect();
            let advice = format!(
                "{} are the same sentinel: it counts once. List each once",
                names.join(" and ")
            );
            (Severity::Warning, advice)
        })
        .collect()
}

/// Sentinels that the listed ones know.
fn unlisted(views: &[SentinelView]) -> Option<(Severity, String)> {
    let listed: BTreeSet<_> = views.iter().filter_map(|view| view.run.as_deref()).collect();
    let addresses: BTreeSet<_> = views.iter().map(|view| view.listed.as_str()).collect();
    let is_listed = |address: &str, run: &str| {
        listed.contains(run)
            || addresses
                .iter()
                .any(|listed| *listed == address || listed.ends_with(&format!("({address})")))
    };
    let known = views.iter().flat_map(|view| &view.knows);
    let missing: BTreeSet<_> = known
        .filter(|(address, run)| !is_listed(address, run))
        .map(|(address, _)| address.as_str())
        .collect();
    if missing.is_empty() {
        return None;
    }
    let missing: Vec<_> = missing.into_iter().collect();
    let advice = format!(
        "the sentinels know others that are not listed: {}. More than half of those that are listed decide \
         which server is the primary, so list all. If they are gone for good, run SENTINEL RESET",
        missing.join(", ")
    );
    Some((Severity::Warning, advice))
}

fn different_names(views: &[SentinelView]) -> Option<(Severity, String)> {
    let named = views.iter().filter_map(|view| view.named.as_ref().ok()?.as_ref());
    let names: BTreeSet<_> = named.map(Address::to_string).collect();
    if names.len() < 2 {
        return None;
    }
    let names: Vec<_> = names.into_iter().collect();
    let advice = format!(
        "the sentinels call the primary {}: unless a failover is in progress, set announce-hostnames and \
         resolve-hostnames alike on all. Each question costs look-ups of these names until then",
        names.join(" and ")
    );
    Some((Severity::Warning, advice))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn view(listed: &str, run: &str, knows: &[(&str, &str)]) -> SentinelView {
        let owned = |(address, run): &(&str, &str)| ((*address).to_owned(), (*run).to_owned());
        SentinelView {
            listed: listed.to_owned(),
            run: Some(run.to_owned()),
            named: Ok(Some(Address::new("10.0.0.9", 6379))),
            knows: knows.iter().map(owned).collect(),
        }
    }

    fn found(views: &[SentinelView], repeated: &[Address]) -> Vec<(Severity, String)> {
        sentinel_findings(views, repeated, "main")
    }

    fn only(views: &[SentinelView], severity: Severity, words: &[&str]) {
        let found = found(views, &[]);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].0, severity, "{found:?}");
        assert!(words.iter().all(|words| found[0].1.contains(words)), "{found:?}");
    }

    #[test]
    fn the_listed_sentinels_are_compared_with_those_that_they_know() {
        let (a, b, c) = (("10.0.0.1:1", "a"), ("10.0.0.2:1", "b"), ("10.0.0.3:1", "c"));
        let all = [
            view(a.0, "a", &[b, c]),
            view(b.0, "b", &[a, c]),
            view("s3:1 (10.0.0.3:1)", "c", &[a, b]),
        ];
        only(&all, Severity::Good, &["all 3 sentinels of 'main'"]);
        only(&all[..2], Severity::Warning, &["not listed: 10.0.0.3:1", "list all"]);
        // Behind another address, as with port forwarding, the run tells.
        only(&[view("proxy:7", "a", &[]), view(b.0, "b", &[a])], Severity::Good, &["all 2"]);
    }

    #[test]
    fn repetitions_silence_and_other_names_are_found() {
        let a = ("10.0.0.1:1", "a");
        only(
            &[view(a.0, "a", &[]), view("s1:1 (192.0.2.1:1)", "a", &[])],
            Severity::Warning,
            &["10.0.0.1:1 and s1:1 are the same sentinel"],
        );
        let both = [view("s1:1 ([::1]:1)", "a", &[]), view("s1:1 (127.0.0.1:1)", "a", &[])];
        only(&both, Severity::Good, &[]);
        let twice = found(&[view(a.0, "a", &[])], &[Address::new("10.0.0.1", 1)]);
        assert!(twice[0].1.contains("10.0.0.1:1 is listed twice"), "{twice:?}");
        let mut silent = view(a.0, "a", &[]);
        silent.named = Err("refused".to_owned());
        only(&[silent], Severity::Warning, &["10.0.0.1:1 does not answer (refused)"]);
        let mut ignorant = view(a.0, "a", &[]);
        ignorant.named = Ok(None);
        only(&[ignorant], Severity::Fault, &["knows no primary 'main'"]);
        let mut by_name = view("10.0.0.2:1", "b", &[]);
        by_name.named = Ok(Some(Address::new("redis", 6379)));
        only(
            &[view(a.0, "a", &[]), by_name],
            Severity::Warning,
            &["call the primary 10.0.0.9:6379 and redis:6379"],
        );
    }
}
