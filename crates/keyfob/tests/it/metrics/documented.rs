//! Compares the documentation of metrics with the list in the code: the page, the dashboard and the
//! alert rules.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use keyfob::Metrics;
use keyfob::metrics::{HttpMetrics, MetricInfo, MetricType};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    std::fs::read_to_string(root.join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// Returns the facts about the metrics of managers and of servers.
fn catalog() -> Vec<MetricInfo> {
    let mut all = Metrics::catalog();
    all.extend(HttpMetrics::catalog());
    all
}

/// Returns the first cells of the row of a metric on the page: name, type, labels with their
/// values.
fn row(metric: &MetricInfo) -> String {
    let label = |label: &keyfob::metrics::LabelInfo| {
        format!("`{}`: {}", label.name, label.values.join(", "))
    };
    let labels: Vec<_> = metric.labels.iter().map(label).collect();
    let labels = if labels.is_empty() { "none".to_owned() } else { labels.join("; ") };
    format!("| `{}` | {} | {labels} |", metric.name, metric.kind.as_str())
}

#[test]
fn the_page_has_every_metric_as_it_is() {
    let page = read("docs/metrics.md");
    let rows: BTreeSet<_> = page.lines().filter(|line| line.starts_with("| `keyfob_")).collect();
    let expected: Vec<_> = catalog().iter().map(row).collect();
    let missing: Vec<_> = expected
        .iter()
        .filter(|expected| !rows.iter().any(|row| row.starts_with(expected.as_str())))
        .collect();
    assert!(missing.is_empty(), "docs/metrics.md lacks rows that begin with:\n{missing:#?}");
    assert_eq!(rows.len(), expected.len(), "docs/metrics.md has a row for an unknown metric");
}

#[test]
fn names_follow_the_conventions() {
    for metric in catalog() {
        let is_counter = metric.kind == MetricType::Counter;
        assert!(metric.name.starts_with("keyfob_"), "{}", metric.name);
        assert_eq!(metric.name.ends_with("_total"), is_counter, "{}", metric.name);
        assert!(metric.kind != MetricType::Histogram || metric.name.ends_with("_seconds"));
        assert!(metric.help.ends_with('.'), "{}", metric.name);
    }
}

/// The label selectors of a query for one metric: label, operator, value.
type Selected = Vec<(String, String, String)>;

/// Returns every metric name in a text, with its label selectors.
fn names(text: &str) -> Vec<(String, Selected)> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let mut found = Vec::new();
    for (start, _) in text.match_indices("keyfob_") {
        if text[..start].chars().next_back().is_some_and(is_word) {
            continue;
        }
        let rest = &text[start..];
        let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
        let (name, rest) = rest.split_at(end);
        let selected = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'));
        let selected = selected.map(|(selected, _)| selectors(selected)).unwrap_or_default();
        found.push((name.to_owned(), selected));
    }
    found
}

fn selectors(text: &str) -> Selected {
    let one = |part: &str| {
        let operator = ["=~", "!~", "!=", "="].into_iter().find(|op| part.contains(op))?;
        let (label, value) = part.split_once(operator)?;
        let value = value.trim().replace('\\', "");
        Some((label.trim().to_owned(), operator.to_owned(), value.trim_matches('"').to_owned()))
    };
    text.split(',').filter_map(one).collect()
}

/// Returns the errors in the names and selectors of a text.
fn faults(text: &str) -> Vec<String> {
    let mut known = BTreeMap::new();
    for metric in catalog() {
        let suffixes: &[&str] = match metric.kind {
            MetricType::Histogram => &["_bucket", "_sum", "_count"],
            MetricType::Counter | MetricType::Gauge => &[""],
        };
        for suffix in suffixes {
            known.insert(format!("{}{suffix}", metric.name), metric.clone());
        }
    }
    let mut faults = Vec::new();
    for (name, selected) in names(text) {
        // The series is recorded by another rule.
        if name.contains(':') {
            continue;
        }
        let Some(metric) = known.get(&name) else {
            faults.push(format!("there is no metric {name}"));
            continue;
        };
        for (label, operator, value) in selected {
            if ELSEWHERE.contains(&label.as_str()) {
                continue;
            }
            let Some(info) = metric.labels.iter().find(|info| info.name == label) else {
                faults.push(format!("{name} has no label {label}"));
                continue;
            };
            let values: Vec<_> =
                if operator.contains('~') { value.split('|').collect() } else { vec![&*value] };
            // A variable of the dashboard has only existing values.
            let values = values.into_iter().filter(|value| !value.starts_with('$'));
            let strange = values.filter(|value| !info.values.contains(value));
            faults.extend(strange.map(|value| format!("{name}: {label} is never {value}")));
        }
    }
    let labels: BTreeSet<_> =
        known.values().flat_map(|metric| &metric.labels).map(|info| info.name).collect();
    for (start, by) in text.match_indices(" by (") {
        let grouped = text[start + by.len()..].split(')').next().unwrap_or_default();
        let strange = grouped
            .split(", ")
            .filter(|label| !labels.contains(label) && !ELSEWHERE.contains(label));
        faults.extend(strange.map(|label| format!("nothing has a label {label}")));
    }
    faults
}

/// Labels that keyfob does not define.
const ELSEWHERE: [&str; 4] = ["job", "instance", "le", "alertname"];

#[test]
fn the_rules_and_the_dashboard_use_only_existing_metrics() {
    for path in ["packaging/prometheus/alerts.yml", "packaging/grafana/keyfob.json"] {
        let text = read(path);
        assert!(names(&text).len() > 20, "{path} names few metrics: is it parsed correctly?");
        assert_eq!(faults(&text), Vec::<String>::new(), "{path}");
    }
}

#[test]
fn a_wrong_name_or_label_is_found() {
    let fine = r#"rate(keyfob_store_call_seconds_bucket{method=~"load|insert", le="1"}[5m])"#;
    assert_eq!(faults(fine), Vec::<String>::new());
    for wrong in [
        "keyfob_nothing_total",
        "keyfob_store_call_seconds",
        r#"keyfob_store_calls_total{method="delete"}"#,
        r#"keyfob_store_calls_total{method=~\"load|delete\"}"#,
        r#"keyfob_store_calls_total{subject="user123"}"#,
        "sum by (client) (keyfob_cache_entries)",
    ] {
        assert_eq!(faults(wrong).len(), 1, "{wrong}");
    }
}

#[test]
fn every_alert_has_a_runbook_on_the_page() {
    let (page, rules) = (read("docs/metrics.md"), read("packaging/prometheus/alerts.yml"));
    let alerts: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("- alert: ")).collect();
    assert!(alerts.len() > 10);
    for alert in alerts {
        assert!(
            page.contains(&format!("\n### {alert}\n")),
            "docs/metrics.md says nothing of {alert}"
        );
        let anchor = format!("docs/metrics.md#{}", alert.to_lowercase());
        assert!(rules.contains(&anchor), "{alert} does not point to its runbook");
    }
}
