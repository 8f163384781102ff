//! The part of the report about slots of a cluster that are being moved, or whose move was aborted.

use std::time::Duration;

use keyfob_store::{Severity, StoreReport};
use redis::Value;

use super::shared::Shared;
use crate::config::{Address, Topology};
use crate::slot::slot_of;

const TIMEOUT: Duration = Duration::from_secs(2);

/// A slot that is marked as moving, and in which direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum OpenSlot {
    Migrating(u16),
    Importing(u16),
}

impl Shared {
    /// Names the slots with lanes of this namespace that are marked as moving on one of these servers.
    pub(super) async fn open_slot_findings(&self, report: &mut StoreReport, servers: &[Address]) {
        let Topology::Cluster(_) = self.config.topology else { return };
        let lanes = self.namespace.lanes().lanes().map(|lane| self.keys.slot(lane));
        let own: Vec<_> = lanes.chain([slot_of(self.guard.meta_key())]).collect();
        let mut command = redis::cmd("CLUSTER");
        command.arg("NODES");
        for (address, connection) in self.connections.primaries().await.unwrap_or_default() {
            let Some(connection) = connection.ok().filter(|_| servers.contains(&address)) else {
                continue;
            };
            // A user that may not ask has a finding about that.
            let text = match connection.ask(&command, TIMEOUT).await {
                Ok(Some(Value::BulkString(text))) => text,
                Ok(Some(Value::VerbatimString { text, .. })) => text.into_bytes(),
                _ => continue,
            };
            for slot in open_slots(&String::from_utf8_lossy(&text)) {
                let (slot, state, direction) = match slot {
                    OpenSlot::Migrating(slot) => (slot, "MIGRATING", "away from"),
                    OpenSlot::Importing(slot) => (slot, "IMPORTING", "to"),
                };
                if own.contains(&slot) {
                    let advice = format!(
                        "slot {slot} is {state}, so it is being moved {direction} {address}: issuing, listing \
                         and revoking in it fail until the move is over. If no reshard runs, one was \
                         aborted: redis-cli --cluster fix {address}"
                    );
                    report.find(Severity::Fault, "slots", advice);
                }
            }
        }
    }
}

/// Reads which slots the server that answered has marked, from its line of CLUSTER NODES. There, such a slot is
/// `[93->-ID]` or `[93-<-ID]`.
fn open_slots(text: &str) -> Vec<OpenSlot> {
    let is_myself = |line: &&str| {
        let flags = line.split(' ').nth(2).unwrap_or_default();
        flags.split(',').any(|flag| flag == "myself")
    };
    let line = text.lines().find(is_myself).unwrap_or_default();
    let open = line.split(' ').filter_map(|word| {
        let word = word.strip_prefix('[')?;
        let (slot, is_migrating) = match word.split_once("->-") {
            Some((slot, _)) => (slot, true),
            None => (word.split_once("-<-")?.0, false),
        };
        let slot = slot.parse().ok()?;
        Some(if is_migrating { OpenSlot::Migrating(slot) } else { OpenSlot::Importing(slot) })
    });
    open.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_marks_of_the_server_that_answered_are_read() {
        let text = "\
07c37df 127.0.0.1:30004@31004 slave e7d1eec 0 1426238317239 4 connected
e7d1eec 127.0.0.1:30001@31001,host myself,master - 0 0 1 connected 0-5460 [93->-67ed2db] [77-<-e7d1eec]
67ed2db 127.0.0.1:30002@31002 master - 0 1426238316232 2 connected 5461-10922 [9->-other]
";
        assert_eq!(open_slots(text), [OpenSlot::Migrating(93), OpenSlot::Importing(77)]);
        assert_eq!(open_slots(""), []);
        assert_eq!(open_slots("e7d1eec 127.0.0.1:1@2 myself,master - 0 0 1 connected 0-1"), []);
    }
}
