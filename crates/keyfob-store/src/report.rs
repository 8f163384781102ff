//! What a store reports about its health and its settings.

use keyfob_core::operation::Operation;
use keyfob_core::time::{Timestamp, Ttl};

/// The name of the check of clocks.
const CLOCK: &str = "clock";
/// The smallest clock difference that is a warning.
const MIN_CLOCK_WARNING: Ttl = Ttl::from_secs(1);

/// A report on a store: its findings, for `doctor` and for readiness probes.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreReport {
    /// The kind of store and its address, without secrets.
    pub description: String,
    /// The time of the store's clock.
    pub now: Timestamp,
    /// The findings, the most severe first.
    pub findings: Vec<Finding>,
}

/// One finding about a store's settings or state.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Finding {
    /// How severe it is.
    pub severity: Severity,
    /// What was checked, such as `maxmemory-policy`.
    pub what: String,
    /// What was found, and what to do about it.
    pub advice: String,
}

/// How severe a [`Finding`] is. The most severe sorts first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Severity {
    /// A guarantee of keyfob does not hold.
    Fault,
    /// A guarantee of keyfob is at risk.
    Warning,
    /// As it should be.
    Good,
}

/// What a store has lost that refuses tokens since it was rolled back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Rollback {
    /// What was written from then on was lost.
    pub since: Timestamp,
    /// When the loss was found. Tokens that are older are refused.
    pub noticed: Timestamp,
    /// In how many lanes.
    pub lanes: u16,
}

impl StoreReport {
    /// Creates a report without findings.
    pub fn new(description: impl Into<String>, now: Timestamp) -> Self {
        Self { description: description.into(), now, findings: Vec::new() }
    }

    /// Returns whether the store can do its work: no finding is a [`Severity::Fault`]. It is meant
    /// for a readiness probe.
    pub fn is_ready(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity != Severity::Fault)
    }

    /// Adds a finding about the clocks of this node and of the store, unless the store has reported
    /// on its clocks. The store's clock was read between `before` and `after` of this node's.
    pub fn compare_clocks(&mut self, before: Timestamp, after: Timestamp) {
        if !self.findings.iter().any(|finding| finding.what == CLOCK) {
            let (severity, advice) = clocks(before, self.now, after);
            self.find(severity, CLOCK, advice);
        }
    }

    /// Adds a finding, sorted by severity.
    pub fn find(&mut self, severity: Severity, what: impl Into<String>, advice: impl Into<String>) {
        let index = self.findings.partition_point(|finding| finding.severity <= severity);
        let finding = Finding { severity, what: what.into(), advice: advice.into() };
        self.findings.insert(index, finding);
    }
}

/// Compares the clocks of this node and of the store. `store` was read between `before` and `after`.
fn clocks(before: Timestamp, store: Timestamp, after: Timestamp) -> (Severity, String) {
    let (apart, direction) = match (store.since(after), before.since(store)) {
        (Some(behind), _) => (behind, "behind"),
        (None, Some(ahead)) => (ahead, "ahead of"),
        (None, None) => {
            return (Severity::Good, "this node and the store agree on the time".to_owned());
        }
    };
    if apart < MIN_CLOCK_WARNING {
        return (Severity::Good, format!("this node is {apart} {direction} the store"));
    }
    let severity = if apart < Operation::WINDOW { Severity::Warning } else { Severity::Fault };
    let advice =
        format!("this node is {apart} {direction} the store. Synchronize both clocks with NTP");
    (severity, advice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_larger_clock_difference_is_more_severe() {
        let at = Timestamp::from_millis;
        let judge = |store| clocks(at(100_000), at(store), at(100_100)).0;
        assert_eq!(judge(100_050), Severity::Good);
        assert_eq!(judge(100_900), Severity::Good);
        assert_eq!(judge(102_000), Severity::Warning);
        assert_eq!(judge(90_000), Severity::Warning);
        assert_eq!(judge(140_000), Severity::Fault);
        assert_eq!(judge(60_000), Severity::Fault);
        let behind = clocks(at(0), at(5_000), at(0)).1;
        assert!(behind.contains("5s behind the store"), "{behind}");
    }

    #[test]
    fn the_report_of_a_store_on_its_own_clocks_stays() {
        let mut report = StoreReport::new("a store", Timestamp::from_millis(0));
        report.find(Severity::Good, CLOCK, "its own");
        report.compare_clocks(Timestamp::from_millis(9_000), Timestamp::from_millis(9_000));
        assert_eq!(report.findings.len(), 1);
    }
}
