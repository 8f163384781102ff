//! The counters of a metrics page in the text format of Prometheus.

use std::collections::BTreeMap;

/// The metrics that the overview shows. Others are not kept.
const WATCHED: [&str; 6] = [
    "keyfob_validations_total",
    "keyfob_revocations_total",
    "keyfob_refreshes_total",
    "keyfob_cache_lookups_total",
    "keyfob_feed_lanes",
    "keyfob_feed_confirmed_age_seconds",
];

/// The values at one moment, by metric and by the value of its first label: others are summed up.
#[derive(Clone, PartialEq, Debug, Default)]
pub(crate) struct Sample(BTreeMap<(&'static str, String), f64>);

impl Sample {
    /// Reads a page. Lines that are not understood are left out.
    pub(crate) fn parse(page: &str) -> Self {
        let mut values = BTreeMap::new();
        for (series, value) in page.lines().filter_map(line) {
            *values.entry(series).or_default() += value;
        }
        Self(values)
    }

    /// Returns a value; 0 if there is none.
    pub(crate) fn value(&self, metric: &str, label: &str) -> f64 {
        let found = self.of(metric).find(|(known, _)| *known == label);
        found.map_or(0.0, |(_, value)| value)
    }

    /// Returns the values of a metric by the value of its label.
    pub(crate) fn of(&self, metric: &str) -> impl Iterator<Item = (&str, f64)> {
        let series = self.0.iter().filter(move |((name, _), _)| *name == metric);
        series.map(|((_, label), value)| (label.as_str(), *value))
    }
}

fn line(line: &str) -> Option<((&'static str, String), f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = series.split_once('{').unwrap_or((series, ""));
    let name = WATCHED.into_iter().find(|watched| *watched == name)?;
    // The first label is the one that matters, and its values are fixed words.
    let label = labels.split('"').nth(1).unwrap_or_default();
    Some(((name, label.to_owned()), value.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn watched_series_are_read() {
        let page = "# HELP keyfob_validations_total x\n# TYPE keyfob_validations_total counter\n\
                    keyfob_validations_total{outcome=\"active\",kind=\"access\"} 5\n\
                    keyfob_validations_total{outcome=\"active\",kind=\"session\"} 7\n\
                    keyfob_validations_total{outcome=\"token_revoked\"} 3\n\
                    keyfob_feed_confirmed_age_seconds 0.25\nother_total{a=\"b\"} 1\nnonsense\n";
        let sample = Sample::parse(page);
        assert_eq!(sample.value("keyfob_validations_total", "active"), 12.0);
        assert_eq!(sample.value("keyfob_validations_total", "token_revoked"), 3.0);
        assert_eq!(sample.value("keyfob_feed_confirmed_age_seconds", ""), 0.25);
        assert_eq!(sample.value("other_total", "b"), 0.0);
        assert_eq!(sample.of("keyfob_validations_total").count(), 2);
    }
}
