//! The invalidation feed: how this node learns what other nodes revoke and replace, and for how long it
//! may rely on hearing nothing.
//!
//! A script that changed something sets and deletes a key, the **signal**, whose name says what changed.
//! Each node has a connection to each primary on which the server pushes it the names of such keys
//! (`CLIENT TRACKING ON BCAST`). So an insert pushes nothing, the server remembers nothing for each key
//! that was read, and a push names exactly what was revoked or replaced.
//!
//! Silence alone proves nothing, so the node sends **heartbeats**: a write in each lane that changes
//! nothing. A server refuses it if it is cut off, replaced in its cluster, or no longer has the lane. A
//! server that lost a lane and got it back has pushed that; see `heartbeat.rs`. What was pushed before
//! heartbeat `n` ran has arrived when heartbeat `n + 1` is answered. It may not have arrived when `n` is
//! answered, because a reply may overtake a push of the same moment. Then everything that happened before
//! `n` was *sent* is known, and the lanes are trusted from that time on. Nothing has to notice that a
//! connection is dead or a process was stopped: without heartbeats the trust expires.
//!
//! Within the process, listeners are notified before the store method returns.

mod appends;
mod assignments;
mod context;
mod follow_appends;
mod follow_primaries;
mod heartbeat;
mod primary_listener;
pub(crate) mod recent_revocations;
pub(crate) mod revocation;
pub(crate) mod signal;
mod sources;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyfob_store::{Invalidation, InvalidationListener, InvalidationListeners, Lane};
use tokio::sync::Notify;

pub(crate) use self::appends::Appends;
use self::recent_revocations::RecentRevocations;
use self::signal::Pushed;
use crate::config::Address;

pub(crate) use context::FeedContext;
pub(crate) use follow_appends::follow_appends;
pub(crate) use follow_primaries::follow_primaries;

const MIN_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(2);

/// The maximum, however long the maximum staleness is: a new listener waits for two heartbeats.
const MAX_HEARTBEAT_INTERVAL: Duration = Duration::from_millis(400);

/// The listeners of this process, and the servers that they hear.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    listeners: InvalidationListeners,
    /// The server that pushes the changes of each lane.
    server_of_lane: RwLock<Vec<Option<Address>>>,
    listener_added: Notify,
    /// Wakes those who follow the event log.
    pub(crate) appends: Appends,
    /// What this node and the others revoked.
    pub(crate) recent: RecentRevocations,
}

/// Notifies the listeners of changes when it is dropped: before the store method that makes the changes
/// returns, whatever its outcome, and also if its caller stops waiting.
pub(crate) struct NotifyOnDrop<'a, I: Iterator<Item = (Lane, Invalidation)>> {
    feed: &'a Feed,
    changes: Option<I>,
}

impl Feed {
    /// Notifies a listener from now on.
    pub(crate) fn add(&self, listener: &Arc<InvalidationListener>) {
        self.listeners.add(listener);
        self.listener_added.notify_one();
    }

    /// Takes what a server pushed.
    fn hear(&self, pushed: Pushed) {
        pushed.revocations.into_iter().for_each(|revocation| self.recent.remember(revocation));
        self.listeners.notify(pushed.changes);
    }

    /// Notifies the listeners of this process of a change.
    pub(crate) fn notify(&self, lane: Lane, change: Invalidation) {
        self.listeners.notify([(lane, change)]);
    }

    pub(crate) fn notify_on_drop<I>(&self, changes: I) -> NotifyOnDrop<'_, I>
    where
        I: Iterator<Item = (Lane, Invalidation)>,
    {
        NotifyOnDrop { feed: self, changes: Some(changes) }
    }

    /// Invalidates a record that was loaded from a server whose pushes the feed does not hear, so that it
    /// is not cached.
    pub(crate) fn loaded_from(&self, lane: Lane, change: Invalidation, server: &Address) {
        let servers = self.server_of_lane.read().unwrap_or_else(PoisonError::into_inner);
        let heard = servers.get(usize::from(lane.number())).and_then(Option::as_ref);
        if heard.is_some_and(|heard| heard != server) {
            self.listeners.notify([(lane, change)]);
        }
    }

    /// Notes that the feed hears the pushes of a server for these lanes.
    fn set_server(&self, lanes: &[Lane], server: &Address) {
        let mut servers = self.server_of_lane.write().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes {
            let position = usize::from(lane.number());
            if servers.len() <= position {
                servers.resize(position + 1, None);
            }
            if let Some(known) = servers.get_mut(position) {
                *known = Some(server.clone());
            }
        }
    }

    /// The smallest maximum staleness of all listeners, or `None` without listeners.
    fn max_staleness(&self) -> Option<Duration> {
        self.listeners.listening().iter().map(|listener| listener.max_staleness()).min()
    }
}

impl<I: Iterator<Item = (Lane, Invalidation)>> Drop for NotifyOnDrop<'_, I> {
    fn drop(&mut self) {
        if let Some(changes) = self.changes.take() {
            self.feed.listeners.notify(changes);
        }
    }
}

/// The time from one heartbeat to the next. A heartbeat counts when the next one is answered, so what is known
/// is two intervals old at most, and half of the maximum staleness is left for a server or a node that pauses.
fn heartbeat_interval(max_staleness: Duration) -> Duration {
    (max_staleness / 4).clamp(MIN_HEARTBEAT_INTERVAL, MAX_HEARTBEAT_INTERVAL)
}

/// The time from one look at the route to the next.
fn route_interval(max_staleness: Duration) -> Duration {
    (max_staleness / 5).clamp(MIN_HEARTBEAT_INTERVAL, MAX_HEARTBEAT_INTERVAL)
}
