//! Sending recent revocations again after a failover.
//!
//! Replication is asynchronous. A primary that takes over may lack the last writes of the previous
//! primary, and a server that was restarted may have lost what was not on disk. So each store sends
//! the revocations of the last minute again to a primary that is new for a lane: its own, and those of
//! other nodes that the invalidation feed has brought. They have the same operation and a new deadline. If a
//! revocation was not lost, nothing happens; if several nodes send it, one of them revokes.
//!
//! A load that a new primary answers waits until that is done, and is then sent again: the answer that it has
//! is older than the revocations there, also if the background task has sent them meanwhile. So no node
//! accepts, after a failover, what it knows to be revoked.
//!
//! This can revoke too much, never too little. If an epoch was lost, or if it was advanced longer ago than
//! lanes remember, it is advanced a second time and covers what was issued in between.

use std::collections::HashMap;
use std::sync::Arc;

use futures_util::stream::{self, StreamExt};
use keyfob_store::{Lane, Operation, StoreError};
use tokio::time::timeout;

use super::outcome::deadline_from;
use super::shared::Shared;
use crate::feed::revocation::Revocation;

/// The maximum number of revocations of a lane that are sent at the same time.
const MAX_CONCURRENT: usize = 64;

/// The maximum number of lanes that are brought up to date at the same time.
const MAX_LANES: usize = 16;

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
        let (mut primaries, mut changed) = (HashMap::new(), Vec::new());
        for (lane, owner) in lanes.into_iter().zip(owners) {
            if !primaries.contains_key(&owner) {
                let primary = self.connections.primary_at(&owner).await;
                primaries.insert(owner.clone(), primary.ok());
            }
            let primary = primaries.get(&owner).cloned().flatten();
            changed.extend(
                primary
                    .filter(|primary| !self.feed.recent.is_settled(lane, primary))
                    .map(|primary| (lane, primary)),
            );
        }
        let caught_up = changed.into_iter().map(|(lane, primary)| self.catch_up(lane, primary));
        stream::iter(caught_up).buffer_unordered(MAX_LANES).for_each(async |_| {}).await;
    }

    /// Does what [`Shared::catch_up`] does, for a caller that waits for it.
    pub(super) async fn catch_up_in_time(
        &self,
        lane: Lane,
        primary: Arc<str>,
    ) -> Result<(), StoreError> {
        let caught_up = timeout(self.config.budget, self.catch_up(lane, primary)).await;
        caught_up.unwrap_or_else(|_| {
            Err(StoreError::unavailable("a new primary does not have the recent revocations yet"))
        })
    }

    /// Sends the recent revocations of a lane to its new primary, and checks whether that was rolled back.
    async fn catch_up(&self, lane: Lane, primary: Arc<str>) -> Result<(), StoreError> {
        let of_lane = usize::from(lane.number()) % self.catching_up.len();
        let _one_at_a_time = self.catching_up[of_lane].lock().await;
        // The caller before may have done it.
        if self.feed.recent.is_settled(lane, &primary) {
            return Ok(());
        }
        self.renew_pulse(lane).await;
        let lost = self.feed.recent.of_lane(lane);
        let count = lost.len();
        let outcomes = stream::iter(lost.into_iter().map(|it| self.resend(lane, it)));
        let outcomes: Vec<_> = outcomes.buffer_unordered(MAX_CONCURRENT).collect().await;
        match outcomes.into_iter().find_map(Result::err) {
            None => {
                tracing::debug!(?lane, count, "a new primary has the recent revocations");
                self.feed.recent.settle(lane, primary);
                Ok(())
            }
            Some(error) => {
                tracing::warn!(?lane, %error, "a new primary may lack recent revocations");
                Err(error)
            }
        }
    }

    async fn resend(&self, lane: Lane, recent: Arc<Revocation>) -> Result<(), StoreError> {
        // No replica is waited for. There may be none yet, and callers wait for this.
        let outcome = match &*recent {
            Revocation::Revoked(id, revoke) => {
                let operation = Operation { id: *id, deadline: deadline_from(self.now()) };
                self.send_revocation(operation, revoke.clone(), 0).await.map(drop)
            }
            Revocation::Advanced(id, advance) => self.resend_advance(*id, lane, advance).await,
        };
        match outcome {
            Err(error) if may_pass(&error) => Err(error),
            // Any other error would come again.
            _ => Ok(()),
        }
    }
}

/// Whether a revocation was perhaps not executed, and may be if it is sent once more.
fn may_pass(error: &StoreError) -> bool {
    matches!(
        error,
        StoreError::Unavailable { .. }
            | StoreError::OutcomeUnknown { .. }
            | StoreError::AddressUnconfirmed { .. }
            | StoreError::NamespaceLost { .. }
            | StoreError::DeadlinePassed { .. }
    )
}

#[cfg(test)]
mod tests {
    use keyfob_store::OperationId;

    use super::*;

    #[test]
    fn a_lane_waits_for_what_may_not_have_been_executed() {
        let (operation, detail) = (OperationId::from_bytes([1; 16]), String::new());
        let what = String::new();
        for error in [
            StoreError::unavailable("away"),
            StoreError::OutcomeUnknown { operation },
            // A call to a server that is away is not even sent.
            StoreError::AddressUnconfirmed { detail: detail.clone() },
            StoreError::NamespaceLost { what: what.clone(), detail: detail.clone() },
            StoreError::DeadlinePassed { operation },
        ] {
            assert!(may_pass(&error), "{error}");
        }
        // A damaged record is refused anyway, and must not hold up its lane.
        assert!(!may_pass(&StoreError::Corrupt { what, detail }));
    }
}
