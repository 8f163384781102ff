//! Sending recent revocations again after a failover.
//!
//! Replication is asynchronous. A primary that takes over may lack the last writes of the previous
//! primary, and a server that was restarted may have lost what was not on disk. So each store sends
//! the revocations of its last minute again to a primary that is new for a lane, with the same
//! operation and a new deadline. If a revocation was not lost, nothing happens.
//!
//! This can revoke too much, never too little. If an epoch was lost, or another has followed it since, it
//! is advanced a second time and covers what was issued in between.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use keyfob_store::{Lane, Operation, StoreError};

use super::outcome::deadline_from;
use super::recent_revocations::RecentRevocation;
use super::shared::Shared;

/// The maximum number of revocations that are sent at the same time.
const MAX_CONCURRENT: usize = 64;

impl Shared {
    /// Finds the lanes that have another primary than before, and sends to it the revocations that may
    /// have been lost. What fails is tried again the next time.
    pub(super) async fn resend_where_lost(&self) {
        if self.guard.check().is_err() {
            return;
        }
        let lanes: Vec<_> = self.namespace.lanes().lanes().collect();
        let slots: Vec<_> = lanes.iter().map(|lane| self.keys.slot(*lane)).collect();
        let Ok(owners) = self.connections.primaries_of(&slots).await else { return };
        let (mut runs, mut primaries) = (HashMap::new(), Vec::new());
        for (lane, owner) in lanes.into_iter().zip(owners) {
            if !runs.contains_key(&owner) {
                let run = self.connections.run_id_of(&owner).await;
                runs.insert(owner.clone(), run.ok().map(|run| format!("{owner} {run}")));
            }
            let run = runs.get(&owner).cloned().flatten();
            primaries.extend(run.map(|run| (lane, run)));
        }
        for (lane, primary) in self.recent.changed(&primaries) {
            self.renew_pulse(lane).await;
            let lost = self.recent.of_lane(lane);
            let count = lost.len();
            let outcomes = stream::iter(lost.into_iter().map(|it| self.resend(lane, it)));
            let outcomes: Vec<_> = outcomes.buffer_unordered(MAX_CONCURRENT).collect().await;
            match outcomes.into_iter().find_map(Result::err) {
                None => {
                    tracing::debug!(?lane, count, "a new primary has the recent revocations");
                    self.recent.settle(lane, primary);
                }
                Some(error) => {
                    tracing::warn!(?lane, %error, "a new primary may lack recent revocations");
                }
            }
        }
    }

    async fn resend(&self, lane: Lane, recent: Arc<RecentRevocation>) -> Result<(), StoreError> {
        let outcome = match &*recent {
            RecentRevocation::Revoked(id, revoke) => {
                let operation = Operation { id: *id, deadline: deadline_from(self.now()) };
                self.send_revocation(operation, revoke.clone()).await.map(drop)
            }
            RecentRevocation::Advanced(id, advance) => {
                self.resend_advance(*id, lane, advance).await
            }
        };
        match outcome {
            Err(error @ (StoreError::Unavailable { .. } | StoreError::OutcomeUnknown { .. })) => {
                Err(error)
            }
            // Any other error would come again.
            _ => Ok(()),
        }
    }
}
