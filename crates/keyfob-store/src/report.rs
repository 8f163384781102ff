//! What a store reports about its health and its settings.

use keyfob_core::time::Timestamp;

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

    /// Adds a finding, sorted by severity.
    pub fn find(&mut self, severity: Severity, what: impl Into<String>, advice: impl Into<String>) {
        let index = self.findings.partition_point(|finding| finding.severity <= severity);
        let finding = Finding { severity, what: what.into(), advice: advice.into() };
        self.findings.insert(index, finding);
    }
}
