//! What a store over a network reports. Give such a store the same [`Metrics`] as the manager.

use super::{LinkPurpose, Metrics};

impl Metrics {
    /// Counts a connection to a server that was opened.
    pub fn link_opened(&self, purpose: LinkPurpose) {
        self.handles.store_links_opened.of(purpose).increment(1);
    }

    /// Counts a connection that could not be opened.
    pub fn link_failed(&self, purpose: LinkPurpose) {
        self.handles.store_links_failed.of(purpose).increment(1);
    }

    /// Counts a connection that was closed because it broke, or because it leads to the wrong server.
    pub fn link_lost(&self, purpose: LinkPurpose) {
        self.handles.store_links_lost.of(purpose).increment(1);
    }

    /// Counts a call that is sent again.
    pub fn call_resent(&self) {
        self.handles.store_calls_resent.increment(1);
    }

    /// Counts a command that a server did not answer in time.
    pub fn timed_out(&self) {
        self.handles.store_timeouts.increment(1);
    }

    /// Counts an interruption of a server's invalidation feed, after which it is started again.
    pub fn feed_interrupted(&self) {
        self.handles.store_feed_interruptions.increment(1);
    }

    /// Says whether the store holds the namespace that this node opened. `is_lost` after it was there
    /// counts as a loss.
    pub fn namespace_lost(&self, is_lost: bool) {
        self.handles.store_namespace_losses.increment(u64::from(is_lost));
        self.handles.store_namespace_lost.set(f64::from(u8::from(is_lost)));
    }

    /// Says in how many lanes older tokens are refused, because the store lost its last writes.
    pub fn lanes_rolled_back(&self, count: usize) {
        self.handles.store_lanes_rolled_back.set(count as f64);
    }

    /// Counts a new connection by the configured address that reached another server than before.
    pub fn address_moved(&self) {
        self.handles.store_address_moves.increment(1);
    }

    /// Counts a new connection by the configured address that did not show which server is there.
    pub fn address_check_failed(&self) {
        self.handles.store_address_checks_failed.increment(1);
    }

    /// Counts a change of the primaries.
    pub fn route_changed(&self) {
        self.handles.store_route_changes.increment(1);
    }

    /// Counts a server that has not answered for the whole budget.
    pub fn shard_lost(&self) {
        self.handles.store_outages.increment(1);
    }

    /// Sets how many servers are known to be away.
    pub fn shards_away(&self, count: usize) {
        self.handles.store_shards_away.set(count as f64);
    }

    /// Counts a call that failed without being sent.
    pub fn call_not_sent(&self) {
        self.handles.store_calls_not_sent.increment(1);
    }
}
