//! The invalidation feed: how this node hears what other nodes revoke and replace, and for how long
//! it may rest on hearing nothing.
//!
//! A script that changed something sets and deletes a key, the **signal**, whose name says what
//! changed. Each node has a connection to each primary on which the server pushes it the names of
//! such keys (`CLIENT TRACKING ON BCAST`). So an insert pushes nothing, the server remembers nothing
//! for each key that was read, and a push names exactly what ended.
//!
//! Silence proves nothing, so the node asks for it: a **beat** is a write in each lane that changes
//! nothing. A server that is cut off, deposed in its cluster or asked for a lane that has moved
//! refuses it, and one that had lost a lane and got it back has pushed that: see `beat`. What was
//! pushed before beat `n` ran has arrived when beat `n + 1` is answered, though not always when `n`
//! is: a reply may overtake a push of the same moment. Then everything that happened before `n` was
//! *sent* has been told, and trust lasts from there. Nobody needs to notice that a connection is dead
//! or a process was stopped: without beats the trust runs out by itself.
//!
//! Within the process, watchers are told before the verb returns.

mod beat;
mod follow;
mod listen;
pub(crate) mod signal;
mod sources;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use keyfob_store::{Invalidation, InvalidationListener, InvalidationListeners, Lane};
use tokio::sync::Notify;

use crate::config::Address;

pub(crate) use follow::{Following, follow};

/// The shortest time between two beats.
const SHORTEST: Duration = Duration::from_millis(2);

/// The longest, however long the bound: whoever begins to watch waits for two.
const LONGEST: Duration = Duration::from_millis(400);

/// Whoever watches, and whom they hear.
#[derive(Debug, Default)]
pub(crate) struct Feed {
    listeners: InvalidationListeners,
    /// Which server speaks for each lane.
    heard: RwLock<Vec<Option<Address>>>,
    first_listener: Notify,
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
        self.first_listener.notify_one();
    }

    pub(crate) fn notify_on_drop<I>(&self, changes: I) -> NotifyOnDrop<'_, I>
    where
        I: Iterator<Item = (Lane, Invalidation)>,
    {
        NotifyOnDrop { feed: self, changes: Some(changes) }
    }

    /// Tells of a record that was loaded from a server which the feed does not hear, so that
    /// nothing is kept of it.
    pub(crate) fn loaded_from(&self, lane: Lane, change: Invalidation, server: &Address) {
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner);
        let speaker = heard.get(usize::from(lane.number())).and_then(Option::as_ref);
        if speaker.is_some_and(|speaker| speaker != server) {
            self.listeners.notify([(lane, change)]);
        }
    }

    fn hear(&self, lanes: &[Lane], server: &Address) {
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        for lane in lanes {
            let place = usize::from(lane.number());
            if heard.len() <= place {
                heard.resize(place + 1, None);
            }
            if let Some(speaker) = heard.get_mut(place) {
                *speaker = Some(server.clone());
            }
        }
    }

    /// The shortest bound of those who watch, if anybody does.
    fn bound(&self) -> Option<Duration> {
        self.listeners.listening().iter().map(|watcher| watcher.max_staleness()).min()
    }
}

impl<I: Iterator<Item = (Lane, Invalidation)>> Drop for NotifyOnDrop<'_, I> {
    fn drop(&mut self) {
        if let Some(changes) = self.changes.take() {
            self.feed.listeners.notify(changes);
        }
    }
}

/// How long from one beat to the next, for such a bound.
fn interval(bound: Duration) -> Duration {
    (bound / 5).clamp(SHORTEST, LONGEST)
}
