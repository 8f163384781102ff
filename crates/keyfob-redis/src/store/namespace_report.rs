//! The part of the report about the namespace and its copies.

use keyfob_store::{Severity, StoreError, StoreReport};

use super::meta_copies::MetaCopies;
use super::namespace::Inspection;
use super::namespace_meta::lost_meta;
use super::shared::Shared;
use crate::keys::Keys;
use crate::namespace_guard::NamespaceState;

impl Shared {
    /// Whether the servers hold the namespace that this node opened, and what to do if they do not.
    pub(super) async fn namespace_findings(&self, report: &mut StoreReport) {
        let Inspection { state, copies, has_lanes } = self.inspect_namespace().await;
        let (severity, advice) = match state {
            Ok(NamespaceState::Present) => {
                (Severity::Good, NamespaceState::Present.advice().to_owned())
            }
            Ok(NamespaceState::Absent | NamespaceState::Missing) if has_lanes => {
                (Severity::Fault, lost_meta(&self.config))
            }
            Ok(NamespaceState::Absent) => (
                Severity::Warning,
                format!(
                    "there is no namespace '{}' here. If no node has used it yet, the first one creates \
                     it. Else the store came back empty, or this is another store: nodes that run \
                     answer namespace_lost. Restore the data from a backup, or start the nodes again",
                    self.config.namespace
                ),
            ),
            Ok(lost) => (Severity::Fault, lost.advice().to_owned()),
            // The finding about the address says so.
            Err(StoreError::AddressUnconfirmed { .. }) => return,
            Err(error) => (Severity::Fault, self.unreadable(&copies, &error)),
        };
        report.find(severity, "namespace", advice);
        if self.has_copies() && self.guard.state() != NamespaceState::Absent {
            self.copies_finding(report, &copies);
        }
    }

    fn unreadable(&self, copies: &MetaCopies, error: &StoreError) -> String {
        let key = Keys::meta(&self.config.namespace);
        let key = String::from_utf8_lossy(&key);
        match copies.agreed() {
            Some(copy) if copy == self.guard.meta() => format!(
                "the key '{key}' cannot be read ({error}). Nodes continue by its copies, in the lanes that \
                 can be reached"
            ),
            _ => {
                format!("the key '{key}' cannot be read: {error}. Nodes decide nothing without it")
            }
        }
    }

    fn copies_finding(&self, report: &mut StoreReport, copies: &MetaCopies) {
        let (missing, unreadable) = (copies.missing, copies.unreadable);
        let (severity, advice) = if copies.disagree() {
            (
                Severity::Fault,
                "copies of the namespace's key differ: some lanes are of another namespace. Start a node, \
                 which writes them again, and look for servers that joined this cluster with old data"
                    .to_owned(),
            )
        } else if unreadable > 0 {
            (
                Severity::Fault,
                format!("{unreadable} lanes cannot be reached: their tokens get no decision"),
            )
        } else if missing > 0 && copies.agreed().is_some() {
            (
                Severity::Warning,
                format!(
                    "{missing} lanes have no copy of the namespace's key, so they need the shard of \
                     that key. The next node that starts writes them"
                ),
            )
        } else if missing > 0 {
            (
                Severity::Warning,
                "no lane has a copy of the namespace's key: while its shard is away, no node decides \
                 anything. The next node that starts writes them"
                    .to_owned(),
            )
        } else {
            (Severity::Good, "each lane has a copy of the namespace's key".to_owned())
        };
        report.find(severity, "copies", advice);
    }
}
