//! Samples of one hour, and what they say by minute.

use std::collections::{BTreeMap, VecDeque};

use keyfob_core::Timestamp;

use super::Sample;

const MINUTE_MS: u64 = 60_000;
/// How many minutes are shown.
const MINUTES: usize = 60;

/// The samples of the last hour, the oldest first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Window {
    samples: VecDeque<(Timestamp, Sample)>,
}

/// How often something happened in each minute, the oldest first. The last minute is the one that runs.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct PerMinute {
    pub(crate) counts: Vec<u64>,
    /// When the first of these minutes begins.
    pub(crate) start: Timestamp,
}

impl Window {
    pub(crate) fn push(&mut self, now: Timestamp, sample: Sample) {
        let oldest = now.as_millis().saturating_sub((MINUTES as u64 + 1) * MINUTE_MS);
        while self.samples.front().is_some_and(|(at, _)| at.as_millis() < oldest) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, sample));
    }

    /// Returns since when there are samples.
    pub(crate) fn since(&self) -> Option<Timestamp> {
        self.samples.front().map(|(at, _)| *at)
    }

    /// Returns the last sample.
    pub(crate) fn last(&self) -> Option<&Sample> {
        self.samples.back().map(|(_, sample)| sample)
    }

    /// Returns how often something happened in each of the last sixty minutes. `count` reads its counter.
    pub(crate) fn per_minute(&self, now: Timestamp, count: impl Fn(&Sample) -> f64) -> PerMinute {
        let this_minute = now.as_millis() / MINUTE_MS;
        let first = this_minute.saturating_sub(MINUTES as u64 - 1);
        let mut counts = vec![0; MINUTES];
        for ((_, before), (at, sample)) in self.samples.iter().zip(self.samples.iter().skip(1)) {
            let Some(minute) = (at.as_millis() / MINUTE_MS).checked_sub(first) else { continue };
            // A counter that goes back belongs to a process that began again.
            let increase = (count(sample) - count(before)).max(0.0);
            if let Some(slot) =
                usize::try_from(minute).ok().and_then(|minute| counts.get_mut(minute))
            {
                *slot += increase as u64;
            }
        }
        PerMinute { counts, start: Timestamp::from_millis(first * MINUTE_MS) }
    }

    /// Returns by how much each series of a counter grew, the largest first. Those that did not are left
    /// out.
    pub(crate) fn increases(&self, metric: &str) -> Vec<(String, u64)> {
        let (Some((_, first)), Some((_, last))) = (self.samples.front(), self.samples.back())
        else {
            return Vec::new();
        };
        let before: BTreeMap<_, _> = first.of(metric).collect();
        let grown = last.of(metric).map(|(label, value)| {
            let increase = value - before.get(label).copied().unwrap_or_default();
            (label.to_owned(), increase.max(0.0) as u64)
        });
        let mut grown: Vec<_> = grown.filter(|(_, increase)| *increase > 0).collect();
        grown.sort_by_key(|(_, increase)| std::cmp::Reverse(*increase));
        grown
    }
}

impl PerMinute {
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// Returns the largest count, and the beginning of its minute.
    pub(crate) fn peak(&self) -> (u64, Timestamp) {
        let peak = self.counts.iter().enumerate().max_by_key(|(_, count)| **count);
        let (minute, count) = peak.map_or((0, 0), |(minute, count)| (minute, *count));
        (count, Timestamp::from_millis(self.start.as_millis() + minute as u64 * MINUTE_MS))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: u64 = 1_795_000_020_000;

    fn sample(active: u64) -> Sample {
        Sample::parse(&format!("keyfob_validations_total{{outcome=\"active\"}} {active}"))
    }

    fn active(sample: &Sample) -> f64 {
        sample.value("keyfob_validations_total", "active")
    }

    fn at(seconds: u64) -> Timestamp {
        Timestamp::from_millis(START + seconds * 1_000)
    }

    #[test]
    fn increases_are_counted_in_their_minute() {
        let mut window = Window::default();
        for (seconds, value) in [(0, 5), (10, 7), (70, 17), (130, 3), (140, 4)] {
            window.push(at(seconds), sample(value));
        }
        let per_minute = window.per_minute(at(140), active);
        assert_eq!(per_minute.counts[57..], [2, 10, 1]);
        assert_eq!(per_minute.total(), 13);
        assert_eq!(per_minute.peak().0, 10);
    }

    #[test]
    fn samples_of_more_than_an_hour_ago_are_forgotten() {
        let mut window = Window::default();
        for minute in 0..200 {
            window.push(at(minute * 60), sample(minute));
        }
        assert!(window.samples.len() <= 62, "{}", window.samples.len());
        assert_eq!(window.increases("keyfob_validations_total"), [("active".to_owned(), 61)]);
    }
}
