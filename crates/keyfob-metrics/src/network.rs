//! What a store tells that is reached over a network. Any such store may: give it the same
//! [`Metrics`] as the manager.

use super::{LinkPurpose, Metrics};

impl Metrics {
    /// A connection to a server was opened.
    pub fn link_opened(&self, purpose: LinkPurpose) {
        self.handles.store_links_opened.of(purpose).increment(1);
    }

    /// A connection could not be opened.
    pub fn link_failed(&self, purpose: LinkPurpose) {
        self.handles.store_links_failed.of(purpose).increment(1);
    }

    /// A connection was given up: it broke, or no longer leads where it should.
    pub fn link_lost(&self, purpose: LinkPurpose) {
        self.handles.store_links_lost.of(purpose).increment(1);
    }

    /// A call is sent again.
    pub fn call_resent(&self) {
        self.handles.store_calls_resent.increment(1);
    }

    /// A server did not answer a command in time.
    pub fn timed_out(&self) {
        self.handles.store_timeouts.increment(1);
    }

    /// Listening to a server's feed ended, and is begun again.
    pub fn feed_interrupted(&self) {
        self.handles.store_feed_interruptions.increment(1);
    }

    /// The primaries are others than before.
    pub fn route_changed(&self) {
        self.handles.store_route_changes.increment(1);
    }
}
